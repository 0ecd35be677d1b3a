"""Files of this machine in requests over the network: [files] roots, and outputs into folders."""

import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from alfine.core.errors import InvalidSpec
from alfine.jobs.home import Home
from tests.aws.conftest import Served, until
from tests.server.console.conftest import Visitor


@pytest.fixture(scope="module")
def rooted(tmp_path_factory, script):
    """A server that is told to keep to one folder, which has code and data; beside it lies a secret."""
    folder = tmp_path_factory.mktemp("rooted")
    home, root = folder / "home", folder / "root"
    home.mkdir()
    (root / "data").mkdir(parents=True)
    (root / "data" / "a.csv").write_text("1,2")
    (root / "train.py").write_text(script.read_text())
    (folder / "secret").write_text("secret")
    (root / "link").symlink_to(folder / "secret")
    (home / "alfine.toml").write_text(f'[files]\nroots = ["{root}"]\n')
    server = Served(home)
    yield server, root
    server.end()


@pytest.fixture
def asked(make, rooted):
    """A request whose code, data and output lie under the root."""
    root = rooted[1]

    def request(name, **changes):
        made = make(name, channels={"train": root / "data"}, max_training_jobs=1)
        definition = made["TrainingJobDefinition"]
        definition["StaticHyperParameters"]["sagemaker_submit_directory"] = changes.get("code", root.as_uri())
        source = definition["InputDataConfig"][0]["DataSource"]["S3DataSource"]
        source["S3Uri"] = changes.get("data", source["S3Uri"])
        definition["OutputDataConfig"]["S3OutputPath"] = changes.get("output", f"{root.as_uri()}/out")
        return made

    return request


def test_what_lies_under_the_roots_is_read_and_the_model_is_put_there(rooted, asked):
    sagemaker = rooted[0].client()
    sagemaker.create_hyper_parameter_tuning_job(**asked("inside"))
    best = until(sagemaker, "inside")["BestTrainingJob"]["TrainingJobName"]
    told = sagemaker.describe_training_job(TrainingJobName=best)["ModelArtifacts"]["S3ModelArtifacts"]
    assert told == f"{rooted[1].as_uri()}/out/{best}/output/model.tar.gz"
    assert tarfile.is_tarfile(Path(told.removeprefix("file://")))


@pytest.mark.parametrize(
    ("field", "uri"),
    [
        ("code", "file://{root}/.."),
        ("data", "file:///etc/passwd"),
        ("data", "file:///no/such/file"),
        ("data", "file://{root}/../secret"),
        ("data", "file://{root}/link"),
        ("data", "file://{root}-beside"),
        ("output", "file:///tmp"),
        ("output", "file://{root}/../out"),
    ],
)
def test_what_lies_outside_is_refused_whether_it_is_there_or_not(rooted, asked, field, uri):
    server, root = rooted
    sagemaker = server.client()
    with pytest.raises(ClientError, match="ValidationException") as caught:
        sagemaker.create_hyper_parameter_tuning_job(**asked("outside", **{field: uri.format(root=root)}))
    message = str(caught.value)
    assert "AccessDenied" in message
    assert f"{root} ([files] roots in alfine.toml)" in message
    with pytest.raises(sagemaker.exceptions.ResourceNotFound):
        sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName="outside")


def test_the_consoles_form_of_a_new_job_keeps_to_the_same_folders(rooted):
    server, root = rooted
    visitor, row = Visitor(server.url), {"hyperparameter-0": "x", "min-0": "0", "max-0": "1", "do": "create"}
    for fields in ({"script": "/etc/hosts"}, {"script": "train.py", "more": f"channels: {{a: {root}/../secret}}"}):
        page = visitor.submit("/console/new", "/new#outcome", {**row, **fields})
        assert (page.status, f"{root} ([files] roots in alfine.toml)" in page.text) == (422, True), page.text
    page = visitor.submit("/console/new", "/new#outcome", {**row, "script": "train.py", "do": "check"})
    assert "The job can be created" in page.text  # a relative path begins at the first folder


def test_every_fault_outside_is_named_at_once(rooted, asked):
    with pytest.raises(ClientError) as caught:
        rooted[0].client().create_hyper_parameter_tuning_job(
            **asked("twice", data="file:///etc", code="file:///usr", output="file:///var/x")
        )
    assert str(caught.value).count("AccessDenied") == 3


def test_a_link_that_leads_out_meanwhile_is_refused_at_the_start_too(tmp_path, make, script):
    root = tmp_path / "root"
    data = root / "data"
    data.mkdir(parents=True)
    request = make("swapped", channels={"train": data})
    code = script.parent
    (tmp_path / "alfine.toml").write_text(f'[files]\nroots = ["root", "{code}"]\n')
    with Home(tmp_path) as home:
        home.confine()
        home.service.create(request)
        data.rmdir()
        data.symlink_to("/etc")
        with pytest.raises(InvalidSpec, match="AccessDenied"):
            home.engine().open("swapped")


def test_roots_that_are_no_folders_end_the_server_at_once(tmp_path):
    (tmp_path / "alfine.toml").write_text('[files]\nroots = ["nowhere"]\n')
    command = [sys.executable, "-m", "alfine", "serve", "--port", "0", "--home", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"[files] roots: {tmp_path}/nowhere isn't a folder" in done.stderr


def test_an_output_folder_that_cannot_be_is_refused(sagemaker, make):
    request = make("no-output")
    request["TrainingJobDefinition"]["OutputDataConfig"]["S3OutputPath"] = "file:///etc/passwd/x"
    with pytest.raises(ClientError, match="/etc/passwd isn't a folder"):
        sagemaker.create_hyper_parameter_tuning_job(**json.loads(json.dumps(request)))


def test_a_name_that_is_too_long_is_a_fault_of_the_request(sagemaker, make):
    program, output, checkpoints = make("long-program"), make("long-output"), make("long-checkpoints")
    program["TrainingJobDefinition"]["StaticHyperParameters"]["sagemaker_program"] = "a" * 300
    output["TrainingJobDefinition"]["OutputDataConfig"]["S3OutputPath"] = f"file:///tmp/{'a' * 300}"
    checkpoints["TrainingJobDefinition"]["CheckpointConfig"] = {"S3Uri": f"file:///tmp/{'a' * 300}"}
    for request, told in ((program, "there is no file"), (output, "name too long"), (checkpoints, "name too long")):
        with pytest.raises(ClientError, match=f"ValidationException.*{told}"):
            sagemaker.create_hyper_parameter_tuning_job(**request)

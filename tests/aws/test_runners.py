"""Where the training jobs of AWS's clients run: in a sandbox, where there is one, as in the container that they expect."""

import socket

import pytest
from botocore.exceptions import ClientError

from alfine.jobs.home import Home
from alfine.jobs.server_record import ServerRecord
from alfine.runners.sandbox import why_ports_stay_open
from tests.aws.conftest import until

IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
SCRIPT = """
import json, os, socket
hyperparameters = json.load(open("/opt/ml/input/config/hyperparameters.json"))
config = json.load(open("/opt/ml/input/config/resourceconfig.json"))
open("/opt/ml/model/" + config["current_host"], "w").write("w")
reached = {}
for name in ("alfine", "other"):
    with socket.socket() as s:
        reached[name] = s.connect_ex(("127.0.0.1", int(hyperparameters[name]))) == 0
print("loss=%s" % hyperparameters["x"], config["hosts"], os.getcwd(), "reached=%s" % reached)
"""


@pytest.fixture(scope="module")
def other_port():
    """The port of another server of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield str(server.getsockname()[1])


@pytest.fixture
def ask(served, make, tmp_path, other_port):
    """A function of a name and tags: a request as the SDKs send it, for a script that names /opt/ml."""
    (tmp_path / "train.py").write_text(SCRIPT)

    def ask(name, tags=(), **definition):
        ports = {"alfine": served.url.rpartition(":")[2], "other": other_port}
        request = make(name, static=ports, max_training_jobs=1, max_parallel=1)
        request["TrainingJobDefinition"]["StaticHyperParameters"]["sagemaker_submit_directory"] = tmp_path.as_uri()
        request["TrainingJobDefinition"]["AlgorithmSpecification"]["TrainingImage"] = IMAGE
        request["TrainingJobDefinition"] |= definition
        request["Tags"] = [{"Key": key, "Value": value} for key, value in tags]
        return request

    return ask


def outcome(sagemaker, logs, request) -> tuple[str, str]:
    """(status of the one training job, its log)."""
    name = request["HyperParameterTuningJobName"]
    sagemaker.create_hyper_parameter_tuning_job(**request)
    until(sagemaker, name)
    listed = sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    [row] = listed["TrainingJobSummaries"]
    found = logs.filter_log_events(
        logGroupName="/aws/sagemaker/TrainingJobs", logStreamNamePrefix=row["TrainingJobName"]
    )
    return row["TrainingJobStatus"], "\n".join(event["message"] for event in found["events"])


needs_sandbox = pytest.mark.usefixtures("sandbox_without_network")


@pytest.fixture
def logs(served):
    client = served.client("logs")
    yield client
    client.close()


@needs_sandbox
def test_a_script_for_an_image_finds_opt_ml(sagemaker, logs, ask):
    status, log = outcome(sagemaker, logs, ask("in-sandbox"))
    assert status == "Completed", log
    closed = not why_ports_stay_open()  # alfine's port: a script has no business with the server
    assert f"['algo-1'] /opt/ml/code reached={{'alfine': {not closed}, 'other': True}}" in log


@pytest.mark.parametrize(("settings", "closed"), [("", (4321,)), ("[run]\nsandbox_reaches_server = true\n", ())])
def test_a_setting_lets_scripts_in_the_sandbox_reach_the_server(tmp_path, settings, closed):
    (tmp_path / "alfine.toml").write_text(settings)
    ServerRecord("http://127.0.0.1:4321", "us-east-1", is_open=False).write(tmp_path)
    with Home(tmp_path) as home:
        assigned = home.runners["sandbox"].executor
        assert assigned._runner._closed() == closed


@needs_sandbox
def test_network_isolation_holds_and_is_told(sagemaker, logs, ask):
    status, log = outcome(sagemaker, logs, ask("isolated", EnableNetworkIsolation=True))
    assert (status, "reached={'alfine': False, 'other': False}" in log) == ("Completed", True)
    told = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName="isolated")
    assert told["TrainingJobDefinition"]["EnableNetworkIsolation"] is True


@needs_sandbox
def test_instances_are_hosts(sagemaker, logs, ask):
    resources = {"InstanceType": "ml.m5.large", "InstanceCount": 2, "VolumeSizeInGB": 1}
    status, log = outcome(sagemaker, logs, ask("hosts", ResourceConfig=resources))
    assert (status, log.count("['algo-1', 'algo-2']")) == ("Completed", 2)


def test_a_tag_asks_for_a_plain_process(sagemaker, logs, ask):
    status, log = outcome(sagemaker, logs, ask("plain", tags=[("alfine:runner", "process")]))
    assert status == "Failed"
    assert "No such file or directory: '/opt/ml/" in log


def test_what_no_runner_gives_is_refused(sagemaker, ask):
    resources = {"InstanceType": "ml.m5.large", "InstanceCount": 2, "VolumeSizeInGB": 1}
    with pytest.raises(ClientError, match="'spaceship' isn't one of sandbox, process, container, ray, auto"):
        sagemaker.create_hyper_parameter_tuning_job(**ask("bad-1", tags=[("alfine:runner", "spaceship")]))
    with pytest.raises(ClientError, match="a plain process can't be cut off from the network"):
        isolated = ask("bad-2", tags=[("alfine:runner", "process")], EnableNetworkIsolation=True)
        sagemaker.create_hyper_parameter_tuning_job(**isolated)
    with pytest.raises(ClientError, match="several hosts can.t reach each other here"):
        request = ask(
            "bad-3", tags=[("alfine:runner", "sandbox")], EnableNetworkIsolation=True, ResourceConfig=resources
        )
        sagemaker.create_hyper_parameter_tuning_job(**request)

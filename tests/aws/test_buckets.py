"""Code, data and models in buckets, through boto3 and the AWS CLI."""

import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from alfine.core.errors import InvalidSpec
from alfine.programs.data.archives import unpacked
from tests.aws.conftest import KEYS, until

SCRIPT = """
import argparse, os, pathlib
p = argparse.ArgumentParser(); p.add_argument("--x", type=float); p.add_argument("--n", type=int)
a = p.parse_args()
train = pathlib.Path(os.environ["SM_CHANNEL_TRAIN"])
print("loss=%f files=%s" % (a.x, sorted(str(each.relative_to(train)) for each in train.rglob("*.csv"))))
pathlib.Path(os.environ["SM_MODEL_DIR"], "weights").write_text(str(a.x))
pathlib.Path(os.environ["SM_OUTPUT_DATA_DIR"], "notes").write_text("noted")
"""


def tar_of(**files):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name.replace("_", "."))
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return packed.getvalue()


@pytest.fixture(scope="module")
def bucket(served):
    s3 = served.client("s3")
    s3.create_bucket(Bucket="jobs")
    s3.put_object(Bucket="jobs", Key="code/sourcedir.tar.gz", Body=tar_of(train_py=SCRIPT))
    s3.put_object(Bucket="jobs", Key="code/plain/train.py", Body=SCRIPT.encode())
    for key in ("data/a.csv", "data/deep/b.csv", "data-other/c.csv"):
        s3.put_object(Bucket="jobs", Key=key, Body=b"1,2")
    return s3


@pytest.fixture
def from_bucket(make, bucket):
    """A request whose code, data and output are in the bucket."""

    def request(name, code="s3://jobs/code/sourcedir.tar.gz", data="s3://jobs/data/", program="train.py"):
        asked = make(name, max_training_jobs=2, channels={"train": "/tmp"})
        definition = asked["TrainingJobDefinition"]
        definition["StaticHyperParameters"] = {
            "sagemaker_program": json.dumps(program),  # quoted, as the SDKs send it
            "sagemaker_submit_directory": json.dumps(code),
        }
        definition["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"] = data
        definition["OutputDataConfig"]["S3OutputPath"] = "s3://models/out"
        return asked

    return request


@pytest.mark.parametrize(
    ("code", "data", "files"),
    [
        ("s3://jobs/code/sourcedir.tar.gz", "s3://jobs/data/", "['a.csv', 'deep/b.csv']"),
        ("s3://jobs/code/plain", "s3://jobs/data/a.csv", "['a.csv']"),
        ("s3://jobs/code/plain/", "s3://jobs/data-o", "['data-other/c.csv']"),
    ],
    ids=["archive", "folder", "part of a name"],
)
def test_a_tuning_job_trains_from_a_bucket(served, from_bucket, request, code, data, files):  # noqa: PLR0917
    sagemaker = served.client()
    name = "from-" + request.node.callspec.id.replace(" ", "-")
    sagemaker.create_hyper_parameter_tuning_job(**from_bucket(name, code, data))
    told = until(sagemaker, name)
    assert told["TrainingJobStatusCounters"]["Completed"] == 2, told
    best = told["BestTrainingJob"]["TrainingJobName"]
    logs = served.client("logs")
    events = logs.filter_log_events(logGroupName="/aws/sagemaker/TrainingJobs", logStreamNamePrefix=best)["events"]
    assert any(f"files={files}" in event["message"] for event in events)


def test_model_and_output_are_put_where_describe_says(sagemaker, bucket, from_bucket):
    sagemaker.create_hyper_parameter_tuning_job(**from_bucket("delivered"))
    best = until(sagemaker, "delivered")["BestTrainingJob"]
    artifact = sagemaker.describe_training_job(TrainingJobName=best["TrainingJobName"])["ModelArtifacts"][
        "S3ModelArtifacts"
    ]
    assert artifact == f"s3://models/out/{best['TrainingJobName']}/output/model.tar.gz"
    packed = bucket.get_object(Bucket="models", Key=artifact.removeprefix("s3://models/"))["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        assert archive.extractfile("weights").read().decode() == best["TunedHyperParameters"]["x"]
    output = bucket.get_object(Bucket="models", Key=f"out/{best['TrainingJobName']}/output/output.tar.gz")
    with tarfile.open(fileobj=io.BytesIO(output["Body"].read())) as archive:
        assert archive.extractfile("./notes").read() == b"noted"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"data": "s3://jobs/nothing/"},
            'No S3 objects found under S3 URL "s3://jobs/nothing/" given in input data source',
        ),
        ({"data": "s3://no-such-bucket/x"}, "No S3 objects found under S3 URL"),
        ({"code": "s3://jobs/nothing.tar.gz"}, "No S3 objects found under S3 URL"),
        ({"program": "other.py"}, "there is no file other.py in s3://jobs/code/sourcedir.tar.gz"),
        ({"program": "other.py", "code": "s3://jobs/code/plain"}, "there is no file s3://jobs/code/plain/other.py"),
        ({"code": "s3://jobs/data/a.csv"}, "there is no file"),
    ],
    ids=["no data", "no bucket", "no code", "not in archive", "not in folder", "no archive"],
)
def test_what_a_bucket_lacks_is_refused_at_create(sagemaker, from_bucket, change, message):
    with pytest.raises(ClientError, match="ValidationException") as caught:
        sagemaker.create_hyper_parameter_tuning_job(**from_bucket("lacks", **change))
    assert message in str(caught.value)
    with pytest.raises(sagemaker.exceptions.ResourceNotFound):
        sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName="lacks")


def test_the_aws_cli_creates_waits_and_lists(served, bucket, from_bucket, tmp_path):
    asked = tmp_path / "request.json"
    asked.write_text(json.dumps(from_bucket("by-cli")))

    def aws(*arguments):
        environment = {name.upper(): value for name, value in KEYS.items()} | {
            "PATH": os.environ["PATH"],
            "AWS_ACCESS_KEY_ID": "any",
            "AWS_SECRET_ACCESS_KEY": "any",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": served.url,
            "AWS_CONFIG_FILE": str(tmp_path / "none"),
        }
        command = [str(Path(sys.executable).with_name("aws")), *arguments, "--output", "json"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout or "null")

    arn = aws("sagemaker", "create-hyper-parameter-tuning-job", "--cli-input-json", f"file://{asked}")
    assert arn["HyperParameterTuningJobArn"].endswith("hyper-parameter-tuning-job/by-cli")
    told = until(served.client(), "by-cli")
    listed = aws(
        *("sagemaker", "list-training-jobs-for-hyper-parameter-tuning-job", "--page-size", "1"),
        *("--hyper-parameter-tuning-job-name", "by-cli", "--sort-by", "FinalObjectiveMetricValue"),
    )
    names = [row["TrainingJobName"] for row in listed["TrainingJobSummaries"]]
    assert (len(names), names[0]) == (2, told["BestTrainingJob"]["TrainingJobName"])


@pytest.fixture(params=["with the filter", "without"])
def any_python(request, monkeypatch):
    """Python 3.11.3 and older have no filter «data»."""
    if request.param == "without":
        monkeypatch.delattr(tarfile, "data_filter", raising=False)
        monkeypatch.setattr(tarfile.TarFile, "extraction_filter", staticmethod(lambda member, _: member), raising=False)


@pytest.mark.usefixtures("any_python")
@pytest.mark.parametrize("name", ["../out", "/out", "a/../../out"])
def test_an_archive_that_leads_out_of_its_folder_is_refused(tmp_path, name):
    archive = tmp_path / "code.tar.gz"
    with tarfile.open(archive, "w:gz") as packed:
        member = tarfile.TarInfo(name)
        member.size = 1
        packed.addfile(member, io.BytesIO(b"!"))
    if name == "/out":  # tarfile makes it relative
        assert (unpacked(archive, tmp_path / "in") / "out").read_text() == "!"
    else:
        with pytest.raises(InvalidSpec, match="can't be unpacked"):
            unpacked(archive, tmp_path / "in")
    assert not (tmp_path / "out").exists()
    assert not Path("/out").exists()


@pytest.mark.parametrize(
    "headers",
    [
        {"GNU.sparse.map": "a,b"},
        {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"},
        {"GNU.sparse.size": "x"},
        {"mtime": "1e300"},
        {"size": "9" * 30},
    ],
    ids=str,
)
def test_an_archive_with_headers_that_tarfile_cannot_read_is_refused(tmp_path, headers):
    archive = tmp_path / "code.tar.gz"
    with tarfile.open(archive, "w:gz", format=tarfile.PAX_FORMAT) as packed:
        member = tarfile.TarInfo("train.py")
        member.size, member.pax_headers = 1, headers
        packed.addfile(member, io.BytesIO(b"!"))
    with pytest.raises(InvalidSpec):
        unpacked(archive, tmp_path / "in")


@pytest.mark.usefixtures("any_python")
def test_a_link_that_leads_out_of_an_archive_is_refused(tmp_path):
    archive = tmp_path / "code.tar.gz"
    with tarfile.open(archive, "w:gz") as packed:
        member = tarfile.TarInfo("link")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc"
        packed.addfile(member)
    with pytest.raises(InvalidSpec, match="can't be unpacked"):
        unpacked(archive, tmp_path / "in")


def test_a_bucket_is_this_accounts_and_nobody_elses(served):
    s3, own = served.client("s3"), served.client("sts").get_caller_identity()["Account"]
    s3.create_bucket(Bucket="owned")
    s3.put_object(Bucket="owned", Key="k", Body=b"", ExpectedBucketOwner=own)
    with pytest.raises(ClientError, match="Access Denied"):
        s3.put_object(Bucket="owned", Key="k", Body=b"other", ExpectedBucketOwner="111122223333")
    with pytest.raises(ClientError, match="Access Denied"):
        source = {"Bucket": "owned", "Key": "k"}
        s3.copy_object(Bucket="owned", Key="l", CopySource=source, ExpectedSourceBucketOwner="111122223333")
    assert s3.head_object(Bucket="owned", Key="k")["ContentLength"] == 0

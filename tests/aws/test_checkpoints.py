"""CheckpointConfig: checkpoints come from their S3Uri and go back there."""

import pytest
from botocore.exceptions import ClientError

from tests.aws.conftest import until
from tests.missing import need_sandbox

SCRIPT = """
import os
folder = os.environ.get("CHECKPOINTS") or os.environ["SAGEMAKER_BASE_DIR"] + "/checkpoints"
found = sorted(os.listdir(folder))
if "old" in found:
    os.remove(folder + "/old")
os.makedirs(folder + "/deep", exist_ok=True)
open(folder + "/deep/new", "w").write("state")
print("loss=1 found=" + ",".join(found))
"""
IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"


@pytest.fixture(scope="module")
def s3(served):
    client = served.client("s3")
    client.create_bucket(Bucket="checkpoints")
    yield client
    client.close()


@pytest.fixture
def code(tmp_path):
    path = tmp_path / "train.py"
    path.write_text(SCRIPT)
    return path


def keys(s3, prefix: str) -> list[str]:
    return [each["Key"] for each in s3.list_objects_v2(Bucket="checkpoints", Prefix=prefix).get("Contents", ())]


def asked(make, code, name, **config):
    request = make(name, max_training_jobs=2, max_parallel=1)
    definition = request["TrainingJobDefinition"]
    definition["StaticHyperParameters"]["sagemaker_submit_directory"] = code.parent.as_uri()
    definition["CheckpointConfig"] = config
    return request


def training_jobs(sagemaker, name: str) -> list[str]:
    listed = sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    return [row["TrainingJobName"] for row in listed["TrainingJobSummaries"]]


def found_by(served, name: str) -> str:
    """What a training job said that it found."""
    client = served.client("logs")
    told = client.filter_log_events(logGroupName="/aws/sagemaker/TrainingJobs", logStreamNamePrefix=name)
    client.close()
    return "".join(event["message"].partition("found=")[2].strip() for event in told["events"])


def test_each_training_job_of_a_tuning_job_has_its_own(sagemaker, served, s3, make, code):
    sagemaker.create_hyper_parameter_tuning_job(**asked(make, code, "apart", S3Uri="s3://checkpoints/apart"))
    until(sagemaker, "apart")
    names = training_jobs(sagemaker, "apart")
    assert keys(s3, "apart") == sorted(f"apart/{name}/deep/new" for name in names)
    assert [found_by(served, name) for name in names] == ["", ""]


def test_shared_ones_are_found_by_the_next_and_none_is_removed(sagemaker, served, s3, make, code):
    s3.put_object(Bucket="checkpoints", Key="shared/old", Body=b"x")
    request = asked(make, code, "shared", S3Uri="s3://checkpoints/shared/")
    request["Tags"] = [{"Key": "alfine:checkpoints", "Value": "shared"}]
    sagemaker.create_hyper_parameter_tuning_job(**request)
    until(sagemaker, "shared")
    assert sorted(found_by(served, name) for name in training_jobs(sagemaker, "shared")) == ["deep,old", "old"]
    assert keys(s3, "shared") == ["shared/deep/new", "shared/old"]


NAMES = {None: "alone", "/opt/ml/state": "beside", "/tmp/state": "elsewhere"}


@pytest.mark.parametrize("local", NAMES)
def test_a_training_job_on_its_own_goes_on_where_the_last_one_ended(sagemaker, served, s3, code, local):
    name = NAMES[local]
    if local:
        need_sandbox()
    s3.put_object(Bucket="checkpoints", Key=f"{name}/old", Body=b"x")
    program = {"sagemaker_program": code.name, "sagemaker_submit_directory": code.parent.as_uri()}
    request = {
        "TrainingJobName": f"{name}-1",
        "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        "RoleArn": "arn:aws:iam::000000000000:role/any",
        "OutputDataConfig": {"S3OutputPath": "file:///"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        "HyperParameters": program,
        "Environment": {"CHECKPOINTS": local} if local else {},
        "CheckpointConfig": {"S3Uri": f"s3://checkpoints/{name}", **({"LocalPath": local} if local else {})},
    }
    sagemaker.create_training_job(**request)
    waiter = sagemaker.get_waiter("training_job_completed_or_stopped")
    waiter.wait(TrainingJobName=f"{name}-1", WaiterConfig={"Delay": 1})
    assert found_by(served, f"{name}-1") == "old"
    assert keys(s3, name) == [f"{name}/deep/new"]


def test_a_place_that_cannot_be_is_refused(sagemaker, make, code):
    with pytest.raises(ClientError, match="a plain process has no /opt/ml/state of its own"):
        request = asked(make, code, "bad-path", S3Uri="s3://checkpoints/x", LocalPath="/opt/ml/state")
        sagemaker.create_hyper_parameter_tuning_job(**request)
    with pytest.raises(ClientError, match=r"CheckpointConfig\.S3Uri: nothing can be stored at 'https://x'"):
        request = asked(make, code, "bad-uri", S3Uri="https://x")
        sagemaker.create_hyper_parameter_tuning_job(**request)

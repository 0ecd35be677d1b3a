"""The clients against a server with keys: what each of them signs, in its own way, is verified in full."""

from __future__ import annotations

import urllib.request

import pytest

from tests.aws.conftest import make, script, until
from tests.aws.test_keys import Locked

__all__ = ["make", "script"]  # fixtures

pytestmark = pytest.mark.clients


@pytest.fixture(scope="module")
def locked(tmp_path_factory):
    server = Locked(tmp_path_factory.mktemp("locked"))
    yield server
    server.end()


@pytest.fixture
def signing(flow, locked):
    """Runs a flow with the server's key, or another secret."""

    def run(environment, name, *, secret=locked.key[1]):
        return flow(
            environment,
            name,
            AWS_ENDPOINT_URL=locked.url,
            AWS_ACCESS_KEY_ID=locked.key[0],
            AWS_SECRET_ACCESS_KEY=secret,
        )

    return run


@pytest.mark.parametrize("version", ["2", "3"])
def test_the_sdks_tune_with_a_key(signing, version):
    told = signing(f"sdk{version}", f"sdk{version}_first.py")
    assert told["status"] == "Completed"
    assert told["best"] in {row["TrainingJobName"] for row in told["rows"]}


def test_the_cli_does_everything_with_a_key(signing):
    told = signing("aws", "aws_cli.py")
    assert told["told"]["HyperParameterTuningJobStatus"] == "Completed"
    assert told["model"] == ["model.json"]


def test_boto3_tunes_with_a_key(locked, make):
    sagemaker, s3 = locked.client(), locked.client("s3")
    s3.create_bucket(Bucket="models")
    asked = make("with-a-key")
    asked["TrainingJobDefinition"]["OutputDataConfig"]["S3OutputPath"] = "s3://models"
    sagemaker.create_hyper_parameter_tuning_job(**asked)
    told = until(sagemaker, "with-a-key")
    assert told["HyperParameterTuningJobStatus"] == "Completed"
    best = told["BestTrainingJob"]["TrainingJobName"]
    sagemaker.get_waiter("training_job_completed_or_stopped").wait(TrainingJobName=best)
    model = sagemaker.describe_training_job(TrainingJobName=best)["ModelArtifacts"]["S3ModelArtifacts"]
    where = {"Bucket": "models", "Key": model.removeprefix("s3://models/")}
    with urllib.request.urlopen(s3.generate_presigned_url("get_object", Params=where)) as answer:
        assert len(answer.read()) == s3.head_object(**where)["ContentLength"]


def test_another_secret_gets_nowhere(signing):
    with pytest.raises(AssertionError, match="SignatureDoesNotMatch"):
        signing("aws", "aws_cli.py", secret="x" * 40)

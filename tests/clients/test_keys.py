"""The server of these tests asks for signatures: what each client signs in its own way is verified in full."""

from __future__ import annotations

import json
import urllib.request

import boto3
import pytest

from tests.aws.conftest import make, script, until

__all__ = ["make", "script"]  # fixtures

pytestmark = pytest.mark.clients


def test_boto3_signs_and_so_do_links_to_objects(served, make):
    variables = json.loads(served.cli("client", "--json"))
    key = {name.lower(): variables[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    sagemaker, s3 = (boto3.client(name, "us-east-1", endpoint_url=served.url, **key) for name in ("sagemaker", "s3"))
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


def test_another_secret_gets_nowhere(flow):
    with pytest.raises(AssertionError, match="SignatureDoesNotMatch"):
        flow("aws", "aws_cli.py", AWS_SECRET_ACCESS_KEY="x" * 40)

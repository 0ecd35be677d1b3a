"""What notebooks ask for besides tuning, by boto3 on a live server: hosting, roles, log groups, metrics of their own."""

from __future__ import annotations

import urllib.error
import urllib.request

import pytest
from botocore.exceptions import ClientError


@pytest.fixture(scope="module")
def served(shared_server):
    return shared_server


def said(operation, **words):
    with pytest.raises(ClientError) as error:
        operation(**words)
    assert error.value.response["Error"]["Code"] == "UnknownOperationException"
    return error.value.response["Error"]["Message"]


def test_an_operation_that_is_not_here_says_what_it_is_and_where_the_model_lies(served, sagemaker):
    container = {"Image": "any", "ModelDataUrl": "s3://models/best/output/model.tar.gz"}
    message = said(
        sagemaker.create_model, ModelName="m", PrimaryContainer=container, ExecutionRoleArn=f"arn:{'a' * 20}"
    )
    assert "'CreateModel': it is part of SageMaker's hosting of models. alfine trains and tunes" in message
    assert "lies at s3://models/best/output/model.tar.gz: `aws s3 cp` fetches it." in message
    assert "ModelArtifacts.S3ModelArtifacts" in said(sagemaker.delete_endpoint, EndpointName="e")
    assert "processing jobs" in said(sagemaker.describe_processing_job, ProcessingJobName="p")
    assert "pipelines" in said(sagemaker.start_pipeline_execution, PipelineName="p")
    assert "part of" not in said(sagemaker.get_search_suggestions, Resource="TrainingJob")
    runtime = served.client("sagemaker-runtime")
    assert "alfine hosts none" in said(runtime.invoke_endpoint, EndpointName="e", Body=b"1,2")


def test_lists_of_what_never_exists_here_are_empty(served, sagemaker):
    assert sagemaker.list_endpoints()["Endpoints"] == []
    assert sagemaker.list_models(NameContains="any")["Models"] == []
    assert next(iter(sagemaker.get_paginator("list_processing_jobs").paginate()))["ProcessingJobSummaries"] == []
    assert "pipelines" in said(sagemaker.list_pipeline_executions, PipelineName="none")
    assert served.client("iam").list_users()["Users"] == []
    with pytest.raises(ClientError, match="ValidationException"):
        sagemaker.list_models(NameContains="!")


def test_roles_and_log_groups_are_listed(served):
    iam, logs = served.client("iam"), served.client("logs")
    (role,) = iam.list_roles()["Roles"]
    assert iam.get_role(RoleName=role["RoleName"])["Role"]["Arn"] == role["Arn"]
    assert iam.list_roles(PathPrefix="/service-role/")["Roles"] == []
    (group,) = logs.describe_log_groups(logGroupNamePrefix="/aws/sagemaker/")["logGroups"]
    assert "logStreams" in logs.describe_log_streams(logGroupName=group["logGroupName"])
    assert logs.describe_log_groups(logGroupNamePrefix="/aws/lambda/")["logGroups"] == []


def test_metrics_and_profilers_of_notebooks_are_accepted(served, sagemaker, make, tmp_path):
    data = [{"MetricName": "accuracy", "Value": 0.5}]
    assert served.client("cloudwatch").put_metric_data(Namespace="own", MetricData=data)
    with pytest.raises(ClientError, match="Requested resource not found"):
        sagemaker.update_training_job(TrainingJobName="none")


def test_a_bucket_of_ones_own_is_made_again_in_the_first_region(served):
    s3 = served.client("s3")
    s3.create_bucket(Bucket="twice")
    s3.put_object(Bucket="twice", Key="k", Body=b"kept")
    s3.create_bucket(Bucket="twice")
    assert s3.get_object(Bucket="twice", Key="k")["Body"].read() == b"kept"
    with pytest.raises(ClientError, match="BucketAlreadyOwnedByYou"):
        s3.create_bucket(Bucket="twice", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})


def test_an_operation_of_the_query_protocol_that_is_not_there_is_told_in_xml(served):
    words = {"Content-Type": "application/x-www-form-urlencoded"}
    form = b"Action=GetNothing&Version=2011-06-15"
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(urllib.request.Request(served.url, form, words))
    with refused.value as answer:
        assert answer.code == 400
        assert "<Code>UnknownOperationException</Code>" in answer.read().decode()

"""A training job on its own: CreateTrainingJob and what follows, by boto3 against a live server."""

import contextlib
import os
import signal
import sqlite3
import time
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from alfine.jobs.describe import transitions
from tests.aws.conftest import PATIENCE_SECONDS, Served, until
from tests.building import at

ROLE = "arn:aws:iam::000000000000:role/trainer"


@pytest.fixture(scope="module")
def asked(script):
    """A function of a name and members: a CreateTrainingJob request for the script."""

    def asked(name, hyperparameters=None, **members):
        static = {"sagemaker_program": '"train.py"', "sagemaker_submit_directory": f'"{script.parent.as_uri()}"'}
        return {
            "TrainingJobName": name,
            "AlgorithmSpecification": {
                "TrainingImage": "image",
                "TrainingInputMode": "File",
                "MetricDefinitions": [{"Name": "loss", "Regex": "loss=([0-9.]+)"}],
            },
            "HyperParameters": {**static, "x": "0.50", "n": "3", **(hyperparameters or {})},
            "RoleArn": ROLE,
            "OutputDataConfig": {"S3OutputPath": "s3://alone/models"},
            "ResourceConfig": {"InstanceType": "local", "InstanceCount": 1, "VolumeSizeInGB": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": 600},
            **members,
        }

    return asked


def described(client, name):
    return client.describe_training_job(TrainingJobName=name)


def ended(client, name):
    """Describe a training job once it has ended."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (told := described(client, name))["TrainingJobStatus"] in ("InProgress", "Stopping"):
        assert time.monotonic() < deadline, told
        time.sleep(0.02)
    return told


@pytest.fixture(scope="module")
def trained(sagemaker, asked):
    request = asked(
        "By-Itself-1",
        Tags=[{"Key": "team", "Value": "fine"}],
        Environment={"COLOUR": "blue"},
        ExperimentConfig={"ExperimentName": "first"},
        DebugHookConfig={"S3OutputPath": "s3://alone/debug"},
        RetryStrategy={"MaximumRetryAttempts": 2},
        ResourceConfig={
            "InstanceType": "local",
            "InstanceCount": 1,
            "VolumeSizeInGB": 1,
            "KeepAlivePeriodInSeconds": 60,
            "VolumeKmsKeyId": "key",
        },
        VpcConfig={"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]},
        TensorBoardOutputConfig={"S3OutputPath": "s3://alone/board"},
        ProfilerConfig={"DisableProfiler": True},
        RemoteDebugConfig={"EnableRemoteDebug": False},
    )
    arn = sagemaker.create_training_job(**request)["TrainingJobArn"]
    assert arn == "arn:aws:sagemaker:us-east-1:000000000000:training-job/by-itself-1"
    assert described(sagemaker, "By-Itself-1")["TrainingJobStatus"] in ("InProgress", "Completed")  # at once
    sagemaker.get_waiter("training_job_completed_or_stopped").wait(
        TrainingJobName="By-Itself-1", WaiterConfig={"Delay": 1}
    )
    return request, ended(sagemaker, "By-Itself-1")


def test_it_trains_and_is_described_as_it_was_asked_for(trained):
    request, told = trained
    assert (told["TrainingJobStatus"], told["SecondaryStatus"]) == ("Completed", "Completed")
    unchanged = ("HyperParameters", "RoleArn", "ResourceConfig", "StoppingCondition", "Environment", "RetryStrategy")
    without_effect = ("ExperimentConfig", "DebugHookConfig", "VpcConfig", "TensorBoardOutputConfig", "ProfilerConfig")
    for member in (*unchanged, *without_effect, "RemoteDebugConfig", "AlgorithmSpecification"):
        assert told[member] == request[member], member
    assert told["OutputDataConfig"]["S3OutputPath"] == "s3://alone/models"
    assert told["FinalMetricDataList"][0]["MetricName"] == "loss"
    assert told["FinalMetricDataList"][0]["Value"] == 3.5
    assert "TuningJobArn" not in told
    assert "FailureReason" not in told
    assert told["TrainingTimeInSeconds"] == told["BillableTimeInSeconds"] >= 1


def test_its_secondary_statuses_follow_each_other_in_time(trained):
    _, told = trained
    steps = told["SecondaryStatusTransitions"]
    assert [step["Status"] for step in steps] == ["Starting", "Training", "Uploading", "Completed"]
    times = [time for step in steps for time in (step["StartTime"], step["EndTime"])]
    assert times == sorted(times)
    assert (steps[0]["StartTime"], steps[1]["StartTime"]) == (told["CreationTime"], told["TrainingStartTime"])
    assert steps[2]["StartTime"] == told["TrainingEndTime"] <= steps[3]["EndTime"] == told["LastModifiedTime"]


def test_its_model_lies_where_describe_says(served, trained):
    bucket, _, key = trained[1]["ModelArtifacts"]["S3ModelArtifacts"].removeprefix("s3://").partition("/")
    assert key == "models/By-Itself-1/output/model.tar.gz"
    assert served.client("s3").head_object(Bucket=bucket, Key=key)["ContentLength"] > 0


def test_its_tags_log_and_metrics_are_found(served, sagemaker, trained):
    assert sagemaker.list_tags(ResourceArn=trained[1]["TrainingJobArn"])["Tags"] == [{"Key": "team", "Value": "fine"}]
    logs, group = served.client("logs"), "/aws/sagemaker/TrainingJobs"
    stream = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix="By-Itself-1/")["logStreams"][0]
    events = logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True)
    assert "loss=3.5" in [event["message"] for event in events["events"]]
    dimensions = [{"Name": "TrainingJobName", "Value": "By-Itself-1"}]
    listed = served.client("cloudwatch").list_metrics(Namespace=group, Dimensions=dimensions)["Metrics"]
    assert [each["MetricName"] for each in listed] == ["loss"]


def test_it_is_listed_among_training_jobs_and_no_tuning_job_shows_it(sagemaker, trained):
    rows = sagemaker.list_training_jobs(NameContains="by-itself-1", SortBy="Name")["TrainingJobSummaries"]
    assert [row["TrainingJobName"] for row in rows] == ["By-Itself-1"]
    pages = sagemaker.get_paginator("list_hyper_parameter_tuning_jobs").paginate()
    names = [row["HyperParameterTuningJobName"] for page in pages for row in page["HyperParameterTuningJobSummaries"]]
    assert not [name for name in names if "lone" in name]
    with pytest.raises(sagemaker.exceptions.ResourceNotFound):
        sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName="By-Itself-1")


def test_its_program_is_told_its_own_arn(sagemaker, asked, tmp_path):
    arn = "arn:aws:sagemaker:us-east-1:000000000000:training-job/told"
    words = f'["/bin/sh", "-c", "test $TRAINING_JOB_NAME = told && test $TRAINING_JOB_ARN = {arn}"]'
    sagemaker.create_training_job(
        **asked("told", {"alfine_command": words}, OutputDataConfig={"S3OutputPath": tmp_path.as_uri()})
    )
    told = ended(sagemaker, "told")
    assert told["TrainingJobStatus"] == "Completed", told["FailureReason"]
    assert told["TrainingJobArn"] == arn


def test_a_taken_name_is_in_use_in_letters_of_any_case(sagemaker, asked, trained):
    with pytest.raises(sagemaker.exceptions.ResourceInUse, match="already exists"):
        sagemaker.create_training_job(**asked("BY-ITSELF-1"))


def test_names_of_tuning_jobs_and_of_training_jobs_are_apart(sagemaker, make, asked, trained):
    sagemaker.create_hyper_parameter_tuning_job(**make("By-Itself-1", max_training_jobs=1))
    rows = until(sagemaker, "By-Itself-1")["TrainingJobStatusCounters"]
    assert rows["Completed"] == 1


def test_a_name_that_a_running_tuning_job_may_give_is_in_use(sagemaker, make, asked):
    sagemaker.create_hyper_parameter_tuning_job(**make("Busy", static={"wait": "600"}, grace_seconds=5))
    with pytest.raises(sagemaker.exceptions.ResourceInUse, match="the running tuning job gives"):
        sagemaker.create_training_job(**asked("busy-007-0123abcd"))
    rows: list = []
    while not rows:
        listed = sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(HyperParameterTuningJobName="Busy")
        rows = listed["TrainingJobSummaries"]
    with pytest.raises(sagemaker.exceptions.ResourceInUse, match="Stop it first"):
        sagemaker.delete_training_job(TrainingJobName=rows[0]["TrainingJobName"])
    sagemaker.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName="Busy")


def test_it_is_stopped(sagemaker, asked):
    sagemaker.create_training_job(
        **asked("halted-alone", {"wait": "600"}, Tags=[{"Key": "alfine:grace-seconds", "Value": "5"}])
    )
    with pytest.raises(sagemaker.exceptions.ResourceInUse, match="Stop it first"):
        sagemaker.delete_training_job(TrainingJobName="halted-alone")
    sagemaker.stop_training_job(TrainingJobName="halted-alone")
    told = ended(sagemaker, "halted-alone")
    assert (told["TrainingJobStatus"], told["SecondaryStatus"]) == ("Stopped", "Stopped")
    assert "Stopping" in [step["Status"] for step in told["SecondaryStatusTransitions"]]
    with pytest.raises(ClientError, match="in status Stopped"):
        sagemaker.stop_training_job(TrainingJobName="halted-alone")


def test_its_own_time_limit_stops_it(sagemaker, asked):
    request = asked("limited", {"wait": "600"}, StoppingCondition={"MaxRuntimeInSeconds": 1})
    sagemaker.create_training_job(**request)
    told = ended(sagemaker, "limited")
    assert (told["TrainingJobStatus"], told["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")


def test_one_that_fails_says_why(sagemaker, asked):
    sagemaker.create_training_job(**asked("failing", {"alfine_command": '["/bin/sh", "-c", "echo no data; exit 3"]'}))
    told = ended(sagemaker, "failing")
    assert (told["TrainingJobStatus"], told["SecondaryStatus"]) == ("Failed", "Failed")
    assert "exit code: 3" in told["FailureReason"]
    assert "no data" in told["FailureReason"]


def test_one_without_metrics_completes(sagemaker, asked):
    request = asked("silent")
    del request["AlgorithmSpecification"]["MetricDefinitions"]
    sagemaker.create_training_job(**request)
    told = ended(sagemaker, "silent")
    assert told["TrainingJobStatus"] == "Completed"
    assert "FinalMetricDataList" not in told
    assert "FailureReason" not in told


def test_a_deleted_one_is_gone_and_its_name_is_free(sagemaker, asked):
    with pytest.raises(sagemaker.exceptions.ResourceNotFound):
        sagemaker.delete_training_job(TrainingJobName="twice")
    for number in ("1", "2"):
        sagemaker.create_training_job(**asked("twice", {"n": number}))
        assert ended(sagemaker, "twice")["FinalMetricDataList"][0]["Value"] == 0.5 + int(number)  # a run of its own
        sagemaker.delete_training_job(TrainingJobName="twice")
        with pytest.raises(ClientError, match=r"Requested resource not found\."):
            described(sagemaker, "twice")
    assert not sagemaker.list_training_jobs(NameContains="twice")["TrainingJobSummaries"]


def test_a_training_job_is_deleted_after_its_tuning_job(sagemaker, make):
    sagemaker.create_hyper_parameter_tuning_job(**make("detached-one", max_training_jobs=1))
    until(sagemaker, "detached-one")
    rows = sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(HyperParameterTuningJobName="detached-one")
    name = rows["TrainingJobSummaries"][0]["TrainingJobName"]
    with pytest.raises(sagemaker.exceptions.ResourceInUse, match="Delete the tuning job first"):
        sagemaker.delete_training_job(TrainingJobName=name)
    sagemaker.delete_hyper_parameter_tuning_job(HyperParameterTuningJobName="detached-one")
    assert described(sagemaker, name)["TrainingJobStatus"] == "Completed"
    sagemaker.delete_training_job(TrainingJobName=name)
    with pytest.raises(ClientError, match=r"Requested resource not found\."):
        described(sagemaker, name)


def test_faults_are_named_all_at_once_by_the_paths_of_the_request(sagemaker, asked, tmp_path):
    request = asked("faulty", {"sagemaker_program": "none.py"}, EnableNetworkIsolation=False)
    request["AlgorithmSpecification"]["MetricDefinitions"] = [{"Name": "loss", "Regex": "loss="}]
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": (tmp_path / "nothing").as_uri()}}
    request["InputDataConfig"] = [{"ChannelName": "train", "DataSource": source}]
    with pytest.raises(ClientError, match="has no group") as caught:
        sagemaker.create_training_job(**request)
    assert "TrainingJobDefinition" not in str(caught.value)
    request["AlgorithmSpecification"]["MetricDefinitions"] = []
    with pytest.raises(ClientError, match=r"HyperParameters\.sagemaker_program: (?s:.)*InputDataConfig \(train\): "):
        sagemaker.create_training_job(**request)
    with pytest.raises(ClientError):
        described(sagemaker, "faulty")


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("AlgorithmSpecification", None),
        ("ResourceConfig", None),
        ("StoppingCondition", None),
        (
            "ServerlessJobConfig",
            {"BaseModelArn": "arn:aws:sagemaker:us-east-1:aws:hub-content/a/Model/b", "JobType": "FineTuning"},
        ),
        ("MlflowConfig", {"MlflowResourceArn": "arn:aws:sagemaker:us-east-1:000000000000:mlflow-app/a"}),
        ("SessionChainingConfig", {"EnableSessionTagChaining": True}),
        (
            "ResourceConfig",
            {"InstanceGroups": [{"InstanceType": "local", "InstanceCount": 1, "InstanceGroupName": "a"}]},
        ),
        ("Tags", [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]),
    ],
)
def test_what_would_silently_be_otherwise_is_refused(sagemaker, asked, member, value):
    request = asked("refused", **({} if value is None else {member: value}))
    if value is None:
        del request[member]
    with pytest.raises(ClientError, match=member) as caught:
        sagemaker.create_training_job(**request)
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    assert not sagemaker.list_training_jobs(NameContains="refused")["TrainingJobSummaries"]


def test_one_that_a_killed_server_left_is_found_again(tmp_path, asked):
    first = Served(tmp_path)
    client = first.client()
    client.create_training_job(**asked("carried-alone", {"wait": "2"}))
    while "TrainingStartTime" not in described(client, "carried-alone"):
        time.sleep(0.02)
    os.kill(first.process.pid, signal.SIGKILL)
    first.process.communicate()
    second = Served(tmp_path)
    client = second.client()
    assert ended(client, "carried-alone")["TrainingJobStatus"] == "Completed"
    assert second.end() == 0
    with contextlib.closing(sqlite3.connect(tmp_path / "alfine.db")) as database:
        assert database.execute("SELECT count(*) FROM training_jobs").fetchone() == (1,)


def test_one_that_was_created_and_never_started_is_started_by_the_next_server(tmp_path, asked):
    from alfine.jobs.home import Home

    with Home(tmp_path) as home:  # nobody runs anything here
        home.service.create_training_job(asked("left"))
        assert home.store.unfinished()[0].startswith("@left-")
        assert home.store.list() == ()
    server = Served(tmp_path)
    assert ended(server.client(), "left")["TrainingJobStatus"] == "Completed"
    server.end()


START = """#!/bin/bash
python3 /opt/ml/input/data/code/own.py "$(command -v python3)"
"""
OWN = """
import json, sys
words = json.load(open("/opt/ml/input/config/hyperparameters.json"))
open("/opt/ml/input/data/code/beside", "w").write("written")
print(f"loss={words['x']}" if sys.executable == sys.argv[1] else sys.argv)
"""


@pytest.fixture
def driven(asked, tmp_path):
    """A function of a name and members: a request as the SDK 3 makes it, with a script and its driver in channels."""
    for name, text in (("sm_drivers/start.sh", START), ("code/own.py", OWN)):
        path = tmp_path / name
        path.parent.mkdir()
        path.write_text(text)

    def driven(name, **members):
        request = asked(name, **members)
        request["HyperParameters"] = {"x": "0.25"}
        drivers = "/opt/ml/input/data/sm_drivers"
        request["AlgorithmSpecification"] |= {
            "ContainerEntrypoint": ["/bin/bash"],
            "ContainerArguments": ["-c", f"chmod +x {drivers}/start.sh && {drivers}/start.sh"],
        }
        request["InputDataConfig"] = [
            {
                "ChannelName": channel,
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": (tmp_path / channel).as_uri()}},
            }
            for channel in ("code", "sm_drivers")
        ]
        return request

    return driven


@pytest.mark.usefixtures("a_sandbox")
def test_an_entry_point_of_its_own_starts_a_script_from_channels_that_it_may_change(sagemaker, driven, tmp_path):
    sagemaker.create_training_job(**driven("driven"))
    told = ended(sagemaker, "driven")
    assert told["TrainingJobStatus"] == "Completed", told
    assert told["FinalMetricDataList"][0]["Value"] == 0.25
    assert not (tmp_path / "code" / "beside").exists()
    assert not os.access(tmp_path / "sm_drivers" / "start.sh", os.X_OK)


def test_a_plain_process_is_refused_an_entry_point(sagemaker, driven):
    tags = [{"Key": "alfine:runner", "Value": "process"}]
    with pytest.raises(ClientError, match="ContainerEntrypoint expects /opt/ml, which a plain process doesn't have"):
        sagemaker.create_training_job(**driven("undriven", Tags=tags))


@given(data=st.data())
def test_secondary_statuses_follow_each_other_whenever_a_stop_was_asked_for(data):
    """A stop may be asked for before the program began, and after it ended, which nobody had seen."""
    moments = st.none() | st.integers(0, 9).map(at)
    begun = data.draw(moments)
    ended = data.draw(st.none() | st.integers(0 if begun is None else begun.second, 9).map(at))
    uploaded = data.draw(st.just(None) if ended is None else st.none() | st.integers(ended.second, 9).map(at))
    status = data.draw(
        st.sampled_from(["InProgress", "Stopping"] if ended is None else ["Completed", "Stopped", "Failed"])
    )
    names = ("created_at", "started_at", "stop_asked_at", "ended_at", "uploaded_at", "status")
    row = SimpleNamespace(**dict(zip(names, (at(0), begun, data.draw(moments), ended, uploaded, status), strict=True)))
    row.pending = data.draw(st.none() | st.just("needs 1 GPU"))
    steps = transitions(row)
    times = [time for step in steps for time in (step.started_at, step.ended_at) if time is not None]
    assert times == sorted(times)
    assert (steps[-1].ended_at is None) == (ended is None)

"""boto3, unmodified, against a live server that really trains."""

import json
import sys
import urllib.error
import urllib.request
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError

from alfine import ConvergenceDetected, Shadow
from tests.aws.conftest import Served, until


@pytest.fixture(scope="module")
def served(own_server):
    return own_server


@pytest.fixture(scope="module")
def ended(sagemaker, script):
    from alfine import Continuous, Integer
    from alfine.api.job_words import job_request
    from alfine.core.settings import without_order

    space = {"x": Continuous(0, 1), "n": Integer(1, 9)}
    words = {"metric": "loss", "strategy": "Random", "max_training_jobs": 12, "max_parallel": 3}
    request = without_order(job_request(name="ended", space=space, script=script, **words))
    arn = sagemaker.create_hyper_parameter_tuning_job(**request, Tags=[{"Key": "team", "Value": "fine"}])
    told = until(sagemaker, "ended")
    assert told["HyperParameterTuningJobArn"] == arn["HyperParameterTuningJobArn"]
    return told


def test_a_tuning_job_trains_and_completes(ended):
    assert ended["HyperParameterTuningJobStatus"] == "Completed"
    assert ended["TrainingJobStatusCounters"]["Completed"] == 12
    assert ended["ObjectiveStatusCounters"] == {"Succeeded": 12, "Pending": 0, "Failed": 0}
    assert ended["HyperParameterTuningEndTime"] >= ended["CreationTime"]
    definition = ended["TrainingJobDefinition"]
    assert definition["StaticHyperParameters"]["_tuning_objective_metric"] == "loss"
    assert definition["EnableManagedSpotTraining"] is False
    lists = ended["HyperParameterTuningJobConfig"]["ParameterRanges"]
    assert set(lists) == {"IntegerParameterRanges", "ContinuousParameterRanges", "CategoricalParameterRanges"}


def test_the_best_training_job_is_the_best(sagemaker, ended):
    best = ended["BestTrainingJob"]
    values = best["TunedHyperParameters"]
    objective = best["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]
    assert objective == pytest.approx(float(values["x"]) + int(values["n"]))
    rows = sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(
        HyperParameterTuningJobName="ended", SortBy="FinalObjectiveMetricValue", MaxResults=1
    )["TrainingJobSummaries"]
    assert rows[0]["TrainingJobName"] == best["TrainingJobName"]


def test_paginators_see_every_training_job_once(sagemaker, ended):
    pages = sagemaker.get_paginator("list_training_jobs_for_hyper_parameter_tuning_job")
    found = pages.paginate(HyperParameterTuningJobName="ended", PaginationConfig={"PageSize": 5})
    names = [row["TrainingJobName"] for page in found for row in page["TrainingJobSummaries"]]
    assert len(names) == len(set(names)) == 12
    assert names == sorted(names)


def test_a_page_token_of_another_call_is_refused(sagemaker, ended):
    first = sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(
        HyperParameterTuningJobName="ended", MaxResults=5
    )
    with pytest.raises(ClientError, match="Invalid pagination token because"):
        sagemaker.list_hyper_parameter_tuning_jobs(NextToken=first["NextToken"])


def test_lists_filter_by_name_and_status(sagemaker, ended):
    rows = sagemaker.list_hyper_parameter_tuning_jobs(NameContains="nde", StatusEquals="Completed")
    assert [row["HyperParameterTuningJobName"] for row in rows["HyperParameterTuningJobSummaries"]] == ["ended"]
    assert sagemaker.list_hyper_parameter_tuning_jobs(StatusEquals="Failed")["HyperParameterTuningJobSummaries"] == []


def test_a_training_job_is_described_and_waited_for(sagemaker, ended):
    name = ended["BestTrainingJob"]["TrainingJobName"]
    sagemaker.get_waiter("training_job_completed_or_stopped").wait(TrainingJobName=name)
    told = sagemaker.describe_training_job(TrainingJobName=name)
    assert (told["TrainingJobStatus"], told["SecondaryStatus"]) == ("Completed", "Completed")
    assert told["HyperParameters"]["_tuning_objective_metric"] == "loss"
    assert told["FinalMetricDataList"][0]["MetricName"] == "loss"
    assert told["TuningJobArn"] == ended["HyperParameterTuningJobArn"]


def test_tags_are_kept_and_copied_to_training_jobs(sagemaker, ended):
    arn = ended["BestTrainingJob"]["TrainingJobArn"]
    assert {"Key": "team", "Value": "fine"} in sagemaker.list_tags(ResourceArn=arn)["Tags"]
    job = ended["HyperParameterTuningJobArn"]
    sagemaker.add_tags(ResourceArn=job, Tags=[{"Key": "more", "Value": "1"}])
    assert {tag["Key"] for tag in sagemaker.list_tags(ResourceArn=job)["Tags"]} >= {"team", "more"}
    sagemaker.delete_tags(ResourceArn=job, TagKeys=["more"])
    assert "more" not in {tag["Key"] for tag in sagemaker.list_tags(ResourceArn=job)["Tags"]}


def test_a_running_tuning_job_is_stopped(sagemaker, make):
    sagemaker.create_hyper_parameter_tuning_job(**make("halted", static={"wait": "600"}, grace_seconds=5))
    with pytest.raises(ClientError, match="not in a terminal state"):
        sagemaker.delete_hyper_parameter_tuning_job(HyperParameterTuningJobName="halted")
    sagemaker.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName="halted")
    told = until(sagemaker, "halted", "Stopped", leaves=False)
    assert told["TrainingJobStatusCounters"]["Completed"] == 0
    with pytest.raises(ClientError, match="already"):
        sagemaker.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName="halted")


def test_one_training_job_is_stopped_and_the_tuning_job_goes_on(sagemaker, make):
    sagemaker.create_hyper_parameter_tuning_job(
        **make("less", static={"wait": "600"}, grace_seconds=5, max_training_jobs=1, max_parallel=1)
    )
    rows: list = []
    while not rows:
        listed = sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(HyperParameterTuningJobName="less")
        rows = listed["TrainingJobSummaries"]
    sagemaker.stop_training_job(TrainingJobName=rows[0]["TrainingJobName"])
    told = until(sagemaker, "less")
    assert told["HyperParameterTuningJobStatus"] in ("Completed", "Failed")
    assert told["TrainingJobStatusCounters"]["Stopped"] == 1


def test_a_deleted_tuning_job_is_gone(sagemaker, make):
    sagemaker.create_hyper_parameter_tuning_job(**make("gone", max_training_jobs=1))
    until(sagemaker, "gone")
    sagemaker.delete_hyper_parameter_tuning_job(HyperParameterTuningJobName="gone")
    with pytest.raises(sagemaker.exceptions.ResourceNotFound, match="can't find a tuning job called gone"):
        sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName="gone")


def test_a_taken_name_is_in_use(sagemaker, make, ended):
    with pytest.raises(sagemaker.exceptions.ResourceInUse, match="already exists. Choose a different name"):
        sagemaker.create_hyper_parameter_tuning_job(**make("Ended"))


def test_what_contradicts_itself_is_a_validation_exception_and_nothing_is_stored(sagemaker, make):
    request = make("broken")
    request["HyperParameterTuningJobConfig"]["HyperParameterTuningJobObjective"]["MetricName"] = "auc"
    with pytest.raises(
        ClientError, match="A metric is required for this hyperparameter tuning job objective"
    ) as caught:
        sagemaker.create_hyper_parameter_tuning_job(**request)
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    with pytest.raises(sagemaker.exceptions.ResourceNotFound):
        sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName="broken")


def test_an_operation_that_is_not_there_says_so(sagemaker):
    with pytest.raises(ClientError) as caught:
        sagemaker.describe_model(ModelName="any")
    assert caught.value.response["Error"]["Code"] == "UnknownOperationException"


def test_logs_are_read_through_cloudwatch(served, ended):
    logs, group = served.client("logs"), "/aws/sagemaker/TrainingJobs"
    name = ended["BestTrainingJob"]["TrainingJobName"]
    streams = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{name}/")["logStreams"]
    events = logs.get_log_events(logGroupName=group, logStreamName=streams[0]["logStreamName"], startFromHead=True)
    assert any(event["message"].startswith("loss=") for event in events["events"])


def test_logs_are_read_page_by_page_to_an_end(served, ended):
    logs, group = served.client("logs"), "/aws/sagemaker/TrainingJobs"
    found, words = [], {}
    while words.get("nextToken", "") is not None:  # a token after the last page would keep the SDK asking for ever
        page = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix="ended-", limit=5, **words)
        assert len(page["logStreams"]) <= 5
        found += [each["logStreamName"] for each in page["logStreams"]]
        words = {"nextToken": page.get("nextToken")}
    assert len(found) == len(set(found)) == 12
    stream = {"logGroupName": group, "logStreamName": found[0], "startFromHead": True}
    first = logs.get_log_events(**stream)
    again = logs.get_log_events(**stream, nextToken=first["nextForwardToken"])
    assert (again["events"], again["nextForwardToken"]) == (
        [],
        first["nextForwardToken"],
    )  # how CloudWatch says the end


LOG = """
import sys
print("loss=1")
for i in range(30_000):
    print("line", i, 40 * "y")
sys.stdout.write("end")
"""


@pytest.fixture(scope="module")
def logged(served, sagemaker, script):
    """The words that name the log of a training job: loss=1, line 0, … line 29999, and a last line that nothing ends."""
    from alfine import Continuous
    from alfine.api.job_words import job_request

    definition = job_request(name="any", space={"x": Continuous(0, 1)}, script=script, metric="loss")[
        "TrainingJobDefinition"
    ]
    del definition["StaticHyperParameters"]
    words = {"alfine_command": json.dumps([sys.executable, "-c", LOG])}
    sagemaker.create_training_job(TrainingJobName="logged", HyperParameters=words, **definition)
    waiter = sagemaker.get_waiter("training_job_completed_or_stopped")
    waiter.config.delay = 1
    waiter.wait(TrainingJobName="logged")
    group = {"logGroupName": "/aws/sagemaker/TrainingJobs"}
    stream = served.client("logs").describe_log_streams(**group, logStreamNamePrefix="logged/")["logStreams"][0]
    return {**group, "logStreamName": stream["logStreamName"]}


def test_a_log_is_read_from_its_end_back_to_its_beginning(served, logged):
    logs, pages, words = served.client("logs"), [], {}
    while not pages or pages[0]:
        page = logs.get_log_events(**logged, limit=7_000, **words)
        pages.insert(0, [event["message"] for event in page["events"]])
        words = {"nextToken": page["nextBackwardToken"]}
    assert len(pages) > 3
    lines = [line for page in pages for line in page]
    assert (lines[0], lines[-1]) == ("loss=1", "end")
    assert [line.split()[1] for line in lines[1:-1]] == [*map(str, range(30_000))]
    assert page["nextBackwardToken"] == words["nextToken"]  # how CloudWatch says the beginning


def test_without_a_token_the_last_lines_of_a_log_are_told(served, logged):
    last = served.client("logs").get_log_events(**logged, limit=2)
    assert [event["message"].split()[:2] for event in last["events"]] == [["line", "29999"], ["end"]]


def test_a_token_beyond_the_end_of_a_log_that_was_truncated_begins_anew(served, logged):
    page = served.client("logs").get_log_events(**logged, limit=1, nextToken="f/999999999")
    assert [event["message"] for event in page["events"]] == ["loss=1"]


def test_filtered_events_go_on_where_a_page_ended(served, logged):
    logs, group = served.client("logs"), logged["logGroupName"]
    found = logs.get_paginator("filter_log_events").paginate(
        logGroupName=group, logStreamNamePrefix="logged/", filterPattern="line", PaginationConfig={"PageSize": 9_000}
    )
    lines = [event["message"].split()[1] for page in found for event in page["events"]]
    assert lines == [*map(str, range(30_000))]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ('"line 77 "', {"line 77"}),
        ("line 7776 -17776 -27776", {"line 7776"}),
        ("?loss ?end", {"loss=1", "end"}),
        ("end line", set()),
    ],
)
def test_a_filter_pattern_is_of_words_and_phrases(served, logged, pattern, found):
    words = {"logGroupName": logged["logGroupName"], "logStreamNames": [logged["logStreamName"]]}
    events = served.client("logs").filter_log_events(**words, filterPattern=pattern)["events"]
    assert {event["message"].removesuffix(f" {40 * 'y'}") for event in events} == found


def test_what_a_filter_of_logs_cant_do_is_refused(served, logged):
    logs, group, name = served.client("logs"), logged["logGroupName"], logged["logStreamName"]
    with pytest.raises(ClientError, match="Only words and"):
        logs.filter_log_events(logGroupName=group, filterPattern="{ $.loss > 1 }")
    with pytest.raises(ClientError, match="not both"):
        logs.filter_log_events(logGroupName=group, logStreamNames=[name], logStreamNamePrefix="logged")
    with pytest.raises(ClientError, match="nextToken is invalid"):
        logs.filter_log_events(logGroupName=group, nextToken="mine")


def test_filtered_events_lie_within_the_times(served, logged):
    logs, group = served.client("logs"), logged["logGroupName"]
    at = logs.filter_log_events(logGroupName=group, logStreamNamePrefix="logged/", limit=1)["events"][0]["timestamp"]

    def found(**times):
        return bool(logs.filter_log_events(logGroupName=group, logStreamNamePrefix="logged/", **times)["events"])

    assert found(startTime=at, endTime=at)
    assert not found(startTime=at + 1)
    assert not found(endTime=at - 1)


def test_log_streams_are_listed_in_the_order_that_is_asked_for(served, ended, logged):
    logs, group = served.client("logs"), logged["logGroupName"]

    def streams(**words):
        pages = logs.get_paginator("describe_log_streams").paginate(
            logGroupName=group, PaginationConfig={"PageSize": 5}, **words
        )
        return [(stream["logStreamName"], stream["creationTime"]) for page in pages for stream in page["logStreams"]]

    everything = streams()
    assert everything == sorted(everything)
    assert streams(descending=True) == everything[::-1]
    by_time = streams(orderBy="LastEventTime", descending=True)
    assert sorted(by_time) == everything
    assert [at for _, at in by_time] == sorted((at for _, at in by_time), reverse=True)
    with pytest.raises(ClientError, match="Cannot order by LastEventTime with"):
        streams(orderBy="LastEventTime", logStreamNamePrefix="logged")


def test_what_has_no_effect_here_is_told_as_it_was_asked_for(sagemaker, make):
    asked = make("idle", max_training_jobs=1)
    definition = asked["TrainingJobDefinition"]
    del definition["ResourceConfig"]
    instances = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 7}
    definition |= {
        "VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]},
        "EnableInterContainerTrafficEncryption": True,
        "EnableManagedSpotTraining": True,
        "StoppingCondition": {"MaxRuntimeInSeconds": 600, "MaxWaitTimeInSeconds": 700},
        "HyperParameterTuningResourceConfig": {
            "InstanceConfigs": [instances, {**instances, "InstanceType": "ml.m5.xlarge"}],
            "AllocationStrategy": "Prioritized",
            "VolumeKmsKeyId": "key",
        },
    }
    sagemaker.create_hyper_parameter_tuning_job(**asked)
    told = until(sagemaker, "idle")
    assert told["HyperParameterTuningJobStatus"] == "Completed"
    for name, value in definition.items():
        if name not in ("StaticHyperParameters", "AlgorithmSpecification", "OutputDataConfig"):
            assert told["TrainingJobDefinition"][name] == value, name
    assert told["TrainingJobDefinition"]["ResourceConfig"] == instances
    job = sagemaker.describe_training_job(TrainingJobName=told["BestTrainingJob"]["TrainingJobName"])
    assert (job["ResourceConfig"], job["VpcConfig"]) == (instances, definition["VpcConfig"])
    assert (job["EnableManagedSpotTraining"], job["EnableInterContainerTrafficEncryption"]) == (True, True)


def test_buckets_live_on_the_same_port(served, tmp_path):
    s3 = served.client("s3")
    s3.create_bucket(Bucket="same-port")
    s3.put_object(Bucket="same-port", Key="train/a.csv", Body=b"1,2")
    assert s3.get_object(Bucket="same-port", Key="train/a.csv")["Body"].read() == b"1,2"
    assert [each["Key"] for each in s3.list_objects_v2(Bucket="same-port", Prefix="train/")["Contents"]] == [
        "train/a.csv"
    ]


def test_who_am_i_is_answered(served):
    assert served.client("sts").get_caller_identity()["Account"] == "000000000000"


def test_a_server_told_to_end_leaves_training_running_and_the_next_one_finds_it(tmp_path, make):
    first = Served(tmp_path)
    client = first.client()
    client.create_hyper_parameter_tuning_job(**make("carried", static={"wait": "1.5"}, max_training_jobs=2))
    while not client.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName="carried")[
        "TrainingJobStatusCounters"
    ]["InProgress"]:
        pass
    assert first.end() == 0
    second = Served(tmp_path)
    told = until(second.client(), "carried")
    assert told["TrainingJobStatusCounters"]["Completed"] == 2
    second.end()


def test_recorded_metrics_are_read_through_cloudwatch(served, ended):
    cloudwatch, space = served.client("cloudwatch"), "/aws/sagemaker/TrainingJobs"
    best = ended["BestTrainingJob"]
    metric = {"MetricName": "loss", "Dimensions": [{"Name": "TrainingJobName", "Value": best["TrainingJobName"]}]}
    times = {"StartTime": best["TrainingStartTime"], "EndTime": best["TrainingEndTime"] + timedelta(seconds=60)}
    final = best["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]
    points = cloudwatch.get_metric_statistics(Namespace=space, **metric, **times, Period=60, Statistics=["Average"])
    assert [point["Average"] for point in points["Datapoints"]] == [final]
    query = {"Id": "q", "MetricStat": {"Metric": {"Namespace": space, **metric}, "Period": 60, "Stat": "Maximum"}}
    assert cloudwatch.get_metric_data(MetricDataQueries=[query], **times)["MetricDataResults"][0]["Values"] == [final]
    listed = cloudwatch.get_paginator("list_metrics").paginate(Namespace=space, Dimensions=metric["Dimensions"])
    assert [each["MetricName"] for page in listed for each in page["Metrics"]] == ["loss"]


def test_metrics_are_told_in_pages_and_of_the_unit_that_is_asked_for(served, ended):
    cloudwatch, space = served.client("cloudwatch"), "/aws/sagemaker/TrainingJobs"
    best = ended["BestTrainingJob"]
    metric = {"MetricName": "loss", "Dimensions": [{"Name": "TrainingJobName", "Value": best["TrainingJobName"]}]}
    times = {"StartTime": best["TrainingStartTime"], "EndTime": best["TrainingEndTime"] + timedelta(seconds=60)}
    stat = {"Metric": {"Namespace": space, **metric}, "Period": 60}
    queries = [{"Id": name.lower(), "MetricStat": {**stat, "Stat": name}} for name in ("Maximum", "SampleCount")]
    pages = [*cloudwatch.get_paginator("get_metric_data").paginate(
        MetricDataQueries=queries, **times, PaginationConfig={"PageSize": 1}
    )]  # fmt: skip
    told = [[(each["Id"], value) for each in page["MetricDataResults"] for value in each["Values"]] for page in pages]
    final = best["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]
    assert told == [[("maximum", final)], [("samplecount", 1)]]
    assert pages[0]["MetricDataResults"][1]["StatusCode"] == "PartialData"
    words = {"Namespace": space, **metric, **times, "Period": 60}
    assert cloudwatch.get_metric_statistics(**words, Statistics=["Sum"], Unit="Seconds")["Datapoints"] == []
    assert cloudwatch.get_metric_statistics(**words, Statistics=["Sum"], Unit="None")["Datapoints"]
    with pytest.raises(ClientError, match="ExtendedStatistics aren't to be had here"):
        cloudwatch.get_metric_statistics(**words, ExtendedStatistics=["p90"])


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("tuning-jobs/ended/replays?criteria=ConvergenceDetected", "criteria: isn't a parameter of this document. Did you mean criterion?"),
        ("tuning-jobs/ended?lines=3", "lines: isn't a parameter of this document. There are none."),
        ("training-jobs/logged/log?lines=3&begin=0", "lines: can't be combined with begin. Give one of them."),
    ],
)  # fmt: skip
def test_what_a_document_doesnt_know_is_refused(served, ended, logged, path, why):
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(f"{served.url}/_alfine/{path}", timeout=30)
    with error.value:
        assert (error.value.code, why in error.value.read().decode()) == (400, True)


def test_older_cloudwatch_clients_are_answered_in_xml(served, ended):
    import http.client
    from urllib.parse import urlencode

    connection = http.client.HTTPConnection(served.url.removeprefix("http://"), timeout=30)
    fields = {"Action": "ListMetrics", "Version": "2010-08-01", "Dimensions.member.1.Name": "TrainingJobName"}
    fields["Dimensions.member.1.Value"] = ended["BestTrainingJob"]["TrainingJobName"]
    connection.request("POST", "/", urlencode(fields), {"Content-Type": "application/x-www-form-urlencoded"})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    assert (answer.status, "<MetricName>loss</MetricName>" in text) == (200, True), text
    assert served.client("iam").get_role(RoleName="trainer")["Role"]["Arn"].endswith(":role/trainer")
    asked = ["sagemaker:CreateTrainingJob", "s3:GetObject"]
    told = served.client("iam").simulate_principal_policy(
        PolicySourceArn="arn:aws:iam::000000000000:role/trainer", ActionNames=asked
    )
    decisions = {each["EvalActionName"]: each["EvalDecision"] for each in told["EvaluationResults"]}
    assert decisions == dict.fromkeys(asked, "allowed")


@pytest.mark.parametrize("shadow", [False, True])
def test_describe_tells_when_convergence_was_detected(sagemaker, make, shadow):
    name = f"converged-{shadow}".lower()
    criterion = Shadow(ConvergenceDetected()) if shadow else ConvergenceDetected()
    asked = make(name, criteria=[criterion], max_training_jobs=13 if shadow else 40, static={"n": "5"})
    ranges = {"ContinuousParameterRanges": [{"Name": "x", "MinValue": "0", "MaxValue": "1e-9"}]}
    asked["HyperParameterTuningJobConfig"]["ParameterRanges"] = ranges
    sagemaker.create_hyper_parameter_tuning_job(**asked)
    told = until(sagemaker, name)
    detected = told["TuningJobCompletionDetails"]["ConvergenceDetectedTime"]
    assert told["CreationTime"] < detected <= told["HyperParameterTuningEndTime"]
    assert (sum(told["TrainingJobStatusCounters"].values()) == 13) is shadow

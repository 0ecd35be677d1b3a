"""Search by boto3 against a live server: every operator, nested filters, subexpressions, sorting, pages."""

import pytest
from botocore.exceptions import ClientError

from tests.aws.conftest import until
from tests.aws.test_training_jobs import ended

VALUES = {"1": "0.25", "2": "0.50", "3": "0.75", "4": "1.00"}  # n -> x; the loss is their sum


@pytest.fixture(scope="module")
def found(sagemaker, script):
    """A function of search words: the names of what is found. There are four training jobs «found-<n>», and a tuning job."""
    from alfine import Continuous, Integer
    from alfine.api.job_words import job_request
    from alfine.core.settings import without_order

    static = {"sagemaker_program": "train.py", "sagemaker_submit_directory": script.parent.as_uri()}
    for n, x in VALUES.items():
        channel = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": script.parent.as_uri()}}
        sagemaker.create_training_job(
            TrainingJobName=f"found-{n}",
            AlgorithmSpecification={
                "TrainingImage": f"image-{n}",
                "TrainingInputMode": "File",
                "MetricDefinitions": [{"Name": "loss", "Regex": "loss=([0-9.]+)"}] if n != "4" else [],
            },
            HyperParameters={**static, "x": x, "n": n, **({"sagemaker_solver": "adam"} if n == "1" else {})},
            InputDataConfig=[
                {"ChannelName": "train", "ContentType": "text/csv", "DataSource": channel},
                {"ChannelName": "validation", "ContentType": f"text/{n}", "DataSource": channel},
            ],
            RoleArn="arn:aws:iam::000000000000:role/trainer",
            OutputDataConfig={"S3OutputPath": ""},
            ResourceConfig={"InstanceType": "local", "InstanceCount": 1, "VolumeSizeInGB": int(n)},
            StoppingCondition={"MaxRuntimeInSeconds": 600},
            EnableManagedSpotTraining=n == "2",
            Tags=[{"Key": "suite", "Value": "search"}, {"Key": f"only.{n}", "Value": n}],
        )
    space = {"x": Continuous(0, 1), "n": Integer(1, 9)}
    words = {"metric": "loss", "strategy": "Random", "max_training_jobs": 3, "max_parallel": 1, "seed": 1}
    sagemaker.create_hyper_parameter_tuning_job(
        **without_order(job_request(name="Found-Tuned", space=space, script=script, **words)),
        Tags=[{"Key": "suite", "Value": "search"}],
    )
    for n in VALUES:
        ended(sagemaker, f"found-{n}")
    until(sagemaker, "Found-Tuned")

    def found(expression, resource="TrainingJob", **words):
        words = {"SortBy": f"{resource}Name", "SortOrder": "Ascending", **words}
        pages = sagemaker.get_paginator("search").paginate(Resource=resource, SearchExpression=expression, **words)
        return [each[resource][f"{resource}Name"] for page in pages for each in page["Results"]]

    return found


def mine(*filters, **words):
    """An expression over the four training jobs of their own: those with a filter's (name, operator, value) besides."""
    named = [dict(zip(("Name", "Operator", "Value"), each, strict=False)) for each in filters]
    return {"Filters": [{"Name": "TrainingJobName", "Operator": "Contains", "Value": "found-"}, *named], **words}


@pytest.mark.parametrize(
    ("condition", "numbers"),
    [
        (("TrainingJobName", "Equals", "found-2"), "2"),
        (("TrainingJobName", "NotEquals", "found-2"), "134"),
        (("TrainingJobName", "In", "found-1, found-3,nobody"), "13"),
        (("TrainingJobStatus", "Equals", "Completed"), "1234"),
        (("TrainingJobStatus", "In", "Failed,Stopped"), ""),
        (("HyperParameters.x", "GreaterThan", "0.5"), "34"),
        (("HyperParameters.x", "GreaterThanOrEqualTo", "0.5"), "234"),
        (("HyperParameters.x", "LessThan", "0.5"), "1"),
        (("HyperParameters.x", "LessThanOrEqualTo", "0.50"), "12"),
        (("HyperParameters.x", "Equals", "0"), "123"),  # a whole number: decimals are cut off
        (("HyperParameters.n", "Equals", "3.0"), "3"),
        (("HyperParameters.sagemaker_solver", "Equals", "adam"), "1"),
        (("HyperParameters.sagemaker_solver", "NotEquals", "adam"), "234"),
        (("HyperParameters.sagemaker_solver", "Contains", "da"), "1"),
        (("HyperParameters.sagemaker_solver", "Exists"), "1"),
        (("HyperParameters.sagemaker_solver", "NotExists"), "234"),
        (("Metrics.loss", "GreaterThan", "2"), "23"),
        (("Metrics.loss", "Equals", "1.25"), "1"),
        (("Metrics.loss", "Exists"), "123"),
        (("FinalMetricDataList.Value", "LessThan", "2"), "1"),
        (("Tags.suite", "Equals", "search"), "1234"),
        (("Tags.only.3", "Exists"), "3"),
        (("Tags.only.3", "NotExists"), "124"),
        (("Tags.only.2", "Contains", "2"), "2"),
        (("TuningJobArn", "Exists"), ""),
        (("AlgorithmSpecification.TrainingImage", "Equals", "image-4"), "4"),
        (("ResourceConfig.VolumeSizeInGB", "GreaterThan", "2"), "34"),
        (("EnableManagedSpotTraining", "Equals", "true"), "2"),
        (("InputDataConfig.ContentType", "Equals", "text/3"), "3"),
        (("SecondaryStatusTransitions.Status", "Equals", "Training"), "1234"),
        (("CreationTime", "GreaterThan", "2020-01-01T00:00:00"), "1234"),
        (("CreationTime", "LessThan", "2020-01-01T00:00:00Z"), ""),
        (("TrainingTimeInSeconds", "GreaterThanOrEqualTo", "1"), "1234"),
        (("FailureReason", "NotExists"), "1234"),
    ],
)
def test_a_filter_finds_what_satisfies_it(found, condition, numbers):
    assert found(mine(condition)) == [f"found-{n}" for n in numbers]


def test_a_filter_without_an_operator_asks_for_equals(found):
    assert found({"Filters": [{"Name": "TrainingJobName", "Value": "found-1"}]}) == ["found-1"]


def test_a_time_of_whole_seconds_means_the_second(found, sagemaker):
    at = sagemaker.describe_training_job(TrainingJobName="found-1")["CreationTime"].strftime("%Y-%m-%dT%H:%M:%S+00:00")
    for kind, wanted in {"Equals": True, "LessThanOrEqualTo": True, "GreaterThan": False, "LessThan": False}.items():
        assert ("found-1" in found(mine(("CreationTime", kind, at)))) is wanted, kind


def test_conditions_are_joined_by_and_and_by_or(found):
    either = [{"Filters": [{"Name": "HyperParameters.n", "Value": n}]} for n in ("1", "4")]
    assert found(mine(SubExpressions=[{"SubExpressions": either, "Operator": "Or"}])) == ["found-1", "found-4"]
    assert found(mine(SubExpressions=[{"SubExpressions": either, "Operator": "And"}])) == []
    by_name = {"Filters": [{"Name": "TrainingJobName", "Value": "found-2"}], "SubExpressions": either, "Operator": "Or"}
    assert found(mine(SubExpressions=[by_name])) == ["found-1", "found-2", "found-4"]
    every = found({**mine(("HyperParameters.n", "Equals", "3")), "Operator": "Or"})
    assert set(every) >= {f"found-{n}" for n in VALUES}


def test_one_element_must_satisfy_all_of_a_nested_filter(found):
    def nested(channel, kind):
        filters = [
            {"Name": "InputDataConfig.ChannelName", "Operator": "Equals", "Value": channel},
            {"Name": "InputDataConfig.ContentType", "Operator": "Equals", "Value": kind},
        ]
        return mine(NestedFilters=[{"NestedPropertyName": "InputDataConfig", "Filters": filters}])

    assert found(nested("validation", "text/2")) == ["found-2"]
    assert found(nested("train", "text/2")) == []
    apart = mine(
        ("InputDataConfig.ChannelName", "Equals", "train"), ("InputDataConfig.ContentType", "Equals", "text/2")
    )
    assert found(apart) == ["found-2"]


def test_training_jobs_of_a_tuning_job_are_found_by_its_arn_and_sorted_by_a_metric(found, sagemaker):
    arn = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName="Found-Tuned")
    arn = arn["HyperParameterTuningJobArn"]
    expression = {"Filters": [{"Name": "TuningJobArn", "Operator": "Equals", "Value": arn}]}
    best = sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(
        HyperParameterTuningJobName="Found-Tuned", SortBy="FinalObjectiveMetricValue", SortOrder="Descending"
    )["TrainingJobSummaries"]
    names = [row["TrainingJobName"] for row in best]
    assert found(expression, SortBy="Metrics.loss", SortOrder="Descending", PaginationConfig={"PageSize": 1}) == names
    rows = sagemaker.search(Resource="TrainingJob", SearchExpression=expression)["Results"]
    assert all(row["TrainingJob"]["TuningJobArn"] == arn for row in rows)
    assert rows[0]["TrainingJob"]["Tags"] == [{"Key": "suite", "Value": "search"}]


def test_tuning_jobs_are_found_as_describe_shows_them(found, sagemaker):
    told = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName="Found-Tuned")
    value = told["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]
    filters = [
        {"Name": "Tags.suite", "Value": "search"},
        {"Name": "HyperParameterTuningJobConfig.Strategy", "Value": "Random"},
        {"Name": "TrainingJobStatusCounters.Completed", "Operator": "GreaterThan", "Value": "2"},
        {
            "Name": "BestTrainingJob.FinalHyperParameterTuningJobObjectiveMetric.Value",
            "Operator": "LessThanOrEqualTo",
            "Value": f"{value}",
        },
        {"Name": "HyperParameterTuningEndTime", "Operator": "GreaterThan", "Value": "2020-01-01T00:00:00"},
    ]
    answer = sagemaker.search(Resource="HyperParameterTuningJob", SearchExpression={"Filters": filters})
    row = answer["Results"][0]["HyperParameterTuningJob"]
    assert {key: row[key] for key in told if key != "ResponseMetadata"} == {
        key: value for key, value in told.items() if key != "ResponseMetadata"
    }
    assert found({"Filters": filters}, "HyperParameterTuningJob") == ["Found-Tuned"]
    assert (
        found({"Filters": [{"Name": "HyperParameterTuningJobName", "Value": "found-1"}]}, "HyperParameterTuningJob")
        == []
    )


@pytest.mark.parametrize(
    "sort", ["TrainingJobName", "CreationTime", "LastModifiedTime", "HyperParameters.x", "TrainingStartTime"]
)
@pytest.mark.parametrize("order", ["Ascending", "Descending"])
def test_pages_follow_each_other_in_order(found, sort, order):
    whole = found(mine(), SortBy=sort, SortOrder=order)
    assert sorted(whole) == [f"found-{n}" for n in VALUES]
    assert found(mine(), SortBy=sort, SortOrder=order, PaginationConfig={"PageSize": 1}) == whole
    if sort != "LastModifiedTime":  # they ended in any order
        assert whole == sorted(whole, reverse=order == "Descending") or sort == "TrainingStartTime"


@pytest.mark.parametrize("order", ["Ascending", "Descending"])
def test_what_lacks_the_property_comes_last(found, order):
    numbers = "123" if order == "Ascending" else "321"
    wanted = [*(f"found-{n}" for n in numbers), "found-4"]
    assert found(mine(), SortBy="Metrics.loss", SortOrder=order, PaginationConfig={"PageSize": 1}) == wanted


def test_the_newest_change_comes_first_unless_asked_otherwise(sagemaker, found):
    rows = sagemaker.search(Resource="TrainingJob", MaxResults=100)["Results"]
    times = [row["TrainingJob"]["LastModifiedTime"] for row in rows]
    assert times == sorted(times, reverse=True)
    assert len(rows) >= 7


def test_visibility_conditions_limit_what_is_seen(found, sagemaker):
    seen = sagemaker.search(
        Resource="TrainingJob", SearchExpression=mine(), VisibilityConditions=[{"Key": "Tags.only.2", "Value": "2"}]
    )["Results"]
    assert [row["TrainingJob"]["TrainingJobName"] for row in seen] == ["found-2"]


def test_there_are_no_other_resources_and_no_other_accounts(sagemaker, found):
    assert sagemaker.search(Resource="Experiment")["Results"] == []
    assert sagemaker.search(Resource="TrainingJob", CrossAccountFilterOption="CrossAccount")["Results"] == []


def one(name, kind="Equals", value="1"):
    return {"SearchExpression": {"Filters": [{"Name": name, "Operator": kind, **({"Value": value} if value else {})}]}}


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (one("Colour"), "Unknown property name: Colour"),
        (one("TrainingJobName.Colour"), "Unknown property name: TrainingJobName.Colour"),
        (one("TrainingJobName", "GreaterThan"), "GreaterThan isn't supported for it"),
        (one("HyperParameters.x", "LessThan", "adam"), "LessThan isn't supported for text, 'adam'"),
        (one("Metrics.loss", "Contains"), "Contains is for text properties"),
        (one("Metrics.loss", "Equals", "low"), "'low' isn't a number"),
        (one("CreationTime", "Equals", "yesterday"), "'yesterday' isn't a time like"),
        (one("EnableNetworkIsolation", "Equals", "maybe"), "'maybe' isn't true or false"),
        (one("TrainingJobName", "Equals", None), "Equals needs a Value"),
        (one("TrainingJobName", "Exists", "1"), "Exists takes no Value"),
        (one("ModelArtifacts"), "it has no value of its own"),
        ({"SearchExpression": {}}, "at least one subexpression, filter, or nested filter"),
        ({"SortBy": "Colour"}, "Unknown property name: Colour"),
        ({"SortBy": "HyperParameters"}, "SortBy HyperParameters: it has no value of its own"),
        ({"NextToken": "abc"}, "Invalid pagination token because"),
        ({"VisibilityConditions": [{"Key": "team", "Value": "a"}]}, "isn't of the form Tags"),
    ],
)
def test_what_means_nothing_is_refused(sagemaker, words, text):
    with pytest.raises(ClientError, match=text) as caught:
        sagemaker.search(Resource="TrainingJob", **words)
    assert caught.value.response["Error"]["Code"] == "ValidationException"


def test_an_expression_of_more_than_fifty_conditions_is_refused(sagemaker):
    twenty = {"Filters": [{"Name": "TrainingJobName", "Value": "a"}] * 20}
    with pytest.raises(ClientError, match="has 63 conditions; at most 50 are allowed"):
        sagemaker.search(Resource="TrainingJob", SearchExpression={"SubExpressions": [twenty] * 3})


def test_a_token_of_another_search_is_refused(sagemaker, found):
    token = sagemaker.search(Resource="TrainingJob", MaxResults=1)["NextToken"]
    with pytest.raises(ClientError, match="belongs to a request with other filters"):
        sagemaker.search(Resource="TrainingJob", MaxResults=1, NextToken=token, SearchExpression=mine())

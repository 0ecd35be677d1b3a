"""Whatever a body holds, the answer is never a 5xx: 10,000 of them with ALFINE_FUZZ=10000."""

import base64
import json
import os
from dataclasses import replace

import botocore.session
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alfine.api.job_words import job_request
from alfine.aws.cloudwatch_logs import LOGS
from alfine.aws.sagemaker.backend import AwsBackend
from alfine.aws.sagemaker.operations import OPERATIONS
from alfine.aws.sagemaker.search import RESOURCES
from alfine.aws.sagemaker.search_expressions import compiled
from alfine.aws.services import JsonService
from alfine.aws.sts_iam_cloudwatch import CLOUDWATCH
from alfine.core.arns import Arns
from alfine.jobs.home import Home
from tests.building import SPACE, at, history, spec

EXAMPLES = int(os.environ.get("ALFINE_FUZZ", "300"))
MODEL = botocore.session.get_session().get_service_model("sagemaker")
GOOD = job_request(
    name="fuzzed", space=SPACE, command=["true"], channels={"train": "/tmp"}, environment={"A": "b"}, seed=1
)
GOOD_ALONE = {
    "TrainingJobName": "fuzzed-alone",
    **{key: value for key, value in GOOD["TrainingJobDefinition"].items() if key != "StaticHyperParameters"},
    "HyperParameters": GOOD["TrainingJobDefinition"]["StaticHyperParameters"],
    "ResourceConfig": {"InstanceType": "local", "InstanceCount": 1, "VolumeSizeInGB": 1},
    "StoppingCondition": {"MaxRuntimeInSeconds": 60},
    "Tags": [
        *({"Key": f"alfine:{name}", "Value": "1"} for name in ("threads", "grace-seconds", "max-log-bytes")),
        {"Key": "alfine:warm", "Value": "on"},
    ],
    "DebugHookConfig": {"S3OutputPath": "s3://bucket/key"},
}
TEXTS = [
    *(
        "",
        "a",
        "fuzzed",
        "1",
        "-1",
        "1e999",
        "nan",
        "NaN",
        "0",
        "0.5",
        "s3://bucket/key",
        "s3://",
        "file:///tmp",
        "\x00",
    ),
    *(
        "Bayesian",
        "Grid",
        "Hyperband",
        "Minimize",
        "Auto",
        "Logarithmic",
        "ReverseLogarithmic",
        "Linear",
        "é" * 300,
        "(",
    ),
    *(
        "arn:aws:sagemaker:us-east-1:000000000000:training-job/x",
        "arn:aws:iam::000000000000:role/x",
        "(a+)+$",
        "#",
        "%",
    ),
]
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(TEXTS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def services(tmp_path_factory):
    with Home(tmp_path_factory.mktemp("home")) as home:
        backend = AwsBackend(home.service, Arns(), lambda name: None, lambda: None)
        yield {
            name: JsonService(name, table, backend)
            for name, table in {"sagemaker": OPERATIONS, "logs": LOGS, "cloudwatch": CLOUDWATCH}.items()
        }


def paths(value, path=()):
    yield path
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inside:
        yield from paths(each, (*path, key))


def put(value, path, new):
    """The value with the part at the path replaced."""
    if not path:
        return new
    copied = dict(value) if isinstance(value, dict) else list(value)
    copied[path[0]] = put(copied[path[0]], path[1:], new)
    return copied


def of_shape(shape, depth=0):
    """Values of the model's shape, mostly of the right types."""
    if shape.type_name == "structure":
        members = {
            name: of_shape(member, depth + 1)
            for name, member in shape.members.items()
            if depth < 5 or name in shape.required_members
        }
        needed = {name: members.pop(name) for name in shape.required_members}
        some = st.sets(st.sampled_from(sorted(members)), max_size=3) if members else st.just(set())
        return some.flatmap(lambda names: st.fixed_dictionaries({**needed, **{name: members[name] for name in names}}))
    if shape.type_name == "list":
        return st.lists(of_shape(shape.member, depth + 1), max_size=3) if depth < 6 else st.just([])
    if shape.type_name == "map":
        return st.dictionaries(st.sampled_from(TEXTS), st.sampled_from(TEXTS), max_size=3)
    if shape.type_name == "string":
        return st.sampled_from([*shape.enum, *TEXTS] if len(shape.enum) < 12 else TEXTS)
    if shape.type_name == "boolean":
        return st.booleans()
    return st.integers(-1, 2**31) | st.sampled_from([0, 1, 10, 3600, 1e308, 0.5])


REQUESTS = {name: MODEL.operation_model(name).input_shape for name in OPERATIONS}
BY_MODEL = {
    name: st.deferred(lambda shape=shape: of_shape(shape))
    for name, shape in REQUESTS.items()
    if not name.startswith("Create")
}
ANY_CALL = st.sampled_from(sorted(BY_MODEL)).flatmap(lambda name: st.tuples(st.just(name), BY_MODEL[name]))
RELAXED = settings(
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


def answered(service, operation, body):
    status, answer = service.answer(operation, body)
    assert status in (200, 400), (operation, body, answer)
    assert json.loads(answer) is not None
    return status


@RELAXED
@given(data=st.data())
def test_a_spoilt_create_request_is_refused_or_means_something(services, data):
    service, request = services["sagemaker"], GOOD
    for _ in range(data.draw(st.integers(1, 3))):
        where = data.draw(st.sampled_from(list(paths(request))[1:]))
        request = put(request, where, data.draw(JUNK))
    status = answered(service, "CreateHyperParameterTuningJob", json.dumps(request).encode(errors="surrogatepass"))
    name = request.get("HyperParameterTuningJobName")
    if isinstance(name, str):
        known = answered(
            service, "DescribeHyperParameterTuningJob", json.dumps({"HyperParameterTuningJobName": name}).encode()
        )
        assert status == 400 or known == 200, request
    if status == 200:
        service.backend.service.store.delete(name)


@RELAXED
@given(data=st.data())
def test_a_spoilt_request_for_a_training_job_is_refused_or_means_something(services, data):
    service, request = services["sagemaker"], GOOD_ALONE
    for _ in range(data.draw(st.integers(0, 3))):
        where = data.draw(st.sampled_from(list(paths(request))[1:]))
        request = put(request, where, data.draw(JUNK))
    status = answered(service, "CreateTrainingJob", json.dumps(request).encode(errors="surrogatepass"))
    store, names = service.backend.service.store, service.backend.service.store.unfinished()
    assert len(names) == (status == 200), request  # nothing, or a whole one
    if status == 200:
        describe = json.dumps({"TrainingJobName": request["TrainingJobName"]}).encode()
        assert answered(service, "DescribeTrainingJob", describe) == 200, request
        assert len(store.history(names[0]).running) == 1
        store.delete(names[0])


PROPERTIES = {
    "TrainingJob": [
        *("TrainingJobName", "TrainingJobStatus", "CreationTime", "LastModifiedTime", "TuningJobArn", "FailureReason"),
        *("HyperParameters.eta", "HyperParameters.depth", "HyperParameters.booster", "Metrics.objective", "Tags.team"),
        *("InputDataConfig.ChannelName", "StoppingCondition.MaxRuntimeInSeconds", "EnableNetworkIsolation", "Colour"),
    ],
    "HyperParameterTuningJob": [
        *("HyperParameterTuningJobName", "HyperParameterTuningJobStatus", "CreationTime", "LastModifiedTime"),
        *("BestTrainingJob.FinalHyperParameterTuningJobObjectiveMetric.Value", "TrainingJobStatusCounters.Failed"),
        *("Tags.team", "HyperParameterTuningJobConfig.Strategy", "TrainingJobDefinition.InputDataConfig"),
    ],
}
VALUES = [
    *(
        "1",
        "0.5",
        "-3",
        "job",
        "job-001",
        "job-002,sought",
        "Completed",
        "Failed",
        "InProgress",
        "gbtree",
        "fine",
        "true",
    ),
    *("2026-01-01T00:00:01", "2026-01-01T00:00:00Z", "0001-01-01T00:00:00", "9999-12-31T23:59:59", "é", "%", "_", "#"),
    "arn:aws:sagemaker:us-east-1:000000000000:hyper-parameter-tuning-job/job",
]
OPERATORS = MODEL.shape_for("Operator").enum


@pytest.fixture(scope="module")
def stocked(tmp_path_factory):
    """SageMaker over six training jobs of a tuning job, one of a deleted one and one of its own."""
    with Home(tmp_path_factory.mktemp("stocked")) as home:
        for name, objectives in (("gone", [1.0]), ("job", [3.0, 1.0, None, 2.0, 1.0, 0.5])):
            past = history(objectives)
            job = home.store.create(spec(name=name), at(0))
            facts = [
                replace(fact, name=f"{name}-{fact.name[4:]}") if hasattr(fact, "name") else fact for fact in past.facts
            ]
            home.store.tag(job.id, 0, {"team": "fine"})
            home.store.record(job.id, 0, facts, texts=past.spec.texts)
        home.store.finish("gone", "Completed", at(9))
        home.store.detach("gone")
        home.service.create_training_job({**GOOD_ALONE, "TrainingJobName": "sought"})
        service = JsonService(
            "sagemaker", OPERATIONS, AwsBackend(home.service, Arns(), lambda name: None, lambda: None)
        )
        every = {kind: service.call("Search", {"Resource": kind, "MaxResults": 100})["Results"] for kind in PROPERTIES}
        yield service, every


@st.composite
def expressions(draw, names, depth=0):
    def one():
        given = {"Name": draw(st.sampled_from(names)), "Operator": draw(st.sampled_from(OPERATORS))}
        return given if "Exists" in given["Operator"] else {**given, "Value": draw(st.sampled_from(VALUES))}

    found = {"Filters": [one() for _ in range(draw(st.integers(0 if depth < 2 else 1, 2)))]}
    if depth < 2:
        found["SubExpressions"] = draw(st.lists(expressions(names, depth + 1), max_size=2))
    return {**{key: each for key, each in found.items() if each}, "Operator": draw(st.sampled_from(["And", "Or"]))}


@settings(RELAXED, max_examples=EXAMPLES // 3)
@given(data=st.data())
def test_search_finds_what_a_look_at_every_job_finds(stocked, data):
    service, every = stocked
    resource = data.draw(st.sampled_from(sorted(PROPERTIES)))
    words = {"Resource": resource, "MaxResults": data.draw(st.integers(1, 5))}
    words["SortBy"] = data.draw(st.sampled_from([*PROPERTIES[resource][:4], *PROPERTIES[resource]]))
    expression = data.draw(expressions(PROPERTIES[resource]))
    status, answer = service.answer("Search", json.dumps({**words, "SearchExpression": expression}).encode())
    assert status in (200, 400), (words, expression, answer)
    if status == 400:
        assert json.loads(answer)["__type"] == "ValidationException"
        return
    test = compiled(expression, RESOURCES[resource].properties)
    wanted = [each[resource] for each in every[resource] if test(each[resource])]
    found = json.loads(answer)["Results"]
    while "NextToken" in json.loads(answer):
        more = {**words, "SearchExpression": expression, "NextToken": json.loads(answer)["NextToken"]}
        status, answer = service.answer("Search", json.dumps(more).encode())
        assert status == 200, answer
        found += json.loads(answer)["Results"]
    names = [each[resource][f"{resource}Name"] for each in found]
    assert sorted(names) == sorted(each[f"{resource}Name"] for each in wanted), expression


@settings(RELAXED, max_examples=EXAMPLES // 3)
@given(data=st.data())
def test_a_token_that_was_tampered_with_is_refused(stocked, data):
    service, _ = stocked
    sort = data.draw(st.sampled_from([*PROPERTIES["TrainingJob"][:4], "Metrics.objective"]))
    request = {"Resource": "TrainingJob", "MaxResults": 1, "SortBy": sort}
    token = service.call("Search", request)["NextToken"]
    place, fingerprint = json.loads(base64.b64decode(token))
    broken = put(place, data.draw(st.sampled_from(list(paths(place)))), data.draw(JUNK | st.integers() | st.floats()))
    token = base64.b64encode(json.dumps([broken, fingerprint]).encode()).decode()
    answered(service, "Search", json.dumps({**request, "NextToken": token}).encode())


@RELAXED
@given(call=ANY_CALL)
def test_no_request_of_the_models_shape_breaks_an_operation(services, call):
    answered(services["sagemaker"], call[0], json.dumps(call[1]).encode())


@RELAXED
@given(
    service=st.sampled_from(["sagemaker", "logs", "cloudwatch"]),
    body=st.binary(max_size=200) | JUNK.map(lambda value: json.dumps(value).encode(errors="surrogatepass")),
    data=st.data(),
)
def test_no_bytes_break_an_operation(services, service, body, data):
    known = services[service]
    answered(known, data.draw(st.sampled_from([*known.functions, "Nonsense", ""])), body)

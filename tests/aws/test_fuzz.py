"""Whatever a body holds, the answer is never a 5xx: 10,000 of them with ALFINE_FUZZ=10000."""

import json
import os

import botocore.session
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alfine.arns import Arns
from alfine.aws.backend import Backend
from alfine.aws.neighbours import CLOUDWATCH, LOGS
from alfine.aws.operations import OPERATIONS
from alfine.aws.services import JsonService
from alfine.home import Home
from alfine.job_request import job_request
from tests.building import SPACE

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
    "Tags": [{"Key": "team", "Value": "fine"}],
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
        backend = Backend(home.service, Arns(), lambda name: None, lambda: None)
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
    deadline=None,
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

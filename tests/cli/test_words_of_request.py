"""A recorded job as words again: as a job file, and as a Python program that runs."""

from dataclasses import replace

import pytest

from alfine import Categorical, Continuous, Integer
from alfine.api.job_file import read_job_file
from alfine.api.job_words import job_request
from alfine.cli.job_code import python_text, yaml_text
from alfine.cli.words_of_request import document_of, words_of
from alfine.core.read_spec import read_spec

SCRIPT = "import sys; print(f'loss={sys.argv[2]}')"
SPACE = {
    "x": Continuous(1e-5, 1, scaling="Logarithmic"),
    "n": Integer(1, 9, step=2),
    "opt": Categorical(["sgd", "a, b", "1e-3", 2, True, None]),
    "m": Continuous(0, 1, requires=["opt = sgd", "n > 3"]),
    "lone": Integer(3, 3),
}
WHOLE = {
    "metric": "loss",
    "goal": "Maximize",
    "metrics": {"acc": "acc=(.*)"},
    "strategy": "Hyperband",
    "max_resource": 20,
    "seed": 7,
    "forbid": ["n > 5 and opt = 'a, b'"],
    "start_with": [{"x": 0.1, "n": 3, "opt": "sgd", "m": 0.5, "lone": 3}],
    "criteria": [
        "ConvergenceDetected delta=0.1",
        "BestObjectiveNotImproving 10",
        "AllOf(MaxCost 3, Deadline 2099-01-01T00:00+01:00)",
    ],
    "max_training_jobs": 30,
    "max_runtime_seconds": 900,
    "max_training_job_seconds": 60,
    "early_stopping": "Off",
    "channels": {"train": "/tmp/some data"},
    "environment": {"MODE": "fast"},
    "static": {"epochs": 20, "sizes": [1, 2], "text": "no"},
    "price_per_hour": 0.25,
    "grace_seconds": 3,
    "gpus": 0.5,
    "at_end": "drain",
    "repeats": "best=2 times=2",
    "warm": False,
}


@pytest.mark.parametrize("words", [{}, WHOLE, {"metric": "auc", "regex": "auc: (.*)", "warm_start": ["a", "b"]}])
@pytest.mark.parametrize(
    "program",
    [
        {"script": "/srv/code/train.py"},
        {"script": "run/train.py", "source_dir": "/srv"},
        {"command": ["sh", "-c", "x"]},
    ],
)
def test_a_job_file_of_a_request_asks_for_the_same(tmp_path, words, program):
    request = job_request(name="whole", space=SPACE, **program, **words)
    document = document_of(words_of(request))
    (tmp_path / "job.yaml").write_text(yaml_text(document), encoding="utf-8")
    again = read_job_file(tmp_path / "job.yaml").request
    assert words_of(again) == words_of(request)
    read, first = read_spec(again), read_spec(request)
    assert replace(read, request={}, settings={}) == replace(first, request={}, settings={})
    assert read.settings.keys() == first.settings.keys()


SEVERAL = """
definitions:
  forest:
    script: /srv/train.py
    space: {trees: {min: 10, max: 500}, depth: {min: 1, max: 20, requires: trees > 20}}
    metric: auc
    goal: Maximize
    max_training_job_seconds: 60
  network:
    command: [sh, -c, x]
    space: {lr: {min: 1e-4, max: 1.0}, width: [8, 16]}
    static: {epochs: 20}
    metric: auc
    goal: Maximize
    channels: {train: /srv/data}
forbid: [trees > 100 and depth > 10]
start_with: {lr: 0.01, width: 8}
max_training_jobs: 60
"""


def test_a_job_file_of_several_definitions_asks_for_the_same(tmp_path):
    """Each with its own program, space, objective and limits."""
    (tmp_path / "job.yaml").write_text(SEVERAL, encoding="utf-8")
    request = read_job_file(tmp_path / "job.yaml").request
    document = document_of(words_of(request))
    assert [*document["definitions"]] == ["forest", "network"]
    (tmp_path / "job.yaml").write_text(yaml_text(document), encoding="utf-8")
    again = read_job_file(tmp_path / "job.yaml").request
    assert words_of(again) == words_of(request)
    assert again["TrainingJobDefinitions"] == request["TrainingJobDefinitions"]
    assert again["HyperParameterTuningJobConfig"] == request["HyperParameterTuningJobConfig"]


def test_a_python_program_of_a_request_runs_the_same(tmp_path, monkeypatch):
    (tmp_path / "train.py").write_text(SCRIPT)
    request = job_request(
        name="again", space={"x": Continuous(0, 1)}, script=tmp_path / "train.py", metric="loss", max_training_jobs=1
    )
    monkeypatch.setenv("ALFINE_HOME", str(tmp_path / "home"))
    names = {}
    exec(python_text(words_of(request)), names)
    assert (names["job"].name, names["job"].history.launches) == ("again", 1)


OF_SAGEMAKER = {
    "AlgorithmSpecification": {"TrainingImage": "acme/train:1", "TrainingInputMode": "File"},
    "RoleArn": "arn:aws:iam::111122223333:role/SageMaker",
    "InputDataConfig": [
        {
            "ChannelName": "train",
            "DataSource": {
                "S3DataSource": {
                    "S3DataType": "S3Prefix",
                    "S3Uri": "s3://a/train",
                    "S3DataDistributionType": "FullyReplicated",
                }
            },
        }
    ],
    "OutputDataConfig": {"S3OutputPath": "s3://a/models", "CompressionType": "NONE"},
    "ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 2, "VolumeSizeInGB": 30},
    "StoppingCondition": {"MaxRuntimeInSeconds": 60},
    "CheckpointConfig": {"S3Uri": "s3://a/checkpoints"},
    "RetryStrategy": {"MaximumRetryAttempts": 3},
    "VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]},
    "EnableNetworkIsolation": True,
}
SCRIPT_OF_SDK = {"sagemaker_program": '"train.py"', "sagemaker_submit_directory": '"s3://a/code.tar.gz"', "n": "[1, 2]"}


def of_sagemaker(**members):
    """A request as SageMaker's SDK writes it, with an image, a script in a bucket and what alfine has no word for."""
    request = job_request(name="sdk", space={"x": Continuous(0, 1)}, metric="loss", max_training_jobs=2)
    metrics = request["TrainingJobDefinition"]["AlgorithmSpecification"]["MetricDefinitions"]
    definition = {**OF_SAGEMAKER, "StaticHyperParameters": SCRIPT_OF_SDK, **members}
    algorithm = {"MetricDefinitions": metrics, **definition["AlgorithmSpecification"]}
    return {**request, "TrainingJobDefinition": {**definition, "AlgorithmSpecification": algorithm}}


def test_a_job_file_of_a_request_of_sagemakers_sdk_loses_nothing(tmp_path):
    request = of_sagemaker()
    words = words_of(request)
    said = {"image": "acme/train:1", "script": "train.py", "source_dir": "s3://a/code.tar.gz", "retries": 3}
    said |= {"instance_type": "ml.m5.xlarge", "instances": 2, "output_path": "s3://a/models"}
    assert words.items() >= {**said, "checkpoints": "s3://a/checkpoints", "static": {"n": [1, 2]}}.items()
    assert words["channels"] == {"train": "s3://a/train"}
    others = ("RoleArn", "OutputDataConfig", "ResourceConfig", "VpcConfig", "EnableNetworkIsolation")
    assert sorted(words["aws"]) == sorted(others)
    (tmp_path / "job.yaml").write_text(yaml_text(document_of(words)), encoding="utf-8")
    again = read_job_file(tmp_path / "job.yaml").request["TrainingJobDefinition"]
    unquoted = {key: text.strip('"') for key, text in SCRIPT_OF_SDK.items()}
    channel = {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://a/train"}}}
    expected = {**request["TrainingJobDefinition"], "InputDataConfig": [{"ChannelName": "train", **channel}]}
    assert again == {**expected, "StaticHyperParameters": unquoted}


@pytest.mark.parametrize(
    "members",
    [
        {"StaticHyperParameters": {"sagemaker_program": "a.py"}},
        {
            "AlgorithmSpecification": {"AlgorithmName": "arn:a", "TrainingInputMode": "Pipe"},
            "StaticHyperParameters": {"k": "2"},
        },
        {
            "ResourceConfig": {},
            "StaticHyperParameters": {"k": "2"},
            "HyperParameterTuningResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        },
    ],
)
def test_words_that_need_others_taken_away_ask_for_the_same(members):
    request = of_sagemaker(**members)
    words = words_of(request)
    assert read_spec(job_request(**words)).definition == read_spec(request).definition


def test_the_order_of_metrics_is_no_reason_to_have_no_words():
    """Built-in algorithms have some forty, the objective somewhere among them."""
    request = of_sagemaker()
    algorithm = request["TrainingJobDefinition"]["AlgorithmSpecification"]
    algorithm["MetricDefinitions"] = [{"Name": "acc", "Regex": "acc=(.*)"}, *algorithm["MetricDefinitions"]]
    words = words_of(request)
    assert words["metrics"] == {"acc": "acc=(.*)"}
    assert "AlgorithmSpecification" not in words["aws"]


def test_what_only_a_request_can_say_has_no_words():
    request = job_request(name="a", space={"x": Continuous(0, 1)}, script="/srv/train.py", metric="loss")
    assert words_of(request) is not None
    assert words_of({**request, "Autotune": {"Mode": "Enabled"}}) is None
    for function, said in (
        ("mine:Model.loss", "from mine import Model\n"),
        ("mine:<lambda>", "# objective: your function"),
    ):
        text = python_text(words_of(job_request(name="a", space={"x": Continuous(0, 1)}, function=function)))
        assert said in text
        compile(text, "job.py", "exec")

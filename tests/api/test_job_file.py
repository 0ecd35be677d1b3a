"""What `alfine tune` reads: requests and job files, and what it says about broken ones."""

import json
import re
from pathlib import Path
from typing import get_args

import pytest

from alfine.api.job_file import JobFile, name_from, read_job_file
from alfine.api.job_words import job_request
from alfine.api.read_words import READERS
from alfine.core.conditions import combination
from alfine.core.errors import Fault, InvalidSpec
from alfine.core.field import Kind
from alfine.core.fields import FIELDS
from alfine.core.messages import naming
from alfine.core.ranges import Categorical, Continuous, Integer
from alfine.core.read_spec import read_spec
from alfine.core.spec import TuningJobSpec
from alfine.criteria import criteria_for, criterion_from_text

DOCS = Path(__file__).parents[2] / "docs" / "reference" / "job-file.md"

SMALL = """
script: train.py
metric: loss
space:
  eta: {min: 1e-2, max: 1, type: continuous, scaling: Logarithmic}
  depth: {min: 1, max: 10}
  booster: [gbtree, dart]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "train.py").write_text("print('loss=1')\n")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train.csv").write_text("1,2\n")
    return tmp_path


def read(folder: Path, text: str, name: str = "job.yaml") -> JobFile:
    path = folder / name
    path.write_text(text)
    return read_job_file(path)


def spec(folder: Path, text: str, name: str = "job.yaml") -> TuningJobSpec:
    return read_spec(read(folder, text, name).request)


def faults(folder: Path, text: str, name: str = "job.yaml") -> list[str]:
    with pytest.raises(InvalidSpec) as refused:
        read(folder, text, name)
    return [str(fault) for fault in refused.value.faults]


def request(**changes) -> dict:
    """A request as a SageMaker user has it, with a local script."""
    config = {
        "Strategy": "Random",
        "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "loss"},
        "ResourceLimits": {"MaxNumberOfTrainingJobs": 4, "MaxParallelTrainingJobs": 1},
        "ParameterRanges": {"ContinuousParameterRanges": [{"Name": "eta", "MinValue": "0.01", "MaxValue": "1"}]},
    }
    definition = {
        "StaticHyperParameters": {"sagemaker_program": "train.py", "sagemaker_submit_directory": "."},
        "AlgorithmSpecification": {
            "TrainingImage": "any",
            "TrainingInputMode": "File",
            "MetricDefinitions": [{"Name": "loss", "Regex": "loss=([0-9.]+)"}],
        },
        "RoleArn": "arn:aws:iam::000000000000:role/none",
        "InputDataConfig": [
            {"ChannelName": "train", "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "data"}}}
        ],
        "OutputDataConfig": {"S3OutputPath": "file:///tmp/out"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
    }
    whole = {
        "HyperParameterTuningJobName": "full",
        "HyperParameterTuningJobConfig": config,
        "TrainingJobDefinition": definition,
    }
    return {**whole, **changes}


# -- job files -----------------------------------------------------------------------------------------------------------


def test_a_job_file_becomes_a_full_request(folder):
    found = spec(folder, SMALL)
    assert found.name == "job"
    assert found.space.ranges == {
        "depth": Integer(1, 10),
        "eta": Continuous(0.01, 1.0, scaling="Logarithmic"),
        "booster": Categorical(["gbtree", "dart"]),
    }
    assert found.definition.static_hyperparameters["sagemaker_program"] == "train.py"


def test_json_and_yaml_say_the_same(folder):
    document = {"script": "train.py", "metric": "loss", "space": {"depth": {"min": 1, "max": 10}}}
    from_json = read(folder, json.dumps(document), "job.json")
    assert (
        from_json.request == read(folder, "script: train.py\nmetric: loss\nspace: {depth: {min: 1, max: 10}}").request
    )


def test_the_name_comes_from_the_file_where_it_gives_none():
    assert name_from(Path("a/my_job (2).yaml")) == "my-job-2"
    assert name_from(Path("…yaml")) == "yaml"
    assert len(name_from(Path("x" * 60 + ".json"))) == 32


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("{min: 1, max: 10}", Integer(1, 10)),
        ("{min: 1, max: 10, type: continuous}", Continuous(1.0, 10.0)),
        ("{min: 1.0, max: 10}", Continuous(1.0, 10.0)),
        ("{min: 1e-5, max: 1e-1}", Continuous(1e-5, 0.1)),
        ("{min: 010, max: 20, type: integer}", Integer(10, 20)),
    ],
)
def test_a_range_is_integer_when_both_ends_are_written_as_integers(folder, text, kind):
    assert spec(folder, f"script: train.py\nspace: {{x: {text}}}").space.ranges["x"] == kind


@pytest.mark.parametrize("text", ["no", "12:30", "2026-01-31", "1_000", "0b11", "="])
def test_a_plain_value_that_yaml_1_2_has_no_type_for_is_a_text(folder, text):
    assert spec(folder, f"script: train.py\nspace: {{x: [a, {text}]}}").space.ranges["x"] == Categorical(["a", text])


def test_a_key_that_is_a_list_is_refused(folder):
    text = "script: train.py\nspace: {x: [a, b]}\nstatic: {[1, 2]: 3}"
    assert faults(folder, text) == ["static: [1, 2] can't be a key. Use a text."]


def test_an_anchor_is_read_where_its_alias_stands_and_merges(folder):
    text = "script: train.py\nspace: {x: &x {min: 1, max: 9}, y: *x, z: {<<: *x, max: 7}}"
    assert spec(folder, text).space.ranges == {"x": Integer(1, 9), "y": Integer(1, 9), "z": Integer(1, 7)}


def test_categories_of_any_plain_type_are_texts_to_the_training_job(folder):
    found = spec(folder, "script: train.py\nspace: {x: [off, 3, true, 0.5]}")
    assert found.space.ranges["x"] == Categorical(["off", "3", "true", "0.5"])


def test_off_is_a_text_not_false(folder):
    assert spec(folder, SMALL + "early_stopping: Off").early_stopping == "Off"


@pytest.mark.parametrize(
    "text",
    [
        "[BestObjectiveNotImproving 10]",
        "[BestObjectiveNotImproving: 10]",
        "[BestObjectiveNotImproving: {max_number_of_training_jobs_not_improving: 10}]",
    ],
)
def test_a_criterion_is_written_as_text_or_as_keys(folder, text):
    assert spec(folder, SMALL + f"criteria: {text}").max_not_improving == 10


def test_paths_are_meant_from_the_folder_of_the_file(folder):
    text = SMALL + "channels: {train: data, other: 'file://data/train.csv'}"
    found = spec(folder, text)
    assert [channel.uri for channel in found.definition.channels] == [
        (folder / "data").resolve().as_uri(),
        (folder / "data" / "train.csv").resolve().as_uri(),
    ]
    assert found.definition.static_hyperparameters["sagemaker_submit_directory"] == folder.resolve().as_uri()


def test_a_script_may_lie_inside_a_source_dir(folder):
    (folder / "code").mkdir()
    found = spec(folder, SMALL.replace("train.py", "main.py") + "source_dir: code").definition.static_hyperparameters
    assert found["sagemaker_program"] == "main.py"
    assert found["sagemaker_submit_directory"] == (folder / "code").resolve().as_uri()


def test_a_word_of_a_command_that_names_a_file_becomes_its_path(folder):
    found = spec(folder, "command: sh train.py --mode data\nspace: {x: [a, b]}")
    words = json.loads(found.definition.static_hyperparameters["alfine_command"])
    assert words == ["sh", str((folder / "train.py").resolve()), "--mode", "data"]


@pytest.mark.parametrize("entry", ["name: auc, regex: 'auc=(.*)'", "Name: auc, Regex: 'auc=(.*)'"])
def test_metrics_may_be_a_list_as_sagemaker_has_it(folder, entry):
    as_list = read(folder, f"{SMALL}metrics: [{{{entry}}}]").request
    assert as_list == read(folder, SMALL + "metrics: {auc: 'auc=(.*)'}").request


def test_a_key_without_a_value_counts_as_not_given(folder):
    assert read(folder, SMALL + "seed:\n").request == read(folder, SMALL).request


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (SMALL + "max_job: 3", "max_job: isn't known. Did you mean max_training_jobs?"),
        (SMALL + "MaxParallelTrainingJobs: 3", "MaxParallelTrainingJobs: isn't known. Did you mean max_parallel?"),
        (SMALL + "objective: auc", "objective: isn't known. Did you mean metric?"),
        (SMALL + "zzzz: 1", "zzzz: isn't known. Known: name, script"),
        (SMALL + "goal: maximize", "goal: 'maximize' isn't one of Maximize, Minimize. Did you mean Maximize?"),
        (
            SMALL + "strategy: Bayes",
            "strategy: 'Bayes' isn't one of Bayesian, Random, Grid, Hyperband. Did you mean Bayesian?",
        ),
        (SMALL + "max_parallel: two", "max_parallel: 'two' must be a whole number from 1 on."),
        (SMALL + "max_training_jobs: 0", "max_training_jobs: 0 must be a whole number from 1 on."),
        (SMALL + "max_runtime_seconds: 0", "max_runtime_seconds: 0 must be a number above 0."),
        (SMALL + "warm: on", "warm: 'on' must be true or false."),
        (SMALL + "channels: data", "channels: 'data' must be keys and values."),
        (SMALL + "command: [ls]", "command: there is a script too. Keep one of the two."),
        (SMALL + "criteria: ConvergenceDetected", "criteria: 'ConvergenceDetected' must be a list"),
        (
            SMALL + "criteria: [Convergence]",
            "criteria[0]: 'Convergence' isn't known. Did you mean ConvergenceDetected?",
        ),
        (SMALL + "criteria: [BestObjectiveNotImproving: 1]", "criteria[0]: criterion BestObjectiveNotImproving"),
        ("space: {x: [a, b]}", "script: is missing: what trains"),
        ("script: train.py\nspace: {x: {min: 1, max: 2, requires: 3}}", "space.x.requires: 3 must be"),
        (
            "script: train.py\nspace: {x: {min: 1, max: 2, requires: y}}",
            "space.x.requires: 'y' can't be read at its end: there is no operator after y",
        ),
        ("script: train.py\nspace: {x: {values: [a], min: 2}}", "space.x.min: is of a range of numbers"),
        ("script: train.py\nspace: {x: {values: a}}", "space.x.values: 'a' must be a list of categories."),
        (
            "script: train.py\nspace: {x: {min: 1, max: 2, condition: y}}",
            "space.x.condition: isn't known. Did you mean requires?",
        ),
        (
            "script: train.py\nspace: {x: [a, b]}\nforbid: [x]",
            "forbid: 'x' can't be read at its end: there is no operator after x",
        ),
        ("script: train.py\nspace: {x: [a, b]}\nconstraints: x = a", "constraints: isn't known. Did you mean forbid?"),
        ("script: train.py\nspace: {x: [a, b]}\nstart_with: 3", "start_with: 3 must be a configuration"),
        ("script: train.py", "space: is missing: the hyperparameters to tune"),
        ("script: train.py\nspace: {x: 3}", "space.x: 3 must be {min: …, max: …}, or a list of categories."),
        ("script: train.py\nspace: {x: {min: 3}}", "space.x.max: is missing."),
        ("script: train.py\nspace: {x: {min: 3, max: a}}", "space.x.max: 'a' must be a number."),
        ("script: train.py\nspace: {x: {low: 3, max: 4}}", "space.x.low: isn't known. Did you mean min?"),
        ("script: train.py\nspace: {x: {min: 0, max: 4, scaling: log}}", "space.x.scaling: 'log' isn't one of"),
        (
            "script: train.py\nspace: {x: {min: 0.0, max: 4, scaling: Logarithmic}}",
            "Use a min above 0, or scaling Linear.",
        ),
        ("script: train.py\nspace: {x: {min: 5, max: 4}}", "space.x: min 5 must be below max 4. Swap them."),
        ("script: train.py\nspace: {x: {min: 0.5, max: 4, type: integer}}", "space.x: 0.5 and 4 must be whole numbers"),
        ("script: train.py\nspace: {x: [a, a]}", "a appears more than once"),
        ("script: train.py\nspace:", "space: is missing: the hyperparameters to tune"),
        ("script:\nspace: {x: [a, b]}", "script: is missing: what trains"),
        (SMALL + "warm_start_type: TransferLearning", "warm_start_type: says how to use what warm_start names"),
        (SMALL + "regex: 'loss=(.*)'\nmetrics: {loss: 'l=(.*)'}", "regex: metrics has one for loss, too."),
        (SMALL + "metrics: [{name: auc}]", "metrics: {'name': 'auc'} must be a name and a regex, as in {name: auc"),
        (SMALL + "metrics: [{name: a, regex: x}, {Name: a, Regex: y}]", "metrics: has two entries for a. Keep one"),
        (
            "script: train.sh\npython: python3\nspace: {x: [a, b]}",
            "python: runs Python scripts (*.py), and train.sh is",
        ),
        ("command: data/train.csv\nspace: {x: [a, b]}", "train.csv isn't executable. Begin with what runs it"),
        ("command: nothing\nenvironment: 3\nspace: {x: [a, b]}", "environment: 3 must be keys and values."),
        ("command: [no-such-program-here]\nspace: {x: [a]}", "there is no program 'no-such-program-here' on the PATH."),
        ("script: train.py\nscript: other.py", 'job.yaml:2:1: isn\'t YAML: found duplicate key "script"'),
        ("script: [", "isn't YAML"),
        ("- 1", "has a list at its top. It must be keys and values"),
        ("", "is empty. It must be keys and values"),
    ],
)
def test_a_broken_job_file_is_refused_with_path_and_remedy(folder, text, said):
    assert any(said in fault for fault in faults(folder, text)), faults(folder, text)


def test_every_fault_is_named_at_once(folder):
    assert len(faults(folder, SMALL + "max_parallel: 0\ngoal: up\nseed: -1")) == 3


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("job.json", '{"script": }', "job.json:1:12: isn't JSON"),
        ("job.json", '{"script": "a", "script": "b"}', "script is written twice"),
        ("job.py", "", "write a job file that says `script: job.py`"),
        ("job.toml", "", "must be a .json, .yaml or .yml file."),
    ],
)
def test_a_file_that_is_no_job_file_is_refused_with_the_place(folder, name, text, said):
    assert said in faults(folder, text, name)[0]


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InvalidSpec, match=r"nothing\.yaml: can't be read: No such file"):
        read_job_file(tmp_path / "nothing.yaml")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("static: {eta: 3}", "static.eta: this hyperparameter also has a range."),
        ("forbid: {eta: 7}", "forbid: «eta = 7»"),
        ("start_with: {eta: 0.5}", "start_with.depth: this hyperparameter is missing."),
    ],
)
def test_faults_found_later_are_explained_at_the_keys_of_the_file(folder, more, said):
    job = read(folder, SMALL + more)
    with pytest.raises(InvalidSpec) as refused:
        read_spec(job.request)
    assert str(job.explain(refused.value)).startswith(said)


def test_what_amt_names_is_told_in_the_words_of_the_file(folder):
    job = read(folder, SMALL)
    message = naming("With MaxNumberOfTrainingJobsNotImproving, not {max_training_jobs} {}.", 4)
    said = job.spelled(Fault("TrainingJobDefinition.X", message))
    assert said.message == "With MaxNumberOfTrainingJobsNotImproving, not max_training_jobs 4."


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("strategy: Grid", "space: Grid takes categorical ranges only, and x isn't. List the values. "),
        ("max_training_jobs: 20", "space: there are only 2 configurations, and max_training_jobs 20 asks for more."),
    ],
)
def test_an_error_says_how_whole_numbers_were_understood(folder, more, said):
    job = read(folder, f"script: train.py\nspace: {{x: {{min: 0, max: 1}}}}\n{more}")
    with pytest.raises(InvalidSpec) as refused:
        read_spec(job.request)
    hint = "x: min 0 and max 1 are whole numbers, so x is an integer range with 2 values; write 0.0 and 1.0, or `type: continuous`, for"
    explained = str(job.explain(refused.value))
    assert explained.startswith(said)
    assert f"{hint} a continuous one." in explained


# -- requests ------------------------------------------------------------------------------------------------------------


def test_a_request_stays_as_it_is_but_for_its_local_paths(folder):
    found = read(folder, json.dumps(request()), "full.json")
    static = found.request["TrainingJobDefinition"]["StaticHyperParameters"]
    channel = found.request["TrainingJobDefinition"]["InputDataConfig"][0]
    assert static["sagemaker_submit_directory"] == folder.resolve().as_uri()
    assert channel["DataSource"]["S3DataSource"]["S3Uri"] == (folder / "data").resolve().as_uri()
    assert found.request["HyperParameterTuningJobConfig"] == request()["HyperParameterTuningJobConfig"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"Tag": []}, "Tag: isn't known. Did you mean Tags?"),
        ({"HyperParameterTuningJobName": 7}, "HyperParameterTuningJobName: 7 must be a text, in quotes."),
        (
            {"HyperParameterTuningJobConfig": {**request()["HyperParameterTuningJobConfig"], "ResourceLimits": {}}},
            "HyperParameterTuningJobConfig.ResourceLimits.MaxParallelTrainingJobs: is missing",
        ),
        (
            {"HyperParameterTuningJobConfig": {**request()["HyperParameterTuningJobConfig"], "RandomSeed": -1}},
            "HyperParameterTuningJobConfig.RandomSeed: -1 must be at least 0.",
        ),
        (
            {"TrainingJobDefinition": {**request()["TrainingJobDefinition"], "InputDataConfig": [{"Channel": "x"}]}},
            "TrainingJobDefinition.InputDataConfig[0].Channel: isn't known. Did you mean ChannelName?",
        ),
    ],
)
def test_a_request_that_the_operation_would_not_take_is_refused(folder, changes, said):
    assert any(said in fault for fault in faults(folder, json.dumps(request(**changes)), "full.json"))


def test_overrides_replace_what_the_file_says(folder):
    job = read(folder, SMALL + "criteria: [ConvergenceDetected]\nmax_training_jobs: 9\nmax_runtime_seconds: 60")
    found = read_spec(
        job.with_overrides(
            name="other",
            max_training_jobs=5,
            max_parallel=2,
            seed=4,
            criteria=["TargetObjectiveMetricValue 0.5"],
            price_per_hour=0.23,
            warm=False,
        ).request
    )
    assert (found.name, found.max_training_jobs, found.max_parallel, found.seed) == ("other", 5, 2, 4)
    assert (found.target, found.detect_convergence, found.max_runtime_seconds) == (0.5, False, 60)
    assert (found.price_per_hour, found.settings["warm"]) == (0.23, "off")
    assert job.name == "job"


# -- the reference page --------------------------------------------------------------------------------------------------


CONDITIONAL = """
script: train.py
space:
  optimizer: [adam, sgd]
  momentum: {min: 0.0, max: 0.99, requires: {optimizer: sgd}}
  layers: {min: 1, max: 3}
  width: {min: 8, max: 64, requires: layers >= 2}
  gate: {values: [true, off], requires: [{optimizer: adam, layers: 1}, {layers: 3}]}
forbid:
  - {optimizer: sgd, momentum: "> 0.9"}
  - layers = 3 and width > 32
"""


def test_a_job_file_says_what_ranges_require_and_what_is_forbidden(folder):
    space = spec(folder, CONDITIONAL).space
    assert space.ranges["momentum"].requires == (combination("optimizer = sgd"),)
    assert space.ranges["width"].requires == (combination("layers >= 2"),)
    assert space.ranges["gate"].requires == (combination("optimizer=adam layers=1"), combination("layers = 3"))
    assert space.ranges["gate"].values == ("true", "off")
    assert space.forbidden == (combination("optimizer=sgd momentum>0.9"), combination("layers=3 width>32"))


@pytest.mark.parametrize("text", ["{x: 0.25, c: true}", "[{x: 0.25, c: true}]", "x=0.25 c=true"])
def test_a_job_file_says_what_is_tried_first(folder, text):
    found = spec(folder, f"script: train.py\nspace: {{x: {{min: 0.0, max: 1.0}}, c: [true, 3]}}\nstart_with: {text}")
    assert found.start_with == ({"x": "0.25", "c": "true"},)


def test_every_kind_of_field_has_a_reader():
    assert set(READERS) == set(get_args(Kind)) == {field.kind for field in FIELDS}


def test_a_word_that_no_field_has_is_refused():
    with pytest.raises(InvalidSpec, match=r"n_trials: isn't known\. Did you mean max_training_jobs\?"):
        job_request(name="a", space={"x": Continuous(0, 1)}, n_trials=3)


def test_a_limit_that_is_not_given_is_not_in_the_request():
    asked = job_request(name="a", space={"x": Continuous(0, 1)}, command=["true"], metric="loss", max_training_jobs=3)
    limits = asked["HyperParameterTuningJobConfig"]["ResourceLimits"]
    assert limits == {"MaxNumberOfTrainingJobs": 3, "MaxParallelTrainingJobs": 1}


@pytest.mark.parametrize(
    "example", re.findall(r"```yaml\n(.*?)```", DOCS.read_text() if DOCS.exists() else "", re.DOTALL)
)
def test_every_example_of_the_reference_page_is_read(folder, example):
    (folder / "train.sh").write_text("echo loss=1\n")
    (folder / "src").mkdir()
    assert spec(folder, example)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("{AllOf: [ConvergenceDetected, {BestObjectiveNotImproving: 10}]}", "AllOf(ConvergenceDetected, BestObjectiveNotImproving 10)"),
        ("{NotBefore: {TargetObjectiveMetricValue: 0.9, training_jobs: 20}}", "NotBefore(TargetObjectiveMetricValue 0.9, training_jobs=20)"),
        ("{Steady: {criterion: ConvergenceDetected, times: 4}}", "Steady(ConvergenceDetected, times=4)"),
        ("{Shadow: {ConvergenceDetected: {delta: 0.1}}}", "Shadow(ConvergenceDetected delta=0.1)"),
        ("{Shadow: BestObjectiveNotImproving 10}", "Shadow(BestObjectiveNotImproving 10)"),
        ("{AtLeast: [2, ConvergenceDetected, {Deadline: 60}, {MaxRuntimeInSeconds: 50}]}", "AtLeast(2, ConvergenceDetected, Deadline 60, MaxRuntimeInSeconds 50)"),
        ("{Steady: [{BestObjectiveNotImproving: 8}, 2]}", "Steady(BestObjectiveNotImproving 8, times=2)"),
        ("{AtLeast: {count: 2, criteria: [ConvergenceDetected, {Deadline: 60}, {MaxRuntimeInSeconds: 50}]}}", "AtLeast(2, ConvergenceDetected, Deadline 60, MaxRuntimeInSeconds 50)"),
        ("{AllOf: [{AnyOf: [ConvergenceDetected, {Deadline: 60}]}, {MaxRuntimeInSeconds: 50}]}", "AllOf(AnyOf(ConvergenceDetected, Deadline 60), MaxRuntimeInSeconds 50)"),
        ("{Deadline: '2026-12-01T18:00+01:00'}", "Deadline 2026-12-01T18:00+01:00"),
    ],
)  # fmt: skip
def test_criteria_made_of_others_are_written_as_yaml(tmp_path, written, meant):
    path = tmp_path / "job.yaml"
    path.write_text(
        f"command: [sh, -c, 'true']\nmetric: loss\nspace: {{x: {{min: 0.0, max: 1.0}}}}\ncriteria: [{written}]\n"
    )
    spec = read_spec(read_job_file(path).request)
    assert criterion_from_text(meant) in criteria_for(spec)


SEVERAL = """\
script: train.py
metric: loss
static: {epochs: 3}
definitions:
  tree:
    space: {depth: {min: 1, max: 9}}
  net:
    command: [sh, -c, "echo accuracy=1"]
    metric: accuracy
    goal: Maximize
    static: {}
    space: {lr: {min: 1.0e-4, max: 1.0}, width: {min: 8, max: 64, requires: lr > 0.01}}
forbid: depth > 8
start_with: {lr: 0.1, width: 32}
max_training_jobs: 20
"""


def test_several_definitions_have_words_of_their_own_and_share_the_jobs(folder):
    tree, net = spec(folder, SEVERAL).definition_specs
    assert (tree.definition.name, tree.goal, tree.metric) == ("tree", "Minimize", "loss")
    assert (net.definition.name, net.goal, net.metric) == ("net", "Maximize", "accuracy")
    assert tree.definition.static_hyperparameters["sagemaker_program"] == "train.py"
    assert tree.definition.static_hyperparameters["epochs"] == "3"
    assert {*net.definition.static_hyperparameters} == {"alfine_command"}, "a program of its own takes no script"
    assert [str(each) for each in tree.space.forbidden[0]] == ["depth > 8"]
    assert net.space.ranges["width"].requires == (combination("lr > 0.01"),)
    assert (tree.start_with, net.start_with) == ((), ({"lr": "0.1", "width": "32"},))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("depth: {min: 1", "depth: {min: 99", "definitions.tree.space.depth: min 99 must be below max 9"),
        ("    goal: Maximize", "    golf: Maximize", "definitions.net.golf: isn't known. Did you mean goal?"),
        ("    goal: Maximize", "    strategy: Grid", "definitions.net.strategy: isn't known"),
        ("script: train.py", "", "definitions.tree.script: is missing"),
        ("    space: {depth: {min: 1, max: 9}}", "", "definitions.tree: null must be keys and values"),
        ("    space: {depth: {min: 1, max: 9}}", "    static: {a: 1}", "definitions.tree.space: is missing"),
        ("    static: {}", "    static: {lr: 1}", "definitions.net.static.lr: this hyperparameter also has a range"),
        ("lr > 0.01", "ls > 0.01", "definitions.net.space.width: there is no hyperparameter 'ls'"),
        ("depth: {min: 1", "width: {min: 1", "definitions.net.space.width: must require the same in each definition"),
        ("  tree:", "  a_tree:", "definitions: 'a_tree' isn't a name"),
        ("start_with: {lr", "start_with: {ls", "start_with: no definition has all hyperparameters"),
        ("max_training_jobs", "early_stopping: Auto\nmax_training_jobs", "early_stopping: must be Off"),
    ],
)
def test_faults_of_a_definition_stand_at_its_keys(folder, old, new, said):
    path = folder / "job.yaml"
    path.write_text(SEVERAL.replace(old, new, 1))
    with pytest.raises(InvalidSpec) as error:
        file = read_job_file(path)
        try:
            read_spec(file.request)
        except InvalidSpec as fault:
            raise file.explain(fault) from fault
    assert said in str(error.value)


def test_each_definition_runs_the_jobs_script_out_of_its_own_source_dir(folder):
    text = "script: main.py\npython: python3\nspace: {x: [a, b]}\ndefinitions: {a: {source_dir: one}, b: {source_dir: two}}\n"
    statics = [part.definition.static_hyperparameters for part in spec(folder, text).definition_specs]
    assert [static["sagemaker_program"] for static in statics] == ["main.py", "main.py"]
    assert [static["alfine_python"] for static in statics] == ["python3", "python3"]
    assert [Path(static["sagemaker_submit_directory"]).name for static in statics] == ["one", "two"]


def test_a_word_that_no_definition_would_take_is_refused(folder):
    text = "python: python3\nspace: {x: [a, b]}\ndefinitions: {a: {script: a.py}, b: {command: [sh, b.sh]}}\n"
    (said,) = faults(folder, text)
    assert said == "python: does nothing: each definition has a program of its own. Say it there."


def test_a_definitions_own_path_may_have_its_program(folder):
    text = "space: {x: [a, b]}\ndefinitions: {a: {command: [nowhere-here], environment: {PATH: /there}}}\n"
    assert spec(folder, text)

"""alfine check: what can be known before a job is created."""

import json

import pytest

from tests.cli.conftest import SCRIPT

JOB = """
script: train.py
metric: loss
strategy: Random
space: {x: {min: 0.0, max: 1.0}}
max_training_jobs: 40
"""


GOOD = {"Faults": [], "Remarks": [], "Scaling": {"x": "Linear (Auto)"}}


def checked(folder, text, *words):
    result = folder.run("check", str(folder.job(text)), "--json", *words)
    return result.exit_code, json.loads(result.stdout)


def told(report):
    return {each["Path"].rpartition(".")[2]: each["Message"] for each in report["Remarks"]}


def test_a_good_job_has_nothing_said_about_it(folder):
    code, report = checked(folder, JOB)
    assert (code, report) == (0, GOOD)
    assert not folder.home.exists()


def test_one_training_job_is_run_with_the_middle_of_every_range_and_the_whole_predicted(folder):
    code, report = checked(folder, f"{JOB}max_runtime_seconds: 600\nprice_per_hour: 36\nmax_parallel: 4", "--run")
    assert code == 0
    (job,), predicted = report["TrainingJobs"], report["Predicted"]
    assert (job["HyperParameters"], job["ExitCode"]) == ({"x": "0.5"}, 0)
    assert [match["LineNumber"] for match in job["Metrics"][0]["Matches"]] == [2, 3, 4]
    assert predicted["RuntimeInSeconds"] == pytest.approx(job["TrainingSeconds"] * 10)
    assert predicted["ComputeSeconds"] == pytest.approx(job["TrainingSeconds"] * 40)
    assert predicted["Money"] == pytest.approx(predicted["ComputeSeconds"] / 100)
    assert report["Bound"] == {"ComputeSeconds": 2400.0, "Money": 24.0}
    assert not folder.home.exists()


@pytest.mark.parametrize(
    ("more", "where", "said"),
    [
        ("criteria: [BestObjectiveNotImproving 40]", "BestObjectiveNotImproving", "38 of 40 training jobs in a row"),
        ("criteria: [ConvergenceDetected]\nmax_training_jobs: 9", "ConvergenceDetected", "10 objectives; so far: 8"),
        ("early_stopping: Auto\nmax_training_jobs: 3", "early_stopping", "the job has only 3"),
        ("start_with: [{x: 0.1}, {x: 0.2}]\nmax_training_jobs: 2", "max_training_jobs", "there is no search"),
        ("max_parallel: 41", "max_parallel", "the job has only 40"),
        ("strategy: Bayesian\nmax_parallel: 40", "max_parallel", "that is a random search"),
        (
            "max_runtime_seconds: 60\nmax_training_job_seconds: 90",
            "max_runtime_seconds",
            "may end before its first training job",
        ),
    ],
)
def test_limits_and_criteria_that_do_not_fit_together_are_pointed_out(folder, more, where, said):
    keys = [line.partition(":")[0] for line in more.splitlines()]
    kept = "\n".join(line for line in JOB.splitlines() if line.partition(":")[0] not in keys)
    code, report = checked(folder, f"{kept}\n{more}\n")
    assert code == 0
    assert said in told(report)[where]


@pytest.mark.parametrize("criterion", ["BestObjectiveNotImproving 39", "ConvergenceDetected", "AnyOf(MaxCost 1)"])
def test_a_criterion_that_can_fire_is_left_in_peace(folder, criterion):
    job = JOB.replace("max_training_jobs: 40", "max_training_jobs: 41\nprice_per_hour: 1")
    assert checked(folder, f'{job}criteria: ["{criterion}"]\n') == (0, GOOD)


SLOW = f"{SCRIPT}time.sleep(0.5)\n"
ONCE = "import argparse\np = argparse.ArgumentParser(); p.add_argument('--x', type=float)\nprint(f'loss={p.parse_args().x}')\n"


@pytest.mark.parametrize(
    ("script", "more", "where", "said", "code"),
    [
        (
            ONCE,
            "criteria: [TargetObjectiveMetricValue 0.5]",
            ["TargetObjectiveMetricValue"],
            "after its first training",
            1,
        ),
        (ONCE, "criteria: [TargetObjectiveMetricValue 0.4]", [], "", 0),
        (ONCE, "early_stopping: Auto", ["early_stopping"], "printed it once", 0),
        (SCRIPT, "early_stopping: Auto", [], "", 0),
        (SLOW, "max_runtime_seconds: 0.4", ["max_runtime_seconds"], "is shorter than one training job", 1),
        (SLOW, "max_runtime_seconds: 3", ["max_runtime_seconds"], "training jobs.", 0),
        (
            "raise SystemExit('no data')",
            "",
            ["training job", "metric loss"],
            "It failed: AlgorithmError",
            1,
        ),
        ("print('Loss 1')", "", ["metric loss"], "every training job fails", 1),
    ],
    ids=["target", "no target", "once", "thrice", "too short", "few", "fails", "no value"],
)
def test_what_the_training_job_shows_is_pointed_out(folder, script, more, where, said, code):  # noqa: PLR0917
    (folder.path / "train.py").write_text(script)
    found, report = checked(folder, f"{JOB}{more}\n", "--run")
    assert (found, list(told(report))) == (code, where)
    assert said in " ".join(told(report).values())


@pytest.mark.parametrize(
    ("most", "least", "said"),
    [(9, 4, "nothing is stopped before min_resource 4"), (2, 1, "each is stopped at max_resource 2"), (9, 1, None)],
)
def test_resources_of_hyperband_are_held_against_the_emissions(folder, most, least, said):
    job = JOB.replace("Random", "Hyperband")
    code, report = checked(folder, f"{job}min_resource: {least}\nmax_resource: {most}\n", "--run")
    assert code == 0
    assert (said or "") in told(report).get("max_resource", "")
    assert ("max_resource" in told(report)) is (said is not None)


def test_a_deadline_that_has_passed_would_waste_the_job(folder):
    code, report = checked(folder, f"{JOB}criteria: [Deadline 2020-01-01T00:00+00:00]\n")
    assert (code, list(told(report))) == (1, ["Deadline"])
    assert "before its first training job: The deadline has passed." in told(report)["Deadline"]


def test_an_interpreter_that_is_not_there_is_a_fault(folder):
    code, report = checked(folder, f"{JOB}python: no-such-python\n")
    assert code == 1
    (fault,) = report["Faults"]
    assert (fault["Path"], fault["Message"][:39]) == ("python", "there is no program 'no-such-python' he")


def test_regexes_are_tried_on_a_log(folder):
    log = folder.path / "old.log"
    log.write_text("start\nloss=0.5\nloss=nan\n")
    code, report = checked(folder, rf"{JOB}regex: loss=(\S+)", "--log", str(log))
    assert code == 0
    assert report["Log"][0]["Matches"] == [{"LineNumber": 2, "Value": 0.5, "Line": "loss=0.5"}]
    assert report["Log"][0]["Remarks"] == ["printed nan 1 time"]
    log.write_text("the Loss was 0.5\n")
    code, report = checked(folder, JOB, "--log", str(log))
    assert (code, report["Log"][0]["NearestLines"]) == (1, ["the Loss was 0.5"])


def test_a_request_is_held_to_all_rules_at_once(folder, tmp_path):
    request = {
        "HyperParameterTuningJobName": "-bad-",
        "HyperParameterTuningJobConfig": {
            "Strategy": "Bayesian",
            "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "loss"},
            "ResourceLimits": {"MaxParallelTrainingJobs": 1, "MaxNumberOfTrainingJobs": 3},
            "ParameterRanges": {"ContinuousParameterRanges": [{"Name": "x", "MinValue": "1", "MaxValue": "0"}]},
        },
        "TrainingJobDefinition": {
            "AlgorithmSpecification": {"TrainingInputMode": "File", "TrainingImage": "i"},
            "RoleArn": "short",
            "OutputDataConfig": {"S3OutputPath": "s3://bucket/x"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": 60},
            "StaticHyperParameters": {"sagemaker_program": "train.py", "sagemaker_submit_directory": "file:///no"},
        },
    }
    path = folder.path / "request.json"
    path.write_text(json.dumps(request))
    result = folder.run("check", str(path))
    assert result.exit_code == 1
    for said in (
        "Value '-bad-' at 'hyperParameterTuningJobName' failed to satisfy constraint",
        "Value 'short' at 'trainingJobDefinition.roleArn' failed to satisfy constraint",
        "A metric is required for this hyperparameter tuning job objective",
        "ContinuousParameterRanges[0] (x)",
        "the job can't be created.",
    ):
        assert said in result.output


def test_a_value_of_the_wrong_type_hides_no_other_fault(folder):
    path = folder.path / "request.json"
    path.write_text(json.dumps({"HyperParameterTuningJobName": 7, "TrainingJobDefinition": {"RoleArn": []}}))
    result = folder.run("check", str(path))
    assert result.exit_code == 1
    for said in (
        "can not be converted to a String",
        "HyperParameterTuningJobConfig: is missing",
        "HyperParameterTuningJobName: 7 must be a text",
        "TrainingJobDefinition.RoleArn",
    ):
        assert said in result.output


def test_each_of_several_definitions_is_tried_out(folder):
    def definition(name, wait):
        return {
            "DefinitionName": name,
            "TuningObjective": {"Type": "Minimize", "MetricName": "loss"},
            "HyperParameterRanges": {"ContinuousParameterRanges": [{"Name": "x", "MinValue": "0", "MaxValue": wait}]},
            "StaticHyperParameters": {
                "sagemaker_program": "train.py",
                "sagemaker_submit_directory": folder.path.as_uri(),
            },
            "AlgorithmSpecification": {
                "TrainingImage": "alfine/local",
                "TrainingInputMode": "File",
                "MetricDefinitions": [{"Name": "loss", "Regex": "loss=([0-9.]+)"}],
            },
            "RoleArn": "arn:aws:iam::000000000000:role/any",
            "OutputDataConfig": {"S3OutputPath": "s3://bucket/x"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        }

    request = {
        "HyperParameterTuningJobName": "several",
        "HyperParameterTuningJobConfig": {
            "Strategy": "Random",
            "ResourceLimits": {"MaxParallelTrainingJobs": 1, "MaxNumberOfTrainingJobs": 8},
            "TuningJobCompletionCriteria": {"BestObjectiveNotImproving": {"MaxNumberOfTrainingJobsNotImproving": 20}},
        },
        "TrainingJobDefinitions": [definition("one", "1"), definition("two", "2")],
    }
    path = folder.path / "request.json"
    path.write_text(json.dumps(request))
    result = folder.run("check", str(path), "--json", "--run")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    jobs = {each["DefinitionName"]: each["HyperParameters"] for each in report["TrainingJobs"]}
    assert jobs == {"one": {"x": "0.5"}, "two": {"x": "1.0"}}
    seconds = sum(each["TrainingSeconds"] for each in report["TrainingJobs"])
    assert report["Predicted"]["RuntimeInSeconds"] == pytest.approx(4 * seconds)
    assert list(told(report)) == ["BestObjectiveNotImproving"]


def test_what_does_not_run_here_is_a_fault(folder):
    folder.job(JOB)
    (folder.path / "train.py").unlink()
    result = folder.run("check", str(folder.path / "job.yaml"))
    assert (result.exit_code, "fault: script: there is no file" in result.output) == (1, True), result.output


def test_people_read_sentences(folder):
    result = folder.run("check", str(folder.job(f"{JOB}criteria: [TargetObjectiveMetricValue 9]\n")), "--run")
    assert result.exit_code == 1
    assert "wrong: TargetObjectiveMetricValue: It would end the job after its first training job" in result.output
    assert "predicted" in result.output
    assert "The job could be created, but it would be wasted." in result.output


def test_conditions_and_constraints_that_do_nothing_are_pointed_out(folder):
    text = """
script: train.py
metric: loss
space:
  a: {min: 1, max: 100, scaling: Linear}
  b: {min: 0, max: 9, requires: a >= 1}
  c: {min: 0, max: 99}
  d: {min: 0, max: 9, requires: c = 7}
forbid: [a < 100, a = 5 and c = 3, b = 3 and b = 4]
max_training_jobs: 10
"""
    _, report = checked(folder, text)
    assert [(each["Path"], each["Message"]) for each in report["Remarks"]] == [
        ("forbid", "Only 1 % of the search space is allowed."),
        ("forbid", "«b = 3 and b = 4» never occurs, so that it forbids nothing."),
        ("space.b", "Its condition always holds."),
        ("space.d", "It is active in 1 % of the search space only: hardly any training job has it."),
    ]


def test_each_definition_reads_a_log_with_its_own_regexes_and_has_scalings_of_its_own(folder):
    text = """\
metric: loss
command: [sh, -c, "true"]
definitions:
  a: {space: {x: {min: 0.0, max: 1.0}, y: {min: 0.0, max: 1.0}}, regex: "loss_a=(.*)"}
  b: {space: {x: {min: 1.0, max: 1.0e+3}}, regex: "loss_b=(.*)"}
max_training_jobs: 8
"""
    (folder.path / "old.log").write_text("loss_a=3\n")
    code, report = checked(folder, text, "--log", str(folder.path / "old.log"))
    assert code == 0
    assert [(each["DefinitionName"], each["Regex"], len(each["Matches"])) for each in report["Log"]] == [
        ("a", "loss_a=(.*)", 1),
        ("b", "loss_b=(.*)", 0),
    ]
    assert report["Scaling"] == {"a.x": "Linear (Auto)", "b.x": "Logarithmic (Auto)", "y": "Linear (Auto)"}
    folder.run("create", str(folder.path / "job.yaml"))
    described = json.loads(folder.run("describe", "job", "--json").stdout)
    assert described["Alfine"]["AutoScaling"] == {"a.x": "Linear", "b.x": "Logarithmic", "y": "Linear"}

"""Tuning jobs that begin with what others found, over the wire and in Python."""

import pytest
from botocore.exceptions import ClientError

import alfine
from alfine import Continuous, Integer
from tests.aws.conftest import until

OBJECTIVE = "FinalHyperParameterTuningJobObjectiveMetric"


@pytest.fixture(scope="module")
def parent(sagemaker, script):
    from alfine.api.job_words import job_request

    space = {"x": Continuous(0, 1), "n": Integer(1, 9)}
    request = job_request(
        name="elder", space=space, script=script, metric="loss", strategy="Random", max_training_jobs=4, max_parallel=2
    )
    sagemaker.create_hyper_parameter_tuning_job(**request)
    return until(sagemaker, "elder")


def refusal(sagemaker, request):
    with pytest.raises(ClientError, match="ValidationException") as caught:
        sagemaker.create_hyper_parameter_tuning_job(**request)
    return caught.value.response["Error"]["Message"]


def test_a_child_goes_on_from_its_parent_which_may_be_deleted_meanwhile(sagemaker, parent, make):
    sagemaker.create_hyper_parameter_tuning_job(**make("doomed", max_training_jobs=3))
    doomed = until(sagemaker, "doomed")
    asked = make("child", strategy="Bayesian", max_training_jobs=2, warm_start=["elder", "doomed"])
    sagemaker.create_hyper_parameter_tuning_job(**asked)
    sagemaker.delete_hyper_parameter_tuning_job(HyperParameterTuningJobName="doomed")
    told = until(sagemaker, "child")
    assert told["HyperParameterTuningJobStatus"] == "Completed"
    assert told["WarmStartConfig"] == asked["WarmStartConfig"]
    assert sum(told["TrainingJobStatusCounters"].values()) == 2
    every = [each["BestTrainingJob"] for each in (parent, doomed, told)]
    best = min(every, key=lambda each: each[OBJECTIVE]["Value"])
    assert told["OverallBestTrainingJob"]["TrainingJobName"] == best["TrainingJobName"]
    assert told["OverallBestTrainingJob"]["TunedHyperParameters"] == best["TunedHyperParameters"]
    assert told["OverallBestTrainingJob"][OBJECTIVE]["Value"] == best[OBJECTIVE]["Value"]


def test_the_overall_best_is_the_parents_until_the_child_is_better(sagemaker, parent, make):
    worse = make("worse", max_training_jobs=1, warm_start="elder")
    ranges = worse["HyperParameterTuningJobConfig"]["ParameterRanges"]
    ranges["IntegerParameterRanges"][0] |= {"MinValue": "20", "MaxValue": "30"}
    sagemaker.create_hyper_parameter_tuning_job(**worse)
    told = until(sagemaker, "worse")
    assert told["OverallBestTrainingJob"]["TrainingJobName"] == parent["BestTrainingJob"]["TrainingJobName"]
    assert told["OverallBestTrainingJob"]["TuningJobName"] == "elder"
    assert told["BestTrainingJob"]["TrainingJobName"].startswith("worse")


def test_without_metric_definitions_a_child_has_its_parents(sagemaker, parent, make):
    asked = make("bare", max_training_jobs=1, warm_start="elder")
    own = asked["TrainingJobDefinition"]["AlgorithmSpecification"].pop("MetricDefinitions")
    sagemaker.create_hyper_parameter_tuning_job(**asked)
    told = until(sagemaker, "bare")
    assert told["TrainingJobDefinition"]["AlgorithmSpecification"]["MetricDefinitions"] == own
    assert told["ObjectiveStatusCounters"]["Succeeded"] == 1


def test_transfer_learning_has_no_overall_best(sagemaker, parent, make):
    asked = make(
        "other", strategy="Bayesian", max_training_jobs=2, warm_start="elder", warm_start_type="TransferLearning"
    )
    sagemaker.create_hyper_parameter_tuning_job(**asked)
    told = until(sagemaker, "other")
    assert told["HyperParameterTuningJobStatus"] == "Completed"
    assert "OverallBestTrainingJob" not in told


def test_every_fault_of_a_warm_start_is_named_at_once_and_nothing_is_stored(sagemaker, parent, make):
    sagemaker.create_hyper_parameter_tuning_job(**make("still-busy", static={"wait": "30"}))
    asked = make("wrong", warm_start=["elder", "nobody", "still-busy"], goal="Maximize", static={"y": "1"})
    asked["TrainingJobDefinition"]["StaticHyperParameters"]["sagemaker_program"] = "nowhere.py"
    said = refusal(sagemaker, asked)
    for words in (
        "ParentHyperParameterTuningJobs[1]: there is no tuning job called nobody here.",
        "ParentHyperParameterTuningJobs[2]: still-busy is InProgress. A parent must be Completed, Stopped or Failed.",
        "must be the parent's: elder has Minimize loss",
        "The set of tunable plus static HyperParameter names is not the same across current and parent tuning jobs.",
        "there is no file",
    ):
        assert words in said
    with pytest.raises(ClientError, match="ResourceNotFound"):
        sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName="wrong")
    six = refusal(sagemaker, make("six", warm_start=[f"p{i}" for i in range(6)]))
    assert "Member must have length less than or equal to 5" in six
    sagemaker.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName="still-busy")


def test_the_cli_replays_a_job_with_parents_and_shows_them(sagemaker, parent, make, cli):
    sagemaker.create_hyper_parameter_tuning_job(**make("heir", max_training_jobs=2, warm_start="elder"))
    until(sagemaker, "heir")
    shown = cli("describe", "heir")
    assert "IdenticalDataAndAlgorithm from elder" in shown
    assert "best with parents" in shown
    assert "MaxNumberOfTrainingJobs" in cli("replay", "heir")


def test_python_and_job_files_take_parents_and_more_than_five(tmp_path):
    space = {"x": Continuous(0, 1)}

    def tune(count, **words):
        return alfine.tune(
            lambda point: point["x"], space, max_training_jobs=count, home=tmp_path, progress=False, **words
        )

    elders = [tune(2, name=f"elder-{n}", strategy="Random", seed=n) for n in range(6)]
    youngest = tune(2, name="youngest", warm_start=[*elders[:5], "elder-5"])
    assert len(youngest.history.inherited) == 12
    assert youngest.replay([alfine.MaxNumberOfTrainingJobs(1)]).training_jobs == 1
    (tmp_path / "train.py").write_text("print('loss=1')")
    (tmp_path / "job.yaml").write_text(
        "script: train.py\nspace: {x: {min: 0.0, max: 1.0}}\nwarm_start: elder-1\nwarm_start_type: TransferLearning\n"
    )
    from alfine.api.job_file import read_job_file

    assert read_job_file(tmp_path / "job.yaml").request["WarmStartConfig"] == {
        "ParentHyperParameterTuningJobs": [{"HyperParameterTuningJobName": "elder-1"}],
        "WarmStartType": "TransferLearning",
    }

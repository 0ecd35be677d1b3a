"""Messages that name fields, as each reader gets them."""

import pickle

import pytest

from alfine.core.errors import Fault, InvalidSpec
from alfine.core.field import Face
from alfine.core.messages import Message, from_aws, naming, spelled, spelling

RANGE = "HyperParameterTuningJobConfig.ParameterRanges.ContinuousParameterRanges[0] (lr)"
BELOW = naming("{min} {} must be below {max} {}. {}.", 5, 4, naming("A fixed value belongs in {static}"))


@pytest.mark.parametrize(
    ("face", "said"),
    [
        (Face.AWS, f"{RANGE}: MinValue 5 must be below MaxValue 4. A fixed value belongs in StaticHyperParameters."),
        (Face.JOB_FILE, "space.lr: min 5 must be below max 4. A fixed value belongs in `static`."),
        (Face.PYTHON, "space.lr: low 5 must be below high 4. A fixed value belongs in `static`."),
        (Face.TUNER, "space.lr: low 5 must be below high 4. A fixed value belongs in `static`."),
        (
            Face.CONSOLE,
            "Search space.lr: MinValue 5 must be below MaxValue 4. A fixed value belongs in «Fixed hyperparameters».",
        ),
    ],
)
def test_each_reader_gets_the_names_of_their_own_face(face, said):
    assert str(spelled(Fault(RANGE, BELOW), face)) == said


def test_a_message_is_a_string_in_the_spelling_of_aws():
    assert naming("{max_parallel} {!r} is {:.1f}", "x", 2) == "MaxParallelTrainingJobs 'x' is 2.0"


def test_braces_of_a_value_are_left_alone():
    assert naming("{} needs {min}", "{max}").spelled(Face.JOB_FILE) == "{max} needs min"


def test_a_message_can_be_another_one_for_some_readers():
    message = naming("{max_resource} is missing.", instead={Face.AWS: "MaxResource parameter is not provided."})
    assert (message, message.spelled(Face.PYTHON)) == (
        "MaxResource parameter is not provided.",
        "max_resource is missing.",
    )


def test_a_term_that_does_not_exist_is_a_mistake_of_the_programmer():
    with pytest.raises(KeyError):
        naming("{max_paralel}")


def test_a_message_survives_being_pickled():
    again = pickle.loads(pickle.dumps(BELOW))
    assert isinstance(again, Message)
    assert again.spelled(Face.PYTHON) == BELOW.spelled(Face.PYTHON)


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("HyperParameterTuningJobName", "name"),
        ("HyperParameterTuningJobConfig.ResourceLimits", "max_training_jobs"),
        ("HyperParameterTuningJobConfig.ResourceLimits.MaxParallelTrainingJobs", "max_parallel"),
        ("TrainingJobDefinition.StoppingCondition.MaxRuntimeInSeconds", "max_training_job_seconds"),
        ("TrainingJobDefinition.StaticHyperParameters.depth", "static.depth"),
        ("TrainingJobDefinition.StaticHyperParameters.sagemaker_program", "script"),
        ("TrainingJobDefinition.StaticHyperParameters.alfine_function", "target"),
        ("TrainingJobDefinition.AlgorithmSpecification.MetricDefinitions[1] (auc)", "metrics.auc"),
        ("TrainingJobDefinition.InputDataConfig[0].ChannelName", "channels"),
        ("Tags.alfine:requires (depth)", "space.depth"),
        ("Tags.alfine:start-with (depth)", "start_with.depth"),
        (f"{RANGE}.ScalingType", "space.lr.scaling"),
        ("TrainingJobDefinitions[1].HyperParameterRanges.IntegerParameterRanges[0] (n)", "definitions.net.space.n"),
        ("TrainingJobDefinitions[1].TuningObjective.Type", "definitions.net.goal"),
        ("TrainingJobDefinitions[0].Environment", "definitions.tree.environment"),
        ("TrainingJobDefinitions[0].DefinitionName", "definitions"),
        ("Elsewhere.Entirely", "Elsewhere.Entirely"),
    ],
)
def test_a_path_of_a_request_is_the_place_of_a_field(path, place):
    assert spelled(Fault(path, ""), Face.JOB_FILE, ["tree", "net"]).path == place


def test_faults_raised_in_a_block_are_spelled():
    with pytest.raises(InvalidSpec) as refused, spelling(Face.PYTHON):
        raise InvalidSpec([Fault(RANGE, BELOW)])
    assert str(refused.value).startswith("space.lr: low 5")


def test_what_a_server_answers_is_searched_for_names():
    said = from_aws("MinResource 9 is above MaxResource 3 with MaxNumberOfTrainingJobsNotImproving 4.")
    assert (
        said.spelled(Face.PYTHON)
        == "min_resource 9 is above max_resource 3 with MaxNumberOfTrainingJobsNotImproving 4."
    )


def test_a_criterion_in_what_a_server_answers_keeps_its_name():
    assert (
        from_aws("MaxNumberOfTrainingJobs: 3 launched.").spelled(Face.PYTHON) == "MaxNumberOfTrainingJobs: 3 launched."
    )

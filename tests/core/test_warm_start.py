"""Which tuning jobs may be parents, and what a child takes over from them."""

import copy

import numpy as np
import pytest

from alfine import Categorical, Continuous, Integer, InvalidSpec
from alfine.core.history import History
from alfine.core.inherited import training_job_of
from alfine.core.read_spec import read_spec
from alfine.core.warm_start import faults, function_faults, inheritance
from alfine.criteria.search_space_exhausted import SearchSpaceExhausted
from alfine.jobs.policy_for import replayed
from alfine.surrogate.parent_evidence import prior, related
from tests.building import EPOCH, SPACE, history, one_job, request, several, spec

IDENTICAL, TRANSFER = "IdenticalDataAndAlgorithm", "TransferLearning"
HYPERBAND = {"strategy": "Hyperband", "max_resource": 3}
DEFINITION = "TrainingJobDefinition"


def child(**words):
    return spec(**{"name": "child", "warm_start": "job", **words})


def changed(path, value, **words):
    """A child whose definition has something else at a path."""
    asked = copy.deepcopy(request(**{"name": "child", "warm_start": "job", **words}))
    where = asked[DEFINITION]
    for key in path[:-1]:
        where = where.setdefault(key, {})
    where[path[-1]] = value
    return read_spec(asked)


def with_image(image, path=(), value=None):
    """The same of an image; without a path the parent."""
    asked = copy.deepcopy(dict(changed(path, value).request if path else request()))
    asked[DEFINITION]["AlgorithmSpecification"]["TrainingImage"] = image
    return read_spec(asked)


NAMES = "The set of tunable plus static HyperParameter names is not the same across current and parent tuning jobs."
FIELDS = (
    "Only the following fields in TrainingJobDefinition are allowed to change: [algorithmSpecification, inputDataConfig, "
    "outputDataConfig, staticHyperParameters, roleArn, resourceConfig, stoppingCondition, vpcConfig, "
    "enableManagedSpotTraining, checkpointConfig]."
)
LETTERS = {"c": Categorical([*"abcdefghi"]), **SPACE}


@pytest.mark.parametrize(
    ("of_child", "of_parent", "words"),
    [
        ({"metric": "auc"}, {}, "must be the parent's: job has Minimize objective, and this Minimize auc"),
        ({"goal": "Maximize"}, {}, "job has Minimize objective, and this Maximize objective"),
        ({"static": {"epochs": "3"}}, {}, f"{NAMES} Here: epochs only in child."),
        ({}, {"space": LETTERS}, f"{NAMES} Here: c only in job."),
        ({"space": {**SPACE, "depth": Continuous(1, 9)}}, {}, "(depth): is continuous, and integer in job"),
        ({"static": {"c": "a", "e": "2"}}, {"space": LETTERS, "static": {"e": "1"}}, "11 changes against job"),
    ],
)
def test_what_a_child_may_not_change_is_named_in_amts_words(of_child, of_parent, words):
    found = [str(fault) for fault in faults(child(**of_child), spec(**of_parent), "parents[0]")]
    assert any(words in each for each in found), found


def test_amts_list_of_what_may_change_holds_for_images():
    path = ["Environment"]
    said = [str(fault) for fault in faults(with_image("other", path, {"A": "1"}), with_image("other"), "parents[0]")]
    assert said == [f"TrainingJobDefinition: {FIELDS} Different from job: Environment."]
    theirs = with_image("other", path, {"A": "1"})
    assert "Different from child: Environment." in str(*faults(with_image("other"), theirs, "parents[0]"))
    assert not list(faults(with_image("other", path, {"A": "1"}), theirs, "parents[0]"))
    assert not list(faults(changed(path, {"A": "1"}), spec(), "")), "AMT knows no programs of this machine"


def _of_numbers(count):
    """The faults of a child that makes so many numbers static, and changes another static value."""
    numbers = {f"x{number}": Continuous(0, 1) for number in range(count)}
    parent = spec(space={**SPACE, **numbers}, static={"e": "1"})
    return faults(child(static={**dict.fromkeys(numbers, "0.5"), "e": "2"}), parent, "")


def test_what_a_child_may_change_is_no_fault():
    ten = {"space": {"c": Categorical([*"abcdefgh"]), **SPACE}, "static": {"e": "1"}}
    assert not list(faults(child(static={"c": "a", "e": "2"}), spec(**ten), "")), "8 values and 2 make 10 changes"
    assert not list(_of_numbers(8)), "8 numbers and 2 make 10 changes"
    assert "11 changes against job" in str(*_of_numbers(9))
    program = {
        "script": "other.py",
        "source_dir": "/elsewhere",
        "channels": {"train": "/d"},
        "max_training_job_seconds": 9,
    }
    assert not list(faults(child(**program), spec(), "")), "reserved names say what runs"
    assert not list(faults(changed(["EnableNetworkIsolation"], value=False), spec(), "")), "absent is false"


def test_identical_jobs_have_one_image_whatever_its_tag():
    path = ["AlgorithmSpecification", "TrainingImage"]
    assert not list(faults(changed(path, "alfine/local:2"), spec(), ""))
    assert "isn't the parent's 'alfine/local'" in str(*faults(changed(path, "other/local"), spec(), ""))
    assert not list(faults(changed(path, "other/local", warm_start_type=TRANSFER), spec(), ""))


@pytest.mark.parametrize(
    ("mine", "theirs", "is_same"),
    [
        ("host:5000/team/train:2", "host:5000/team/train", True),
        ("train@sha256:1", "train:3@sha256:2", True),
        ("host:5000/train", "host:6000/train", False),
        ("team/train", "other/train", False),
        ("train", "trainer", False),
    ],
)
def test_images_are_the_same_but_for_tags_and_digests(mine, theirs, is_same):
    path = ["AlgorithmSpecification", "TrainingImage"]
    assert (not list(faults(changed(path, mine), with_image(theirs), ""))) == is_same


@pytest.mark.parametrize(
    ("of_child", "of_parent", "said"),
    [
        ({}, {}, []),
        ({"static": {"epochs": "3"}}, {"static": {"layers": "1"}}, []),
        ({"metric": "auc"}, {}, ["HyperParameterTuningJobObjective: must be the parent's"]),
        (
            {"space": {**SPACE, "a": Integer(1, 2), "b": Integer(1, 2)}},
            {},
            ["p: job has no a, b. A parent needs every"],
        ),
        ({"space": {**SPACE, "a": Integer(1, 2)}}, {"static": {"a": "1"}}, []),
        ({}, {"space": LETTERS}, ["p: job also tuned c, so that its function is another one. Use TransferLearning."]),
        ({"warm_start_type": TRANSFER}, {"space": LETTERS}, []),
        (
            {"space": {**SPACE, "depth": Continuous(1, 9)}},
            {},
            ["ParameterRanges (depth): is continuous, and integer in"],
        ),
        ({"space": {**SPACE, "eta": Integer(1, 9)}}, {}, ["(eta): is integer, and continuous in job. The type of a"]),
    ],
)
def test_the_parent_of_a_tuner_needs_its_hyperparameters_and_no_program(of_child, of_parent, said):
    found = [str(fault) for fault in function_faults(child(**of_child), spec(**of_parent), "p")]
    assert len(found) == len(said)
    assert all(words in text for words, text in zip(said, found, strict=True)), found


def test_an_integer_range_is_explained_where_the_parents_is_continuous():
    (fault,) = function_faults(child(space={**SPACE, "eta": Integer(1, 9)}), spec(), "p")
    assert fault.message.endswith("must be the parent's. eta is an integer range with 9 values.")
    (fault,) = function_faults(child(space={**SPACE, "depth": Continuous(1, 9)}), spec(), "p")
    assert fault.message.endswith("must be the parent's.")


def test_a_job_with_several_definitions_is_no_parent_and_has_none():
    for rule in (faults, function_faults):
        assert "several training job definitions" in str(*rule(child(), read_spec(several({}, {})), "p"))
    with pytest.raises(InvalidSpec, match="WarmStartConfig: isn't allowed with TrainingJobDefinitions"):
        read_spec(several({}, warm_start="job"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"warm_start_type": "Same"}, "'Same' isn't one of IdenticalDataAndAlgorithm, TransferLearning"),
        ({"warm_start": ["a", "b", "a"]}, "'a' is there more than once"),
    ],
)
def test_a_broken_configuration_is_refused(words, said):
    with pytest.raises(InvalidSpec, match=said):
        child(**words)


def warm(past, **words):
    """The empty history of a child of it."""
    of_child = child(**words)
    return History(of_child, EPOCH, tuple(inheritance(of_child, past)))


def test_results_of_the_same_function_are_the_childs_prior_in_its_cube_minimised():
    past = history([0.5, None, 0.7], goal="Maximize")
    points, values = prior(warm(past, goal="Maximize"))
    assert list(values) == [-0.5, -0.7]
    assert np.allclose(points, past.observations()[0])
    wider = {**SPACE, "eta": Continuous(0.001, 10, scaling="Logarithmic")}
    points, _ = prior(warm(past, goal="Maximize", space=wider))
    assert np.allclose(points[0], child(space=wider).space.to_unit(past.jobs[0].hyperparameters))


def test_on_a_tie_the_best_result_is_the_parents():
    past = warm(history([0.5, 0.7]))
    for objective, better in ((0.6, 0.5), (0.5, 0.5), (0.4, None)):
        for fact in one_job(past, objective):
            past.record(fact)
        assert (past.better_inherited and past.better_inherited.objective) == better


def points_at(*depths, **words):
    past = history(**words)
    for depth in depths:
        point = {"eta": 0.1, "depth": depth, "booster": "dart"}
        for fact in one_job(past, float(depth), hyperparameters=point):
            past.record(fact)
    return past


def test_results_outside_the_childs_ranges_are_left_out():
    narrow = warm(points_at(1, 5, 9), space={**SPACE, "depth": Integer(2, 8)})
    assert list(prior(narrow)[1]) == [5.0]
    assert list(prior(warm(points_at(1), space={**SPACE, "booster": Categorical(["gbtree"])}))[1]) == []


def test_of_what_is_static_now_only_results_with_its_value_count_for_the_same_function():
    space = {name: SPACE[name] for name in ("eta", "booster")}
    assert list(prior(warm(points_at(1, 5, 5, 9), space=space, static={"depth": "5"}))[1]) == [5.0, 5.0]
    parents = related(warm(points_at(1, 5, 9), space=space, static={"depth": "5"}, warm_start_type=TRANSFER))
    assert list(parents["job"][1]) == [1.0, 5.0, 9.0]


def test_what_was_static_and_is_tuned_now_has_the_parents_value():
    space = {name: SPACE[name] for name in ("eta", "booster")}
    past = history([3.0], space=space, static={"depth": "4"})
    own = warm(past)
    assert own.spec.space.from_unit(prior(own)[0][0])["depth"] == 4


def test_texts_of_one_value_are_the_same_static_value():
    space = {name: SPACE[name] for name in ("eta", "booster")}
    assert list(prior(warm(points_at(1, 5), space=space, static={"depth": "5.0"}))[1]) == [5.0]
    space = {name: SPACE[name] for name in ("eta", "depth")}
    for booster, count in (("dart", 2), ("gbtree", 0), ("7", 0)):
        assert len(prior(warm(points_at(1, 5), space=space, static={"booster": booster}))[1]) == count


def test_what_the_child_forbids_is_left_out():
    assert list(prior(warm(points_at(1, 5), forbid="depth = 5"))[1]) == [1.0]


def test_a_parents_training_job_is_one_of_the_child_with_the_number_0():
    past = points_at(5)
    (result,) = inheritance(child(), past)
    job, theirs = training_job_of(result, child()), past.jobs[0]
    assert (job.number, job.name, job.status, job.objective) == (0, theirs.name, "Completed", 5.0)
    assert job.hyperparameters == {"eta": 0.1, "depth": 5, "booster": "dart"}
    assert (job.created_at, job.started_at, job.ended_at) == (theirs.created_at, theirs.started_at, theirs.ended_at)
    other = training_job_of(result, child(space={"booster": Categorical(["gbtree"])}))
    assert other.hyperparameters == {"eta": "0.1", "depth": "5", "booster": "dart"}, "shown as text"


def test_related_functions_are_no_prior_and_grid_has_none():
    past = history([1.0, 2.0])
    transfer = warm(past, warm_start_type=TRANSFER)
    assert len(prior(transfer)[1]) == 0
    assert len(related(transfer)["job"][1]) == 2
    few = {"space": {"c": Categorical([*"ab"])}}
    past = history(**few)
    for fact in one_job(past, 1.0, hyperparameters={"c": "a"}):
        past.record(fact)
    assert [len(prior(warm(past, **few, strategy=each))[1]) for each in ("Grid", "Random")] == [0, 1]


@pytest.mark.parametrize("kind", [IDENTICAL, TRANSFER])
def test_hyperband_listens_to_its_parents_as_bayesian_does(kind):
    from alfine.strategies import strategy_for

    past = history()
    for depth, eta in [(3, 0.3), (3, 0.03), (7, 0.1), (5, 0.1), (9, 0.5), (5, 0.01)]:
        point = {"eta": eta, "depth": depth, "booster": "dart"}
        for fact in one_job(past, abs(depth - 5) + abs(np.log10(eta) + 1), hyperparameters=point):
            past.record(fact)
    of_surrogate, own = (warm(past, warm_start_type=kind, **words) for words in ({}, HYPERBAND))
    cold = History(child(**HYPERBAND), EPOCH)
    asked, expected, alone = (strategy_for(each.spec).ask(each) for each in (own, of_surrogate, cold))
    assert asked == expected != alone


def test_random_tries_nothing_of_a_finite_space_that_a_parent_has_tried():
    few = {"space": {"c": Categorical([*"abcd"])}, "strategy": "Random"}
    past = history(**few)
    for letter in "ab":
        for fact in one_job(past, 1.0, hyperparameters={"c": letter}):
            past.record(fact)
    from alfine.strategies import strategy_for

    own = warm(past, **few)
    tried = []
    while (suggestion := strategy_for(own.spec).ask(own)) is not None:
        tried.append(suggestion.hyperparameters["c"])
        for fact in one_job(own, 1.0, hyperparameters=suggestion.hyperparameters):
            own.record(fact)
    assert sorted(tried) == ["c", "d"]
    assert "4 of the 4 configurations of the search space have been launched, here or by a parent" in (
        SearchSpaceExhausted().check(own).sentence
    )
    other = warm(past, **few, warm_start_type=TRANSFER)
    assert SearchSpaceExhausted().check(other).sentence == (
        "0 of the 4 configurations of the search space have been launched."
    )


def test_other_times_and_other_criteria_keep_what_was_inherited():
    own = warm(history([1.0, 2.0]), max_training_jobs=1)
    for fact in one_job(own, 3.0):
        own.record(fact)
    assert len(prior(own.upto(1))[1]) == 2
    assert len(prior(replayed(own).history)[1]) == 2

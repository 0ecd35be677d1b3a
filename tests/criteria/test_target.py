import pytest

from alfine import InvalidSpec, TargetObjectiveMetricValue
from alfine.core.verdict import Outlook
from tests.building import history, one_job


@pytest.mark.parametrize(
    ("goal", "target", "best", "outlook"),
    [
        ("Maximize", 0.9, 0.89, Outlook.CONTINUE),
        ("Maximize", 0.9, 0.9, Outlook.STOP),
        ("Maximize", 0.9, 0.95, Outlook.STOP),
        ("Minimize", 0.1, 0.11, Outlook.CONTINUE),
        ("Minimize", 0.1, 0.1, Outlook.STOP),
        ("Minimize", -5.0, -6.0, Outlook.STOP),
    ],
)
def test_reaching_the_target_counts_as_met(goal, target, best, outlook):
    assert TargetObjectiveMetricValue(target).check(history([best], goal=goal)).outlook is outlook


def test_intermediate_values_do_not_count():
    past = history([5.0])
    for fact in one_job(past, 3.0, reports=[0.5])[:-1]:
        past.record(fact)
    assert TargetObjectiveMetricValue(1.0).check(past).outlook is Outlook.CONTINUE


def test_without_an_objective_it_says_so():
    verdict = TargetObjectiveMetricValue(1.0).check(history([None]))
    assert (verdict.outlook, verdict.sentence) == (Outlook.CONTINUE, "No objective yet; the target is 1.")


def test_progress_is_the_share_of_the_way_from_the_first_objective():
    assert TargetObjectiveMetricValue(0.0).check(history([10.0, 2.5])).progress == 0.75


@pytest.mark.parametrize("target", [float("nan"), "0.9", None, True])
def test_a_target_must_be_a_finite_number(target):
    with pytest.raises(InvalidSpec, match="must be a finite number"):
        TargetObjectiveMetricValue(target)

import pytest

from alfine import BestObjectiveNotImproving, InvalidSpec
from alfine.core.verdict import Outlook
from alfine.criteria.plateau import not_improving
from tests.building import history


@pytest.mark.parametrize(
    ("objectives", "count"),
    [
        ([], 0),
        ([1.0], 0),
        ([1.0, 1.0], 1),
        ([1.0, 2.0, 3.0], 2),
        ([1.0, 0.995, 0.99], 0),  # 0.995 isn't 1 % better, 0.99 is exactly
        ([1.0, 0.995, 0.991], 2),
        ([100.0, 99.0], 0),  # 1 %, without an error of rounding
        ([1.0, 0.5, 0.6], 1),
        ([1.0, None, 0.9, None], 0),  # what failed wasn't evaluated
        ([1.0, 1.0, None, 1.0], 2),
        ([0.0, -1e-9], 0),  # at 0 any improvement counts
        ([-1.0, -1.005, -1.01], 0),  # 1 % of the absolute value
    ],
)
def test_only_an_improvement_of_one_percent_resets_the_count(objectives, count):
    assert not_improving(history(objectives)) == count


def test_creeping_gains_add_up_to_an_improvement():
    assert not_improving(history([1.0, 0.996, 0.992, 0.988])) == 0


def test_strict_counts_every_improvement():
    assert not_improving(history([1.0, 0.9999]), strict=True) == 0


def test_maximising_counts_upwards():
    assert not_improving(history([0.5, 0.6, 0.6], goal="Maximize")) == 1


def test_it_stops_at_the_limit_and_says_how_near_it_is():
    criterion = BestObjectiveNotImproving(3)
    near = criterion.check(history([1.0, 2.0, 2.0]))
    assert (near.outlook, near.progress) == (Outlook.CONTINUE, 2 / 3)
    assert near.sentence == "2 of 3 training jobs in a row without improving the best by 1 % or more."
    met = criterion.check(history([1.0, 2.0, 2.0, 2.0]))
    assert (met.outlook, met.status, dict(met.evidence)) == (
        Outlook.STOP,
        "Completed",
        {"not_improving": 3, "limit": 3, "left": 0, "resets_at": 0.99},
    )


@pytest.mark.parametrize("n", [2, 0, -1, 2.5, True])
def test_fewer_than_three_is_refused_as_by_amt(n):
    with pytest.raises(InvalidSpec, match="must be a whole number from 3 on"):
        BestObjectiveNotImproving(n)

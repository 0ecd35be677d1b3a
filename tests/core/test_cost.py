from alfine import MaxRuntimeInSeconds
from alfine.core import cost
from tests.building import history, spec


def test_the_bound_is_amts_formula():
    bound = cost.bound(spec(criteria=[MaxRuntimeInSeconds(3600)], max_parallel=4, instances=2, price_per_hour=0.5))
    assert (bound.compute_seconds, bound.money) == (28800.0, 4.0)


def test_the_number_of_training_jobs_times_their_own_limit_can_be_less():
    bound = cost.bound(spec(criteria=[MaxRuntimeInSeconds(3600)], max_training_jobs=10, max_training_job_seconds=60))
    assert (bound.compute_seconds, bound.money) == (600.0, None)


def test_nothing_bounds_a_job_without_a_limit_in_time():
    assert cost.bound(spec(max_training_jobs=10)) is None


def test_what_was_spent_is_the_training_time():
    spent = cost.spent(history([1.0, 2.0, None], price_per_hour=3600))
    assert (spent.compute_seconds, spent.money) == (3.0, 3.0)


def test_what_was_saved_is_the_rest_at_the_mean_of_the_others():
    assert cost.saved(history([1.0, 2.0], max_training_jobs=10)).compute_seconds == 8.0
    assert cost.saved(history([1.0, 2.0], max_training_jobs=2)).compute_seconds == 0.0
    assert cost.saved(history([1.0])) is None

"""What a warm start is worth to the Bayesian strategy, and what it costs when the parents mislead."""

import numpy as np

from alfine import Continuous
from alfine.core.history import History
from alfine.core.warm_start import inheritance
from alfine.strategies import strategy_for
from tests.building import EPOCH, history, one_job, spec

SPACE = {"x": Continuous(0, 1), "y": Continuous(0, 1)}


def bowl(x, y):
    return (x - 0.8) ** 2 + (y - 0.2) ** 2


def search(past, objective, count):
    strategy = strategy_for(past.spec)
    for _ in range(count):
        point = strategy.ask(past).hyperparameters
        for fact in one_job(past, objective(point), hyperparameters=point):
            past.record(fact)
    return [job.objective for job in past.jobs]


def parent(objective, **words):
    past = history(space=SPACE, strategy="Random", seed=3, **words)
    search(past, objective, 25)
    return past


def warm(past, kind, seed=5):
    own = spec(name="child", space=SPACE, seed=seed, warm_start="job", warm_start_type=kind)
    return History(own, EPOCH, tuple(inheritance(own, past)))


def cold(seed=5):
    return History(spec(name="child", space=SPACE, seed=seed), EPOCH)


def test_results_of_the_same_function_replace_the_initial_design():
    past = parent(lambda point: bowl(**point))
    found = search(warm(past, "IdenticalDataAndAlgorithm"), lambda point: bowl(**point), 3)
    assert min(found) < min(job.objective for job in past.finished)
    assert min(found) < min(search(cold(), lambda point: bowl(**point), 3))


def test_a_related_parent_shows_at_once_where_it_is_good_on_whatever_scale():
    past = parent(lambda point: 1e6 * bowl(**point) ** 3 + 7)
    found = search(warm(past, "TransferLearning"), lambda point: bowl(**point), 2)
    assert min(found) < 0.1 * np.median([bowl(x, y) for x in np.linspace(0, 1, 9) for y in np.linspace(0, 1, 9)])


def test_a_parent_that_misleads_costs_a_few_training_jobs_only():
    past = parent(lambda point: -bowl(**point))
    for seed in (5, 6, 7):
        found = search(warm(past, "TransferLearning", seed), lambda point: bowl(**point), 20)
        assert min(found) < 0.01


def test_the_same_history_gets_the_same_advice():
    past = parent(lambda point: bowl(**point))
    own = warm(past, "TransferLearning")
    search(own, lambda point: bowl(**point), 4)
    fresh = own.upto(len(own.facts))
    assert strategy_for(own.spec).ask(own) == strategy_for(own.spec).ask(fresh)

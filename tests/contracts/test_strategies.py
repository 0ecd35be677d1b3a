"""What every strategy owes, whichever it is: the suite runs over the table."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alfine import Categorical, Continuous, Integer
from alfine.core.facts import Launched
from alfine.strategies import STRATEGIES, strategy_for
from tests.building import SPACE, history, one_job

FINITE = {"a": Categorical(["x", "y", "z"]), "b": Categorical(["1", "2"])}
CONDITIONAL = {  # 7 configurations, 5 of them allowed
    "a": Categorical(["x", "y", "z"]),
    "b": Categorical(["1", "2"], requires={"a": ["x", "y"]}),
    "c": Categorical(["p", "q", "r"], requires="a = y and b = 2"),
}
FORBIDDEN = "b = 2 and c != q"
NETWORK = {
    "optimizer": Categorical(["adam", "sgd"]),
    "momentum": Continuous(0, 0.99, requires={"optimizer": "sgd"}),
    "layers": Integer(1, 3),
    "width2": Integer(8, 640, scaling="Logarithmic", requires={"layers": ">= 2"}),
    "gate": Categorical(["on", "off", "auto"], requires=[{"optimizer": "adam", "layers": 3}, {"layers": 1}]),
}
NEVER = [{"optimizer": "sgd", "layers": 3}, {"momentum": "> 0.5", "width2": "< 100"}]
WORDS = {
    "Random": {"space": SPACE},
    "Bayesian": {"space": SPACE},
    "Hyperband": {"space": SPACE, "max_resource": 9},
    "Grid": {"space": FINITE},
}
objectives = st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6, allow_nan=False)), max_size=14)
each = pytest.mark.parametrize("name", STRATEGIES)


def test_every_strategy_of_the_table_is_in_this_suite():
    assert set(WORDS) == set(STRATEGIES)


def played(name, values, **words):
    """A history in which each training job was suggested by the strategy itself."""
    past = history(strategy=name, **{**WORDS[name], **words})
    strategy = strategy_for(past.spec)
    for value in values:
        suggestion = strategy.ask(past)
        if suggestion is None:
            break
        status = "Failed" if value is None else "Completed"
        for fact in one_job(past, value, status=status, hyperparameters=suggestion.hyperparameters):
            past.record(fact)
    return strategy, past


@each
@settings(max_examples=8)
@given(values=objectives)
def test_same_history_same_suggestion(name, values):
    strategy, past = played(name, values)
    again, same = played(name, values)
    assert strategy.ask(past) == strategy.ask(past) == again.ask(same)
    fresh = past.upto(len(past.facts))  # no cache of an earlier call is in it
    assert strategy.ask(past) == strategy.ask(fresh)


@each
@settings(max_examples=8)
@given(values=objectives)
def test_every_suggestion_lies_in_its_space(name, values):
    strategy, past = played(name, values)
    suggestion = strategy.ask(past)
    for job in past.jobs:
        past.spec.space.check(job.hyperparameters)
    if suggestion is not None:
        past.spec.space.check(suggestion.hyperparameters)


@each
def test_a_finite_space_is_exhausted_exactly_once(name):
    strategy, past = played(name, [float(i % 4) for i in range(50)], space=FINITE)
    assert past.launches == 6
    assert len({tuple(job.hyperparameters.items()) for job in past.jobs}) == 6
    assert strategy.ask(past) is None


@each
@settings(max_examples=8)
@given(values=st.lists(st.one_of(st.none(), st.floats(-1e3, 1e3)), min_size=14, max_size=14))
def test_a_conditional_space_is_exhausted_exactly_once(name, values):
    strategy, past = played(name, values, space=CONDITIONAL, forbid=FORBIDDEN)
    assert past.launches == past.spec.size == 5
    assert len({tuple(job.hyperparameters.items()) for job in past.jobs}) == 5
    assert strategy.ask(past) is None
    for job in past.jobs:
        past.spec.space.check(job.hyperparameters)


@pytest.mark.parametrize("name", ["Random", "Bayesian", "Hyperband"])
@settings(max_examples=4)
@given(values=st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), min_size=12, max_size=16), seed=st.integers(0, 99))
def test_suggestions_keep_to_conditions_and_constraints(name, values, seed):
    strategy, past = played(name, values, space=NETWORK, forbid=NEVER, seed=seed)
    for job in past.jobs:
        past.spec.space.check(job.hyperparameters)
    fresh = past.upto(len(past.facts))
    assert strategy.ask(past) == strategy.ask(fresh)


@pytest.mark.parametrize("name", ["Random", "Bayesian"])
def test_where_little_is_allowed_it_is_still_found(name):
    space = {"x": Continuous(0, 1), "y": Continuous(0, 1), "n": Integer(1, 50)}
    _, past = played(name, [float(i) for i in range(12)], space=space, forbid=["x > 0.05", "y > 0.05", "n != 7"])
    for job in past.jobs:
        past.spec.space.check(job.hyperparameters)
    assert len({tuple(job.hyperparameters.items()) for job in past.jobs}) == 12


@each
def test_parallel_suggestions_differ_from_each_other(name):
    strategy, past = played(name, [3.0, 1.0, 2.0])
    asked = []
    for _ in range(3):
        suggestion = strategy.ask(past)
        asked.append(tuple(suggestion.hyperparameters.values()))
        past = past.with_launch(suggestion.hyperparameters)
    assert len(set(asked)) == 3


@pytest.mark.parametrize("name", ["Random", "Bayesian", "Hyperband"])
def test_another_seed_suggests_otherwise(name):
    first, second = (played(name, [], seed=seed)[1] for seed in (1, 2))
    assert strategy_for(first.spec).ask(first) != strategy_for(second.spec).ask(second)


@pytest.mark.parametrize("name", ["Random", "Bayesian"])
@pytest.mark.parametrize(
    "space",
    [
        {"x": Continuous(0, 1)},
        {"n": Integer(0, 1)},
        {"c": Categorical(["only"]), "x": Continuous(1e-9, 1e9, scaling="Logarithmic")},
        {f"x{i}": Continuous(0, 1) for i in range(12)},
    ],
    ids=["one real", "two integers", "one category", "twelve reals"],
)
def test_odd_spaces_are_searched_too(name, space):
    strategy, past = played(name, [1.0, 1.0, None, 1e308, -1e308, 0.0, 1.0], space=space)
    suggestion = strategy.ask(past)
    if past.spec.space.size is None:
        past.spec.space.check(suggestion.hyperparameters)


def test_random_draws_do_not_depend_on_the_order_of_completion():
    one = history([1.0, 2.0], strategy="Random")
    other = history(strategy="Random")
    for number in (1, 2):
        job = one.job(number)
        other.record(Launched(at=other.now, number=number, name=job.name, hyperparameters=job.hyperparameters))
    assert strategy_for(one.spec).ask(one) == strategy_for(other.spec).ask(other)


def test_another_process_suggests_the_same_whatever_its_hashes_and_its_threads():
    def told(hashes, threads):
        names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
        environment = {**os.environ, "PYTHONHASHSEED": hashes, **dict.fromkeys(names, threads)}
        command, folder = [sys.executable, "-m", "tests.contracts.played"], Path(__file__).parents[2]
        run = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=True)
        return run.stdout

    assert told("1", "1") == told("2", "4") != ""

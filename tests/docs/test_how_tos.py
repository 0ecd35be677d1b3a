"""The examples of docs/how-to/add-a-*.md: linted like alfine's own code, and tried with good and with bad input."""

import itertools
import re
import subprocess
import sys
import threading
import time
import types
from pathlib import Path

import pytest

import alfine
import alfine.core.spec
from alfine import Categorical, Continuous, Integer
from alfine.core.errors import InvalidSpec
from alfine.core.facts import Launched, Reported, Started
from alfine.core.read_spec import read_spec
from alfine.core.verdict import Outlook, Verdict
from alfine.criteria import CRITERIA, criteria_for, criterion_from_text, text_format
from alfine.criteria import table as criteria_table
from alfine.runners.executor import LocalLaunch
from alfine.strategies import STRATEGIES
from alfine.strategies import table as strategies_table
from tests.building import history, request, spec
from tests.contracts import test_strategies as strategy_suite

ROOT = Path(__file__).parents[2]
HOW_TOS = ROOT / "docs/how-to"
PAGES = ("add-a-criterion", "add-a-strategy", "add-a-runner")


def blocks(page):
    return re.findall(r"```python\n(.*?)```", (HOW_TOS / f"{page}.md").read_text(), re.DOTALL)


def example(page, number=0):
    """The names that an example defines."""
    module = types.ModuleType(page.replace("-", "_"))
    sys.modules[module.__name__] = module  # where dataclasses look for what annotations name
    exec(compile(blocks(page)[number], f"{page}.md", "exec"), module.__dict__)
    return module.__dict__


EXAMPLES = [(page, number) for page in PAGES for number in range(len(blocks(page)))]


@pytest.mark.parametrize(("page", "number"), EXAMPLES)
@pytest.mark.parametrize("command", [["check", "--quiet"], ["format", "--check", "--quiet"]], ids=["check", "format"])
def test_an_example_is_linted_like_alfines_own_code(page, number, command):
    words = [
        sys.executable,
        "-m",
        "ruff",
        *command,
        "--stdin-filename",
        f"docs/how-to/{page.replace('-', '_')}.py",
        "-",
    ]
    run = subprocess.run(words, input=blocks(page)[number], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


# -- a criterion ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def enough_tried(monkeypatch):
    """The class, in the table of all criteria."""
    kind = example("add-a-criterion")["EnoughTried"]
    monkeypatch.setitem(CRITERIA, "EnoughTried", kind)
    criteria_table.cache_clear()
    yield kind
    criteria_table.cache_clear()


def test_the_criterion_is_met_once_enough_training_jobs_have_ended(enough_tried):
    verdicts = [enough_tried(2).check(history([1.0] * count)) for count in range(4)]
    assert [verdict.outlook for verdict in verdicts] == [Outlook.CONTINUE] * 2 + [Outlook.STOP] * 2
    for verdict in verdicts:
        assert 0 <= verdict.progress <= 1
        assert verdict.sentence.endswith(".")
        assert verdict.would_change.endswith(".")
        assert "-" not in verdict.sentence + verdict.would_change
        assert Verdict.from_dict(verdict.as_dict()) == verdict


@pytest.mark.parametrize("text", ["EnoughTried 12", "EnoughTried count=12", "EnoughTried(12)"])
def test_the_criterion_is_read_from_text_and_survives_the_request(enough_tried, text):
    criterion = criterion_from_text(text)
    assert criterion == enough_tried(12)
    asked = request(criteria=[criterion])
    assert criterion in criteria_for(read_spec(asked))
    assert criterion_from_text(text_format.say(criterion)) == criterion


@pytest.mark.parametrize("setting", ["abc", "-3", "0", "1.5", "true", "nan", "", "3 4", "cuont=3"])
def test_absurd_settings_of_the_criterion_are_refused(enough_tried, setting):
    with pytest.raises(InvalidSpec) as error:
        criterion_from_text(f"EnoughTried {setting}")
    assert "EnoughTried" in str(error.value)
    tagged = {**request(), "Tags": [{"Key": "alfine:EnoughTried", "Value": setting}]}
    with pytest.raises(InvalidSpec):
        criteria_for(read_spec(tagged))


def test_a_tuning_job_ends_by_the_criterion(enough_tried, tmp_path):
    job = alfine.tune(
        lambda values: values["x"], {"x": Continuous(0, 1)}, home=tmp_path, criteria=["EnoughTried 3"], progress=False
    )
    assert (len(job.training_jobs), job.verdict.criterion) == (3, "EnoughTried")


def test_the_forecast_knows_when_the_criterion_ends_the_job(enough_tried):
    tuner = alfine.Tuner({"x": Continuous(0, 1)}, strategy="Random", criteria=["EnoughTried 15"], max_training_jobs=100)
    for _ in range(12):
        training_job = tuner.ask()
        tuner.tell(training_job, training_job.hyperparameters["x"])
    forecast = tuner.forecast()
    assert forecast.training_jobs == (3, 3, 3)
    assert forecast.chances["EnoughTried"] == 1.0


# -- a strategy ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def halton(monkeypatch):
    kind = example("add-a-strategy")["Halton"]
    monkeypatch.setitem(STRATEGIES, "Halton", kind)
    monkeypatch.setitem(strategy_suite.WORDS, "Halton", {"space": strategy_suite.SPACE})
    monkeypatch.setattr("alfine.core.spec.STRATEGIES", (*alfine.core.spec.STRATEGIES, "Halton"))
    caches = (strategies_table, alfine.core.spec.strategies)
    for cached in caches:
        cached.cache_clear()
    yield kind
    for cached in caches:
        cached.cache_clear()


VALUES = [3.0, 1.0, None, 2.0, 0.5, -1.0, 7.0, None, 0.25, 4.0, 1.5, 0.0, 2.5, 1.25]


@pytest.mark.parametrize(
    "test",
    [
        strategy_suite.test_same_history_same_suggestion,
        strategy_suite.test_every_suggestion_lies_in_its_space,
        strategy_suite.test_a_conditional_space_is_exhausted_exactly_once,
        strategy_suite.test_suggestions_keep_to_conditions_and_constraints,
    ],
    ids=lambda test: test.__name__,
)
def test_the_strategy_passes_the_contract_suite(halton, test):
    more = {"seed": 1} if "seed" in test.__code__.co_varnames or "conditions_and" in test.__name__ else {}
    test.hypothesis.inner_test(name="Halton", values=VALUES, **more)


def test_the_strategy_exhausts_a_finite_space_and_suggests_different_points_in_parallel(halton):
    strategy_suite.test_a_finite_space_is_exhausted_exactly_once("Halton")
    strategy_suite.test_parallel_suggestions_differ_from_each_other("Halton")
    strategy_suite.test_another_seed_suggests_otherwise("Halton")


def test_a_misspelt_strategy_is_refused_with_the_names_of_all(halton):
    with pytest.raises(InvalidSpec, match="Halton"):
        alfine.Tuner({"x": Continuous(0, 1)}, strategy="Haltn")


def test_the_strategy_searches_a_mixed_space(halton):
    space = {"lr": Continuous(1e-4, 1, scaling="Logarithmic"), "n": Integer(1, 9), "c": Categorical(["a", "b"])}
    tuner = alfine.Tuner(space, strategy="Halton", max_training_jobs=30)
    for training_job in iter(tuner.ask, None):
        tuner.tell(training_job, training_job.hyperparameters["lr"])
    assert len({tuple(job.hyperparameters.values()) for job in tuner.training_jobs}) == 30


@pytest.mark.parametrize(("value", "stopped"), [(1.0, []), (100.0, []), (101.0, [1]), (float("inf"), [1])])
def test_the_early_stopping_example_stops_what_diverges(value, stopped):
    rule = example("add-a-strategy", 1)["StopsDiverged"]()
    past = history()
    facts = [
        Launched(at=past.now, number=1, name="job-001", hyperparameters=past.spec.space.sample(past.rng())),
        Started(at=past.now, number=1),
        Reported(at=past.now, number=1, metric=spec().metric, step=1, value=value),
    ]
    assert list(rule.stops(past)) == []
    for fact in facts:
        past.record(fact)
    assert [stop.number for stop in rule.stops(past)] == stopped


# -- a runner ------------------------------------------------------------------------------------------------------------

PATIENCE_SECONDS = 20.0


@pytest.fixture
def nice(tmp_path):
    """How to start one command under the runner: the runner, and the launch."""
    runner = example("add-a-runner")["NiceRunner"](lambda: None)
    numbers = itertools.count()

    def launched(*command, **words):
        launch = LocalLaunch(name="job", folder=tmp_path / f"job-{next(numbers)}", command=command, **words)
        return runner, launch

    return launched


def seen_out(runner, launch):
    """(all lines, the exit) of a training job, polled as the engine does."""
    lines, offset, bell = [], 0, threading.Event()
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        seen = runner.poll(launch, offset)
        if seen is not None:
            lines += seen.lines
            offset = seen.offset
            if seen.exit is not None:
                return lines, seen
        bell.wait(0.02)
    raise AssertionError(f"no end after {PATIENCE_SECONDS} s: {lines}")


def test_the_runner_runs_a_command_with_its_hyperparameters(nice):
    runner, launch = nice("/bin/echo", "loss=0.5", hyperparameters={"lr": "0.1"})
    assert runner.poll(launch, 0) is None
    runner.start(launch)
    lines, last = seen_out(runner, launch)
    assert lines == ["loss=0.5 --lr 0.1"]
    assert last.exit.succeeded
    assert last.started_at <= last.ended_at


def test_started_twice_by_two_runners_it_is_one_training_job(nice):
    runner, launch = nice("/bin/sh", "-c", "echo x >> mark")
    for each in (runner, example("add-a-runner")["NiceRunner"](lambda: None), runner):
        each.start(launch)
    seen_out(runner, launch)
    runner.start(launch)
    seen_out(runner, launch)
    assert (launch.folder / "mark").read_text() == "x\n"


@pytest.mark.parametrize("command", [("/bin/sh", "-c", "echo too big >&2; exit 3"), ("/no/such/program",), ()])
def test_a_command_that_fails_or_does_not_exist_is_an_exit_with_a_reason(nice, command):
    runner, launch = nice(*command)
    runner.start(launch)
    _, last = seen_out(runner, launch)
    assert not last.exit.succeeded
    assert "AlgorithmError" in last.exit.reason()


def test_a_stopped_training_job_keeps_its_lines(nice):
    runner, launch = nice("/bin/sh", "-c", "trap 'exit 143' TERM; echo ready; while :; do sleep 0.05; done")
    runner.stop(launch)  # never started: nothing happens
    runner.start(launch)
    until = time.monotonic() + PATIENCE_SECONDS
    while not ((seen := runner.poll(launch, 0)) and "ready" in seen.lines) and time.monotonic() < until:
        threading.Event().wait(0.02)
    runner.stop(launch)
    runner.stop(launch)
    lines, last = seen_out(runner, launch)
    assert lines[0] == "ready"
    assert last.exit.cause == "stopped"
    assert last.exit.reason() is None

"""The form of a replay: completion criteria with their settings, each a number field with a slider."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from alfine.core import cost
from alfine.core.errors import Fault, InvalidSpec
from alfine.core.history import History
from alfine.core.protocols import CompletionCriterion
from alfine.core.wording import short
from alfine.criteria import criterion_from_text
from alfine.criteria.convergence import ConvergenceDetected
from alfine.criteria.max_cost import MaxCost
from alfine.criteria.max_number_of_training_jobs import MaxNumberOfTrainingJobs
from alfine.criteria.max_runtime_in_seconds import MaxRuntimeInSeconds
from alfine.criteria.plateau import LEAST, BestObjectiveNotImproving
from alfine.criteria.target import TargetObjectiveMetricValue
from alfine.criteria.text_format import say
from alfine.figures.best_so_far import frame_of

PATIENCE = (10, 30, 200)
"""Training jobs without improvement: the value at first; where the slider ends, at least and at most."""

SLIDER_STEPS = 200
"""Steps of the slider of a number that isn't whole."""

NUMBER = re.compile(r"[-+]?[0-9.]{1,30}(?:[eE][-+]?[0-9]{1,3})?")
"""The numbers that a field takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A number of a criterion.

    Attributes:
        name: Its field in the form.
        label: What it is, with its unit.
        low: Where its slider begins.
        high: Where its slider ends.
        step: The step of the slider.
        value: Its value, as text.
    """

    name: str
    label: str
    low: float
    high: float
    step: float
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A criterion that the form offers.

    Attributes:
        criterion: Its class.
        on: Whether it is replayed.
        settings: Its numbers, in the order of the class.
    """

    criterion: type[CompletionCriterion]
    on: bool
    settings: tuple[Setting, ...]

    @property
    def name(self) -> str:
        return self.criterion.__name__

    def text(self) -> str:
        """Return the criterion as text.

        Raises:
            InvalidSpec: A setting isn't a number, or the criterion refuses it.
        """
        for setting in self.settings:
            if not NUMBER.fullmatch(setting.value):
                raise InvalidSpec([Fault(setting.label, f"{setting.value[:40]!r} must be a number.")])
        text = " ".join([self.name, *(setting.value for setting in self.settings)])
        criterion = criterion_from_text(text)
        return text if len(self.settings) == 1 else say(criterion)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayForm:
    """The form as somebody has filled it in.

    Attributes:
        choices: The criteria with sliders.
        more: Further criteria, one a line.
    """

    choices: Sequence[Choice]
    more: str

    def texts(self) -> list[str]:
        """Return the criteria to replay, as texts; none stands for the job's own.

        Raises:
            InvalidSpec: A setting of a criterion isn't possible.
        """
        lines = [line.strip() for line in self.more.splitlines()]
        return [*(choice.text() for choice in self.choices if choice.on), *(line for line in lines if line)]


def form_of(history: History, query: Mapping[str, str], used: Sequence[str]) -> ReplayForm:
    """Return the form for a recorded job.

    Args:
        history: The job.
        query: The fields as they were sent; empty at first.
        used: The criteria that were ticked.
    """
    first = not used and "criteria" not in query
    choices = []
    for offered in _offered(history):
        settings = tuple(
            Setting(
                name=s.name,
                label=s.label,
                low=s.low,
                high=s.high,
                step=s.step,
                value=query.get(s.name, s.value).strip(),
            )
            for s in offered.settings
        )
        on = offered.on if first else offered.name in used
        choices.append(Choice(criterion=offered.criterion, on=on, settings=settings))
    return ReplayForm(choices=choices, more=query.get("criteria", ""))


def _offered(history: History) -> Iterator[Choice]:
    """Yield the criteria that the form offers at first, with settings that fit the record."""
    launches, spec = max(1, history.launches), history.spec
    patience, least_end, most_end = PATIENCE
    end = min(most_end, max(least_end, launches))
    yield _choice(
        BestObjectiveNotImproving, _whole("training jobs in a row without improvement", patience, LEAST, end), on=True
    )
    matters = ("improvement that matters, as a share of the best", 0.001, 0.1, 0.001, "0.01")
    chance = ("chance of one below which the job ends", 0.001, 0.5, 0.001, "0.05")
    yield _choice(ConvergenceDetected, matters, chance, on=True)
    target = TargetObjectiveMetricValue.from_spec(spec)
    if history.incumbent is not None:
        ends = frame_of([job for job in history.finished if job.objective is not None], history.sign)
        low, high = ends if history.sign > 0 else (-ends[1], -ends[0])
        at = short(float((low + high) / 2)) if target is None else say(target).split()[-1]
        yield _choice(TargetObjectiveMetricValue, _any(f"{spec.metric}", low, high, at), on=target is not None)
    yield _choice(MaxNumberOfTrainingJobs, _whole("training jobs", max(1, launches // 2), 1, launches), on=False)
    seconds = max(2, math.ceil(history.elapsed_seconds))
    yield _choice(MaxRuntimeInSeconds, _whole("seconds since its creation", seconds // 2, 1, seconds), on=False)
    spent = cost.spent(history).money
    if spent:
        yield _choice(MaxCost, _any("USD", spent / SLIDER_STEPS, spent, short(spent / 2)), on=False)


_Described = tuple[str, float, float, float, str]
"""Label, begin, end and step of a slider, and its first value."""


def _choice(criterion: type[CompletionCriterion], *described: _Described, on: bool) -> Choice:
    name = criterion.__name__
    settings = tuple(
        Setting(name=f"{name}.{i}", label=label, low=low, high=high, step=step, value=value)
        for i, (label, low, high, step, value) in enumerate(described)
    )
    return Choice(criterion=criterion, on=on, settings=settings)


def _whole(label: str, value: int, low: int, high: int) -> _Described:
    return label, low, max(high, low + 1), 1, str(value)


def _any(label: str, low: float, high: float, value: str) -> _Described:
    """Return a slider whose ends and steps are round numbers."""
    step = 10.0 ** math.floor(math.log10((high - low) / SLIDER_STEPS or 1.0))
    return label, float(short(math.floor(low / step) * step)), float(short(math.ceil(high / step) * step)), step, value

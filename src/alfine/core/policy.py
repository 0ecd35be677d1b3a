"""The heart: a history goes in, a decision comes out.

Three protocols say what can be plugged in; `Policy` is the only place where the three meet. Everything here is a pure
function of the history: asked twice it answers the same, after a restart too, and how often anybody asks changes nothing.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol, Self, runtime_checkable

from alfine.core.errors import Fault
from alfine.core.history import History
from alfine.core.space import Hyperparameters
from alfine.core.spec import TuningJobSpec
from alfine.core.training_job import TrainingJob


class Outlook(StrEnum):
    """What a verdict asks for, from the weakest to the strongest."""

    CONTINUE = "CONTINUE"
    DRAIN = "DRAIN"  # launch no more; let the running training jobs finish
    STOP = "STOP"  # launch no more; stop the running ones too

    @property
    def rank(self) -> int:
        return _RANKS[self]


PARTS = "criteria"
"""The key in a verdict's evidence, as JSON, for the verdicts of a combination's parts."""

_STATUS_RANKS = {"Completed": 0, "Failed": 1, "Stopped": 2}
_RANKS = {outlook: rank for rank, outlook in enumerate(Outlook)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """What to try next."""

    hyperparameters: Hyperparameters
    definition: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """A training job to stop, and why. at_its_end: it has had all that any may have, one that is run again, too."""

    number: int
    reason: str
    at_its_end: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a completion criterion answers: an outlook, a sentence for people, and the numbers that the sentence rests on.

    A criterion answers in full while it lets the job continue, too: people read why the job goes on.

    Attributes:
        outlook: What the criterion asks for.
        criterion: The name of the criterion's class.
        sentence: What the criterion found, for people. A limit's sentence becomes the reason why training jobs were stopped.
        evidence: The numbers, as JSON can hold them. The class may name them for people (`CompletionCriterion.labels`).
        status: The status that the tuning job ends with, if it ends by this verdict.
        progress: How near the end is, from 0 (far) to 1 (there).
        would_change: What would change the answer, as a sentence.
        ask_again_at: The instant at which time alone could change the answer; None when only a new fact can.
        watching: Whether the criterion only observes: it never ends the job.
        is_limit: Whether the criterion is a limit (`CompletionCriterion.is_limit`); `verdict_of` sets it.
        parts: The verdicts of the criteria that a combination is made of.
        needed: How many of `parts` must be met; 0 without parts.
    """

    outlook: Outlook
    criterion: str
    sentence: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    status: str = "Completed"
    progress: float = 0.0
    would_change: str = ""
    ask_again_at: datetime | None = None
    watching: bool = False
    is_limit: bool = False
    parts: tuple[Verdict, ...] = ()
    needed: int = 0

    @property
    def strength(self) -> tuple[int, int]:
        """For comparison: the stronger outlook wins; then the user's stop, then a failure, then what completes the job."""
        return self.outlook.rank, 0 if self.outlook is Outlook.CONTINUE else _STATUS_RANKS[self.status]

    def as_dict(self) -> dict[str, Any]:
        """Return the verdict as the store keeps it and clients see it; the parts stand in the evidence, as `criteria`."""
        parts = {PARTS: [part.as_dict() for part in self.parts]} if self.parts else {}
        flags = {"watching": self.watching, "is_limit": self.is_limit}
        return {
            "outlook": str(self.outlook),
            "criterion": self.criterion,
            "sentence": self.sentence,
            "evidence": {**self.evidence, **parts},
            "status": self.status,
            "progress": self.progress,
            "would_change": self.would_change,
            **{name: True for name, flag in flags.items() if flag},
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Verdict:
        """Return the verdict that `as_dict` wrote, in this version or an earlier one."""
        evidence: dict[str, Any] = dict(values["evidence"])
        parts: tuple[Verdict, ...] = ()
        if _are_verdicts(evidence.get(PARTS)):
            parts = tuple(cls.from_dict(part) for part in evidence.pop(PARTS))
        return cls(
            **{
                **values,
                "outlook": Outlook(values["outlook"]),
                "evidence": evidence,
                "parts": parts,
                "needed": evidence.get("needed", 0) if parts else 0,
            }
        )


def _are_verdicts(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(each, Mapping) and "outlook" in each for each in values)


UNDECIDED = Verdict(outlook=Outlook.CONTINUE, criterion="None", sentence="No completion criterion is set.")


class Strategy(Protocol):
    """What to try next. There is no `tell`: telling is a new fact in the history."""

    def ask(self, history: History) -> Suggestion | None:
        """The next configuration, for the history as it is; None when nothing is left to try."""


class NamedStrategy(Strategy, Protocol):
    """A strategy that a job can name: one of the table in alfine/strategies/__init__.py."""

    @classmethod
    def from_spec(cls, spec: TuningJobSpec) -> Self:
        """Return the strategy with the settings that the job gives it."""


@runtime_checkable
class Promising(Protocol):
    """A strategy that knows what its next suggestion may bring: how several definitions are compared."""

    def promise(self, history: History, best: float, doubt: float) -> float | None:
        """The logarithm of the expected improvement over `best`, in units of the objective, minimised; None when it can't say.

        doubt: so many times the variance that the strategy itself expects.
        """


@runtime_checkable
class EarlyStopping(Protocol):
    """Which running training jobs aren't worth finishing."""

    def stops(self, history: History) -> Iterable[Stop]:
        """Those to stop after the newest fact of the history."""


class CompletionCriterion(Protocol):
    """When the whole tuning job is done.

    A criterion is a frozen dataclass whose fields are its settings. Beside the three methods below, its class may have:

    `is_limit = True`
        The criterion is a limit, like the user's stop, time and money: when it is met, it stops the running training jobs in
        any case, whatever the job's `at_end` says.
    `always_present = True`
        Every job has the criterion, without asking for it. People see it only once it has made progress.
    `ends_a_standstill = True`
        The criterion is meant to end a job that improves no more, so that `alfine check` says where it never can.
    `labels = {"key": "words"}`
        The names for people of the numbers in its evidence.
    `amt_section = "TuningJobCompletionCriteria"`, `more_in_tag = True`
        The part of AMT's request that asks for the criterion, where AMT has it; and whether a tag adds settings to that.
    """

    @classmethod
    def from_spec(cls, spec: TuningJobSpec) -> Self | None:
        """Return the criterion with the settings of the job; None when the job doesn't ask for it."""

    def check(self, history: History) -> Verdict:
        """Return the verdict on the history as it is."""

    def to_request(self, request: MutableMapping[str, Any]) -> None:
        """Write this criterion and its settings into a CreateHyperParameterTuningJob request."""


def in_seconds(now: datetime, seconds: float) -> datetime:
    """The first instant after `now` by which so many seconds have passed: instants are of whole microseconds."""
    return now + timedelta(microseconds=max(1, math.ceil(min(seconds, FOREVER_SECONDS) * 1e6)))


@runtime_checkable
class Demanding(Protocol):
    """A criterion that not every job can have."""

    def faults(self, spec: TuningJobSpec) -> Iterable[Fault]:
        """What the job lacks for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the engine has to carry out now."""

    verdict: Verdict
    stops: tuple[Stop, ...] = ()
    launches: tuple[Suggestion, ...] = ()


FOREVER_SECONDS = 1e9

AT_END = ("stop", "drain", "contenders")
"""What may become of running training jobs when a completion criterion ends the tuning job: stopped (AMT's way), let finish,
or let finish if they may still win."""


@dataclass(frozen=True, kw_only=True)
class Policy:
    """Strategy, early stopping and completion criteria of one tuning job. at_end: see AT_END."""

    strategy: Strategy
    criteria: tuple[CompletionCriterion, ...]
    early_stopping: tuple[EarlyStopping, ...] = ()
    max_parallel: int = 1
    at_end: str = "stop"

    def verdicts(self, history: History) -> tuple[Verdict, ...]:
        """Each criterion's answer, in the order in which they are set."""
        return tuple(verdict_of(criterion, history) for criterion in self.criteria)

    def verdict(self, history: History) -> Verdict:
        """The strongest answer; the first on a tie. Among CONTINUEs it's the one nearest to its end."""
        return strongest(self.verdicts(history))

    def stops(self, history: History) -> tuple[Stop, ...]:
        """Training jobs to stop after the newest fact; of those that are run again none before its end: their means are compared."""
        found = (stop for rule in self.early_stopping for stop in rule.stops(history))
        return tuple(stop for stop in found if stop.at_its_end or history.job(stop.number).repeats is None)

    def decide(self, history: History, verdict: Verdict) -> Decision:
        """What to do, given the verdict that the facts have led to (see core/judge.py)."""
        if verdict.outlook is Outlook.CONTINUE:
            launches = tuple(self._launches(history))
            if launches or history.running:
                return Decision(verdict=verdict, launches=launches)
            verdict = Verdict(
                outlook=Outlook.DRAIN,
                criterion="SearchSpaceExhausted",
                sentence=f"The strategy has nothing left to try after {history.launches} training jobs.",
                evidence={"launched": history.launches},
                progress=1.0,
            )
        limits = [limit for answer in (verdict, *self.verdicts(history)) for limit in _limits(answer)]
        cut_off = next((limit for limit in limits if limit.outlook is Outlook.STOP), None)
        stops = tuple(
            self._ended_by(cut_off or verdict, job)
            for job in history.running.values()
            if job.status == "InProgress" and not (cut_off is None and self._spared(verdict, history, job))
        )
        allowed = verdict.status == "Completed" and not limits
        return Decision(verdict=verdict, stops=stops, launches=tuple(self._again(history)) if allowed else ())

    def _again(self, history: History) -> Iterator[Suggestion]:
        """Once the search's own training jobs have ended, the best configurations anew, one a free slot."""
        if history.spec.repeats is None or any(job.repeats is None for job in history.running.values()):
            return
        free = self.max_parallel - len(history.running)
        for job in itertools.islice(repeats_due(history), max(0, free)):
            yield Suggestion(hyperparameters=dict(job.hyperparameters), definition=job.definition)

    def _launches(self, history: History) -> Iterator[Suggestion]:
        """One suggestion a free slot, each with the earlier ones already in the history."""
        while len(history.running) < self.max_parallel and self.verdict(history).outlook is Outlook.CONTINUE:
            suggestion = self.strategy.ask(history)
            if suggestion is None:
                return
            yield suggestion
            if len(history.running) + 1 >= self.max_parallel:
                return
            history = history.launched(suggestion.hyperparameters, suggestion.definition)

    def _spared(self, verdict: Verdict, history: History, job: TrainingJob) -> bool:
        """Whether a running training job may finish, as far as limits don't say otherwise."""
        if verdict.outlook is not Outlook.STOP or job.repeats is not None:
            return True
        return self.at_end != "stop" and self._may_finish(history, job)

    def _may_finish(self, history: History, job: TrainingJob) -> bool:
        return self.at_end == "drain" or may_win(history, job)

    @staticmethod
    def _ended_by(verdict: Verdict, job: TrainingJob) -> Stop:
        return Stop(number=job.number, reason=f"The tuning job ends: {verdict.sentence}")


def repeats_due(history: History) -> Iterator[TrainingJob]:
    """Yield the training jobs whose configurations are to be run again, in the order in which to launch them.

    One round of all contenders after the other, as far as the repeats asked for and MaxNumberOfTrainingJobs allow.
    """
    repeats, contenders, limit = history.spec.repeats, history.contenders(), history.spec.max_training_jobs
    if repeats is None:
        return
    room = repeats.training_jobs if limit is None else limit - history.launches
    for round_ in range(repeats.times):
        for job in contenders:
            if room > 0 and len(history.repeated.get(job.number, ())) <= round_:
                room -= 1
                yield job


def may_win(history: History, job: TrainingJob) -> bool:
    """Whether a running training job's best value is no worse than the best training job's was after as many emissions.

    One that hasn't emitted the objective yet may win, and so may every one while no best is known.
    """
    curve, best = job.curve(history.spec.of(job.definition).metric), history.incumbent
    if not curve or best is None or best.objective is None or not history.ranks(job):
        return True
    ahead = best.curve(history.spec.metric)[: len(curve)] or [best.objective]
    return min(history.sign * value for value in curve) <= min(history.sign * value for value in ahead)


def _limits(verdict: Verdict) -> Iterator[Verdict]:
    """The limits that are met and that bring this verdict about: itself, or those of its parts where one part is enough."""
    if verdict.outlook is Outlook.CONTINUE:
        return
    if verdict.is_limit:
        yield verdict
    if verdict.needed == 1:
        for part in verdict.parts:
            yield from _limits(part)


def strongest(verdicts: Iterable[Verdict]) -> Verdict:
    """The strongest verdict, the first on a tie; among CONTINUEs the one with the most progress."""
    best: Verdict | None = None
    for verdict in verdicts:
        if best is None or (verdict.strength, _nearness(verdict)) > (best.strength, _nearness(best)):
            best = verdict
    return best or UNDECIDED


def as_it_ended(verdict: Verdict | None, verdicts: Sequence[Verdict]) -> tuple[Verdict, ...]:
    """Each criterion's last verdict; of the one that ended the job the one by which it did.

    What was judged after the end, while the last training jobs ended, may have taken it back.
    """
    if verdict is None or verdict.outlook is Outlook.CONTINUE:
        return tuple(verdicts)
    own = [each for each in verdicts if each.criterion == verdict.criterion]
    taken_back = len(own) == 1 and own[0].strength < verdict.strength
    return tuple(verdict if taken_back and each is own[0] else each for each in verdicts)


def _nearness(verdict: Verdict) -> float:
    return verdict.progress if verdict.outlook is Outlook.CONTINUE and not verdict.watching else 0.0


def name_of(criterion: CompletionCriterion) -> str:
    """Return the name that a criterion's verdicts have: its class's, or, of one around another, what `verdict_name` says."""
    name: str = getattr(criterion, "verdict_name", type(criterion).__name__)
    return name


def verdict_of(criterion: CompletionCriterion, history: History) -> Verdict:
    """Return a criterion's verdict, marked as a limit's where the class says so.

    A criterion that raises doesn't take the job with it: the verdict says that it could not be judged, and the job goes on.
    """
    try:
        verdict = criterion.check(history)
    except Exception as error:  # noqa: BLE001 - a plug-in may raise anything
        name = type(criterion).__name__
        return Verdict(
            outlook=Outlook.CONTINUE,
            criterion=name,
            sentence=f"{name} could not be judged: {type(error).__name__}: {error}",
            evidence={"error": type(error).__name__},
        )
    return replace(verdict, is_limit=True) if getattr(criterion, "is_limit", False) else verdict

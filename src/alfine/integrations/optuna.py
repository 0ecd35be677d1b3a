"""alfine inside of Optuna: completion criteria, the search and early stopping for studies that Optuna runs.

    study = optuna.create_study(sampler=alfine.optuna.Sampler(), pruner=alfine.optuna.Pruner())
    stop = alfine.optuna.StopWhen("ConvergenceDetected", n_trials=200)
    study.optimize(objective, n_trials=200, callbacks=[stop])
    print(stop.verdict.sentence)

Everything here is a function of the study's trials: whoever looks at the same study, in another process or after a restart, comes to the
same verdict.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from threading import RLock
from typing import Any

import alfine
from alfine.api.studies import (
    Parameter,
    TrialResult,
    as_optional,
    ended_trials,
    parameters_of,
    presences,
    result_of,
    tree_of,
)

try:
    import optuna
except ImportError as error:
    raise alfine.MissingExtra("alfine.optuna needs Optuna: pip install optuna") from error

log = logging.getLogger("alfine.optuna")

MOST_PARAMETERS = 30
"""Parameters that the search takes, the first ones: as many as a search space may have. Optuna draws the others at random."""

SUGGESTED = "alfine:suggested"
"""The name of the system attribute in which a trial keeps what was suggested to it, for samplers in other processes."""

MOST_GUESSED = 8
"""Running trials, the latest, for which a sampler guesses what another process is suggesting to them; each takes as long as a suggestion."""

NOTHING = {"nothing": alfine.Categorical(["nothing"])}
"""The search space of a study in which no trial has ended, or none has a parameter."""

ENDED = ("COMPLETE", "PRUNED", "FAIL")
"""The states of trials that have ended."""

RUNNING = ("RUNNING",)
"""The state of trials that run."""


class StopWhen:
    """A callback that ends `study.optimize` when a completion criterion is met.

    It works with any sampler. It calls `study.stop()`, which ends the calling process's `optimize` only, once its running trials have
    ended: with several processes give each of them a callback, and all end within a trial or two. Before another call of `optimize`, which
    runs at least one trial more, ask `met(study)`. Pruned trials count with their last value, trials that failed or violate a constraint
    as failures.

    Args:
        criteria: Completion criteria: the first one that is met ends the study. Objects such as `alfine.ConvergenceDetected()`, or texts
            such as `"BestObjectiveNotImproving 10"`.
        n_trials: As for `study.optimize`, which doesn't tell its callbacks: the budget that criteria compare with.

    Attributes:
        verdict: The verdict after the last trial that was looked at; None before the first.

    Raises:
        InvalidSpec: The criteria can't be understood.

    Example:
        >>> stop = alfine.optuna.StopWhen("ConvergenceDetected", n_trials=200)
        >>> study.optimize(objective, n_trials=200, callbacks=[stop])
        >>> print(stop.verdict.sentence)
    """

    def __init__(self, criteria: Any = "ConvergenceDetected", *, n_trials: int | None = None) -> None:
        self._follower = _Follower(criteria=criteria, max_training_jobs=n_trials)
        self.verdict: alfine.Verdict | None = None
        alfine.Tuner(
            NOTHING, exhaustive=False, criteria=criteria, max_training_jobs=n_trials
        )  # refuses wrong arguments at once

    def __call__(self, study: Any, trial: Any) -> None:  # noqa: ARG002 - Optuna's signature
        """Look at the study after a trial, and stop it when a criterion is met."""
        if self.met(study):
            log.info("%s", self.judge(study).sentence)
            study.stop()

    def met(self, study: Any) -> bool:
        """Return whether a criterion is met, so that no further trial is needed.

        Args:
            study: The study.
        """
        return self.judge(study).met

    def judge(self, study: Any) -> alfine.Verdict:
        """Return the verdict on a study as it is now, with its sentence and its evidence.

        Args:
            study: The study.
        """
        self.verdict = self._follower.tuner_of(study).verdict
        return self.verdict

    def forecast(self, study: Any) -> Any:
        """Return what further trials would probably improve, and which criterion will probably end the study, and when.

        Args:
            study: The study.
        """
        return self._follower.tuner_of(study).forecast()


class Sampler(optuna.samplers.BaseSampler):  # type: ignore[misc]  # Optuna isn't type-checked here
    """alfine's Bayesian search as a sampler of Optuna.

    The search space is inferred from the trials: their parameters, with the latest distribution of each, and under which condition trials
    have them. A parameter that the study doesn't have yet is drawn at random. Failed trials, and those that violate a constraint, keep the
    search away; running ones, of other processes too, count as observed at their predicted value.

    Args:
        seed: The random seed: with the same seed and the same results in the same order a trial gets the same suggestion. None takes one
            from the study's name.
    """

    def __init__(self, *, seed: int | None = None) -> None:
        if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int) or seed < 0):
            raise alfine.AlfineError(f"seed: {seed!r} must be a whole number from 0 on.")
        self._seed = seed
        self._follower = _Follower(clip=True)

    def infer_relative_search_space(self, study: Any, trial: Any) -> dict[str, Any]:  # noqa: ARG002 - Optuna's signature
        """Return the latest distribution of each parameter that ended trials have."""
        _refuse_several_objectives(study)
        return {name: parameter.kinds[-1] for name, parameter in self._follower.parameters_of(study).items()}

    def sample_relative(self, study: Any, trial: Any, search_space: dict[str, Any]) -> dict[str, Any]:
        """Return the suggestion for a trial: the parameters that are active in it.

        Args:
            study: The study.
            trial: The new trial.
            search_space: The distribution of each parameter to suggest.
        """
        _refuse_several_objectives(study)
        if not search_space:
            return {}
        with self._follower.lock:  # the next thread sees this suggestion
            space = _Space.of_distributions(search_space, _ended(study))
            tuner = self._follower.tuner_of(study, space, seed=self._seed_of(study))
            running = _running(study, trial, space, tuner)
            suggested = tuner.suggest(running=running, stream=trial.number) or {}
            kept = space.as_json(suggested)
            study._storage.set_trial_system_attr(trial._trial_id, SUGGESTED, kept)  # noqa: SLF001 - as Optuna's samplers do
        return space.decoded(suggested)

    def sample_independent(self, study: Any, trial: Any, param_name: str, param_distribution: Any) -> Any:
        """Return a random value of a parameter that the study doesn't have yet, or whose distribution has changed.

        Args:
            study: The study.
            trial: The running trial.
            param_name: The parameter.
            param_distribution: Its distribution.
        """
        _refuse_several_objectives(study)
        seed = zlib.crc32(f"{self._seed_of(study)} {trial.number} {param_name}".encode())
        parameter = Parameter((param_distribution,))
        tuner = alfine.Tuner({"value": parameter.latest}, strategy="Random", seed=seed, exhaustive=False)
        return parameter.decoded((tuner.suggest() or {})["value"])

    def _seed_of(self, study: Any) -> int:
        return zlib.crc32(study.study_name.encode()) if self._seed is None else self._seed


class Pruner(optuna.pruners.BasePruner):  # type: ignore[misc]  # Optuna isn't type-checked here
    """alfine's early stopping `Auto` as a pruner of Optuna.

    It prunes a trial when the intermediate values of the trials so far leave it less than 5 % chance to end better than the best complete
    one. It learns that from complete trials with intermediate values, three at least.
    """

    def __init__(self) -> None:
        self._follower = _Follower(curves=True, early_stopping="Auto")

    def prune(self, study: Any, trial: Any) -> bool:
        """Return whether a trial should be pruned.

        Args:
            study: The study.
            trial: The running trial, with its intermediate values so far.
        """
        if not trial.intermediate_values:
            return False
        space = self._follower.space_of(study)
        tuner = self._follower.tuner_of(study, space)
        configuration = space.encoded(trial.params)
        if not _lies_in(tuner, configuration):  # it hasn't asked for all its parameters yet
            return False
        reason = tuner.would_stop(configuration, trial.intermediate_values)
        if reason is not None:
            log.info("Trial %d: %s", trial.number, reason)
        return reason is not None


# -- a study as a Tuner --------------------------------------------------------------------------------------------------


class _Space:
    """The search space of a study, as its trials have it.

    Args:
        parameters: The parameters that it has.
        ranges: Their ranges, with conditions.
    """

    def __init__(self, parameters: Mapping[str, Parameter], ranges: Mapping[str, Any]) -> None:
        self.parameters = dict(parameters)
        self.ranges = dict(ranges) or NOTHING

    @classmethod
    def of_trials(cls, ended: Sequence[Any]) -> _Space:
        """Return the space of trials that have ended, in their order."""
        return cls._of(_first(parameters_of(_whole(ended))), ended)

    @classmethod
    def of_distributions(cls, distributions: Mapping[str, Any], ended: Sequence[Any]) -> _Space:
        """Return the space of these distributions, with the conditions under which the trials have the parameters."""
        return cls._of(_first({name: Parameter((kind,)) for name, kind in distributions.items()}), ended)

    @classmethod
    def _of(cls, parameters: Mapping[str, Parameter], ended: Sequence[Any]) -> _Space:
        flat = cls(parameters, {})
        ranges = {name: parameter.latest for name, parameter in parameters.items()}
        whole = _whole(ended)
        found = presences([flat.encoded(trial.params) for trial in whole], ranges)
        kinds = {name: parameter.kinds for name, parameter in parameters_of(whole).items() if name in parameters}
        if any(kind != each[-1] for each in kinds.values() for kind in each):
            # values of other distributions are moved, and needn't meet the conditions then
            found = {name: [()] if conditions == [()] else [] for name, conditions in found.items()}
        tree = tree_of(ranges, found)
        try:
            if any(range_.requires for range_ in tree.values()):
                alfine.Tuner(tree, exhaustive=False)
        except alfine.InvalidSpec:  # a condition that can't be written, such as one on a very long choice
            tree = {name: as_optional(range_) if range_.requires else range_ for name, range_ in tree.items()}
        return cls(parameters, tree)

    def encoded(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return a trial's parameters as alfine gets them, without those that the space doesn't have."""
        if not self.parameters:
            return {"nothing": "nothing"}
        return {name: parameter.encoded(params[name]) for name, parameter in self.parameters.items() if name in params}

    def decoded(self, configuration: Mapping[str, Any]) -> dict[str, Any]:
        """Return a configuration as Optuna has it."""
        return {name: self.parameters[name].decoded(value) for name, value in configuration.items()}

    def as_json(self, configuration: Mapping[str, Any]) -> dict[str, float]:
        """Return a configuration as a storage keeps it, in Optuna's internal numbers."""
        values = self.decoded(configuration)
        return {name: self.parameters[name].kinds[-1].to_internal_repr(value) for name, value in values.items()}

    def with_suggested(self, trial: Any) -> dict[str, Any]:
        """Return a trial's configuration: what it has asked for, and what it would have been given for the rest."""
        return {**self.from_json(trial.system_attrs.get(SUGGESTED)), **self.encoded(trial.params)}

    def from_json(self, kept: Mapping[str, float] | None) -> dict[str, Any]:
        """Return the configuration that `as_json` wrote."""
        known = {name: value for name, value in (kept or {}).items() if name in self.parameters}
        external = {name: self.parameters[name].kinds[-1].to_external_repr(value) for name, value in known.items()}
        return self.encoded(external) if external else {}


class _Follower:
    """Follows a study: a Tuner that has observed the study's ended trials, in the order of their ends.

    It observes what is new since the last look, and starts anew when the space has changed or a trial has come in that ended earlier.

    Args:
        curves: Whether the Tuner gets intermediate values, and pruned trials count as stopped. Otherwise their last value is their result.
        clip: Whether values outside the latest distributions are moved into them.
        arguments: Further arguments of the Tuner.
    """

    def __init__(self, *, curves: bool = False, clip: bool = True, **arguments: Any) -> None:
        self._curves, self._clip, self._arguments = curves, clip, arguments
        self._forget()

    def _forget(self) -> None:
        self.lock = RLock()
        self._known: Any = None
        self._seen: list[tuple[int, datetime]] = []
        self._tuner: alfine.Tuner | None = None
        self._now = datetime.now(UTC)

    def __getstate__(self) -> dict[str, Any]:
        """Return the settings: everything else is read from the study again."""
        return {"_curves": self._curves, "_clip": self._clip, "_arguments": self._arguments}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.__dict__.update(state)
        self._forget()

    def parameters_of(self, study: Any) -> dict[str, Parameter]:
        """Return the parameters of a study's ended trials."""
        return _first(parameters_of(_whole(_ended(study))))

    def space_of(self, study: Any) -> _Space:
        """Return the search space of a study's ended trials."""
        return _Space.of_trials(_ended(study))

    def tuner_of(self, study: Any, space: _Space | None = None, seed: int = 0) -> alfine.Tuner:
        """Return the Tuner that has observed all ended trials of a study.

        Args:
            study: The study.
            space: The search space; None: that of its ended trials.
            seed: The Tuner's random seed.

        Raises:
            AlfineError: The study has several objectives.
        """
        _refuse_several_objectives(study)
        ended = _ended(study)
        space = space or _Space.of_trials(ended)
        with self.lock:
            results = [result_of(trial) for trial in ended]
            order = [(result.number, result.ended_at) for result in results]
            began = min(
                (each.datetime_start for each in study.get_trials(deepcopy=False) if each.datetime_start), default=None
            )
            known = study.study_name, study.direction.name, repr(space.ranges), seed, began
            tuner = self._tuner
            if tuner is None or known != self._known or order[: len(self._seen)] != self._seen:
                self._now = datetime.now(UTC) if began is None else began.astimezone(UTC)
                tuner = self._new_tuner(study, space, seed)
                self._known, self._seen, self._tuner = known, [], tuner
            for trial, result in zip(ended[len(self._seen) :], results[len(self._seen) :], strict=True):
                self._now = max(self._now, result.ended_at)
                self._observe(tuner, space, trial, result)
            self._seen = order
            return tuner

    def _new_tuner(self, study: Any, space: _Space, seed: int) -> alfine.Tuner:
        return alfine.Tuner(
            space.ranges,
            goal="Maximize" if study.direction.name == "MAXIMIZE" else "Minimize",
            exhaustive=False,
            seed=seed,
            clock=lambda: self._now,
            **self._arguments,
        )

    def _observe(self, tuner: alfine.Tuner, space: _Space, trial: Any, result: TrialResult) -> None:
        details: dict[str, Any] = {"seconds": result.seconds, "at": result.ended_at, "clip": self._clip}
        configuration = space.encoded(result.params)
        if result.objective is None:
            whole = space.with_suggested(trial)
            tuner.observe(whole if _lies_in(tuner, whole) else {}, failed=result.failure_reason, **details)
        elif self._curves:
            stopped = result.status == "Stopped"
            tuner.observe(configuration, result.objective, curve=result.curve, stopped=stopped, **details)
        else:
            tuner.observe(configuration, result.objective, **details)


def _trials(study: Any, states: Sequence[str]) -> list[Any]:
    """Return the trials in these states; they must not be changed."""
    wanted = tuple(optuna.trial.TrialState[state] for state in states)
    return list(study.get_trials(deepcopy=False, states=wanted))


def _running(study: Any, trial: Any, space: _Space, tuner: alfine.Tuner) -> list[dict[str, Any]]:
    """Return the configurations of the running trials beside one.

    What was suggested to a trial may not be written down yet, since its process asks at the same time. For the latest trials before this
    one it's what this process suggests in their place.
    """
    others = [each for each in _trials(study, RUNNING) if each.number != trial.number]
    known = {each.number: space.with_suggested(each) for each in others}
    running = [configuration for configuration in known.values() if _lies_in(tuner, configuration)]
    unknown = [number for number in sorted(known) if number < trial.number and not _lies_in(tuner, known[number])]
    for number in unknown[-MOST_GUESSED:]:
        running.append(tuner.suggest(running=running, stream=number) or {})
    return running


def _ended(study: Any) -> list[Any]:
    return ended_trials(_trials(study, ENDED))


def _whole(ended: Sequence[Any]) -> list[Any]:
    """Return the trials that didn't fail: one that did may not have got as far as its last parameter."""
    return [trial for trial in ended if trial.state.name != "FAIL"]


def _first(parameters: Mapping[str, Parameter]) -> dict[str, Parameter]:
    return dict([*parameters.items()][:MOST_PARAMETERS])


def _lies_in(tuner: alfine.Tuner, configuration: Mapping[str, Any]) -> bool:
    """Return whether a configuration is one of the Tuner's search space."""
    try:
        tuner.history.spec.space.check(configuration)
    except alfine.InvalidSpec:
        return False
    return True


def _refuse_several_objectives(study: Any) -> None:
    if len(study.directions) > 1:
        message = "alfine knows one objective, and this study has {}. Use one of Optuna's samplers for several."
        raise ValueError(message.format(len(study.directions)))

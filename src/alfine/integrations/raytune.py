"""alfine inside of Ray Tune: its search and its completion criteria for experiments that Ray runs.

    search = alfine.raytune.RaySearch(criteria="ConvergenceDetected", num_samples=200)
    tuner = tune.Tuner(
        trainable,
        param_space={"lr": tune.loguniform(1e-4, 1)},
        tune_config=tune.TuneConfig(metric="loss", mode="min", search_alg=search, num_samples=200),
        run_config=tune.RunConfig(stop=search.stopper),
    )
    tuner.fit()
    print(search.verdict.sentence)

Beside another searcher, `StopExperiment` ends the experiment.
"""

from __future__ import annotations

import logging
import math
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import alfine
from alfine.integrations.choices import as_it_is, categories_of

try:
    from ray import tune
    from ray.tune.search import Searcher, sample
    from ray.tune.search.variant_generator import parse_spec_vars
except ImportError as error:
    raise alfine.MissingExtra("alfine.raytune needs Ray Tune: pip install 'ray[tune]'") from error

log = logging.getLogger("alfine.raytune")

ITERATION = "training_iteration"
"""The key of Ray's results that counts the reports of a trial, from 1."""

GOALS = {"min": "Minimize", "max": "Maximize"}


class RaySearch(Searcher):  # type: ignore[misc]  # Ray isn't type-checked here
    """alfine's search as a searcher of Ray Tune, with completion criteria.

    Once a criterion is met it suggests nothing more. With `stopper` in the run's configuration, running trials are stopped, too, where the
    criterion asks for that, and early stopping can end single trials.

    Args:
        metric: The metric to improve; None: that of the experiment.
        mode: `min` or `max`; None: that of the experiment.
        space: The search space; None: the experiment's `param_space`.
        criteria: Completion criteria: the first one that is met ends the search. Objects such as `alfine.ConvergenceDetected()`, or texts.
        num_samples: As for the experiment, which doesn't tell its searcher: the budget that criteria compare with.
        early_stopping: `Auto` stops trials whose results leave them hardly a chance to become the best; `Off` stops none.
        seed: The random seed.

    Raises:
        InvalidSpec: The criteria can't be understood.
        ValueError: Where the experiment begins: the search space has something that can't be searched.
    """

    _metric: str | None
    _mode: str | None

    def __init__(
        self,
        metric: str | None = None,
        mode: str | None = None,
        *,
        space: Mapping[str, Any] | None = None,
        criteria: Any = (),
        num_samples: int | None = None,
        early_stopping: str = "Off",
        seed: int = 0,
    ) -> None:
        super().__init__(metric=metric, mode=mode)
        self._arguments = {
            "criteria": criteria,
            "max_training_jobs": num_samples,
            "early_stopping": early_stopping,
            "seed": seed,
        }
        self._experiment: _Experiment | None = None
        alfine.Tuner(
            {"nothing": alfine.Categorical([0])}, exhaustive=False, **self._arguments
        )  # refuses wrong arguments at once
        if space is not None:
            self._begin(space)

    def set_search_properties(
        self,
        metric: str | None,
        mode: str | None,
        config: Mapping[str, Any],
        **spec: Any,  # noqa: ARG002 - Ray's signature
    ) -> bool:
        """Take over what the experiment has, and return whether nothing was set twice."""
        if self._experiment is not None and config:
            return False
        self._metric, self._mode = metric or self._metric, mode or self._mode
        if config:
            self._begin(config)
        return True

    def suggest(self, trial_id: str) -> Any:
        """Return the configuration of a new trial; `Searcher.FINISHED` once a criterion is met.

        Args:
            trial_id: The trial.
        """
        configuration = self._running.ask(trial_id)
        return Searcher.FINISHED if configuration is None else configuration

    def on_trial_result(self, trial_id: str, result: Mapping[str, Any]) -> None:
        """Record an intermediate result."""
        self._running.report(trial_id, result)

    def on_trial_complete(self, trial_id: str, result: Mapping[str, Any] | None = None, error: bool = False) -> None:  # noqa: FBT001, FBT002 - Ray's signature
        """Record how a trial ended."""
        self._running.end(trial_id, result, failed=error)

    @property
    def verdict(self) -> alfine.Verdict:
        """The verdict on the experiment so far."""
        return self._running.tuner.verdict

    @property
    def stopper(self) -> Any:
        """The object for `stop` in the run's configuration, so that trials are stopped."""
        return _Stopper(self)

    def save(self, checkpoint_path: str) -> None:
        """Write the search into a file. Ray does so itself."""
        Path(checkpoint_path).write_bytes(pickle.dumps((self._metric, self._mode, self._arguments, self._experiment)))

    def restore(self, checkpoint_path: str) -> None:
        """Read the search from a file that `save` wrote."""
        state = pickle.loads(Path(checkpoint_path).read_bytes())  # noqa: S301 - the experiment's own file, as Ray's searchers read theirs
        self._metric, self._mode, self._arguments, self._experiment = state

    def _begin(self, space: Mapping[str, Any]) -> None:
        self._experiment = _Experiment(space, self._metric, self._mode, self._arguments)

    @property
    def _running(self) -> _Experiment:
        """Return the experiment. Raise RuntimeError before there is a search space."""
        if self._experiment is None:
            raise RuntimeError(
                "alfine.raytune.RaySearch has no search space: give the experiment a param_space, or RaySearch a space."
            )
        return self._experiment


class StopExperiment(tune.Stopper, tune.Callback):  # type: ignore[misc]  # Ray isn't type-checked here
    """Ends an experiment of Ray Tune when a completion criterion is met, whatever searches.

    It's both a stopper and a callback, since Ray doesn't tell stoppers which trials have ended or failed: give it twice,
    `RunConfig(stop=stop, callbacks=[stop])`. It stops the running trials, too.

    Args:
        metric: The metric.
        mode: `min` or `max`.
        space: The experiment's `param_space`.
        criteria: Completion criteria: the first one that is met ends the experiment.
        num_samples: As for the experiment: the budget that criteria compare with.

    Raises:
        InvalidSpec: The criteria can't be understood.
        ValueError: The search space has something that can't be judged.

    Example:
        >>> stop = alfine.raytune.StopExperiment("loss", "min", param_space, num_samples=200)
        >>> run_config = tune.RunConfig(stop=stop, callbacks=[stop])
    """

    def __init__(
        self,
        metric: str,
        mode: str,
        space: Mapping[str, Any],
        criteria: Any = "ConvergenceDetected",
        *,
        num_samples: int | None = None,
    ) -> None:
        arguments = {"criteria": criteria, "max_training_jobs": num_samples}
        self._experiment = _Experiment(space, metric, mode, arguments)

    @property
    def verdict(self) -> alfine.Verdict:
        """The verdict on the experiment so far."""
        return self._experiment.tuner.verdict

    def __call__(self, trial_id: str, result: Mapping[str, Any]) -> bool:  # noqa: ARG002 - Ray's signature
        """Return False: no single trial is stopped."""
        return False

    def stop_all(self) -> bool:
        """Return whether a criterion is met."""
        return self.verdict.met

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:  # noqa: ARG002 - Ray's signature
        """Record a trial that begins."""
        self._experiment.begin(trial.trial_id, trial.config)

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:  # noqa: ARG002 - Ray's signature
        """Record a trial's last result."""
        self._experiment.end(trial.trial_id, trial.last_result, failed=False)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:  # noqa: ARG002 - Ray's signature
        """Record a trial that failed."""
        self._experiment.end(trial.trial_id, None, failed=True)


class _Stopper(tune.Stopper):  # type: ignore[misc]  # Ray isn't type-checked here
    """Stops what a RaySearch wants to have stopped."""

    def __init__(self, search: RaySearch) -> None:
        self._search = search

    def __call__(self, trial_id: str, result: Mapping[str, Any]) -> bool:
        return self._search._running.report(trial_id, result)  # noqa: SLF001 - of this file

    def stop_all(self) -> bool:
        return self._search._experiment is not None and self._search.verdict.outlook is alfine.Outlook.STOP  # noqa: SLF001 - of this file


# -- an experiment as a Tuner ----------------------------------------------------------------------------------------------


class _Experiment:
    """The trials of an experiment as training jobs of a Tuner.

    Args:
        space: The experiment's search space as Ray writes it.
        metric: The metric.
        mode: `min` or `max`.
        arguments: Further arguments of the Tuner.
    """

    def __init__(
        self, space: Mapping[str, Any], metric: str | None, mode: str | None, arguments: Mapping[str, Any]
    ) -> None:
        if metric is None or mode not in GOALS:
            message = f"metric: {metric!r} and mode: {mode!r} must be given, as metric='loss', mode='min'."
            raise ValueError(message)
        self._parameters = _parameters(space)
        self._metric = metric
        self._numbers: dict[str, int] = {}
        self._reported: dict[str, int] = {}
        ranges = {name: range_ for name, (_, range_, _) in self._parameters.items()}
        self.tuner = alfine.Tuner(ranges, goal=GOALS[mode], metric=metric, exhaustive=False, **arguments)

    def ask(self, trial_id: str) -> dict[str, Any] | None:
        """Return a configuration as Ray writes it, nested as the space is; None once a criterion is met."""
        job = self.tuner.ask()
        if job is None:
            log.info("%s", self.tuner.verdict.sentence)
            return None
        self._numbers[trial_id] = job.number
        configuration: dict[str, Any] = {}
        for name, value in job.hyperparameters.items():
            (*above, last), _, decode = self._parameters[name]
            place = configuration
            for key in above:
                place = place.setdefault(key, {})
            place[last] = decode(value)
        return configuration

    def begin(self, trial_id: str, config: Mapping[str, Any]) -> None:
        """Record a trial that another searcher chose, unless it's known."""
        if trial_id in self._numbers:
            return
        values = {
            name: _encoded(config, path, range_, decode) for name, (path, range_, decode) in self._parameters.items()
        }
        self._numbers[trial_id] = self.tuner.begin(values).number

    def report(self, trial_id: str, result: Mapping[str, Any]) -> bool:
        """Record an intermediate result, once, and return whether the trial should be stopped."""
        number, iteration = self._numbers.get(trial_id), int(result.get(ITERATION, 0))
        if number is None or self._metric not in result:
            return False
        job = self.tuner.history.job(number)
        if job.running and iteration > self._reported.get(trial_id, 0):
            self._reported[trial_id] = iteration
            self.tuner.report(number, iteration, result[self._metric])
        return job.status == "Stopping"

    def end(self, trial_id: str, result: Mapping[str, Any] | None, *, failed: bool) -> None:
        """Record how a trial ended, once."""
        number = self._numbers.get(trial_id)
        if number is None or not self.tuner.history.job(number).running:
            return
        value = None if failed else (result or {}).get(self._metric)
        if value is None or not math.isfinite(value):
            reason = "The trial failed in Ray." if failed else f"The trial has no finite {self._metric}."
            self.tuner.tell(number, failed=reason)
        else:
            self.tuner.tell(number, value)


# -- the search space ----------------------------------------------------------------------------------------------------

Parameter = tuple[tuple[str, ...], Any, Callable[[Any], Any]]
"""The path of a parameter in a configuration, its range, and what turns a value of the range into the parameter's."""


def _parameters(space: Mapping[str, Any]) -> dict[str, Parameter]:
    """Return the parameters of a space by their paths, joined by slashes. Fixed values are left to Ray."""
    _, domains, grids = parse_spec_vars(dict(space))
    if grids:
        raise ValueError(f"{'/'.join(grids[0][0])}: grid_search is for a grid of all combinations. Use tune.choice.")
    found = {
        "/".join(map(str, path)): (tuple(path), *_range("/".join(map(str, path)), domain)) for path, domain in domains
    }
    if not found:
        raise ValueError("the search space has no parameter to search, such as tune.loguniform(1e-4, 1).")
    return found


def _range(name: str, domain: Any) -> tuple[Any, Callable[[Any], Any]]:
    sampler, step = domain.get_sampler(), None
    if isinstance(sampler, sample.Quantized):
        sampler, step = sampler.get_sampler(), sampler.q
    scaling = "Logarithmic" if isinstance(sampler, sample.LogUniform) else "Linear"
    if isinstance(domain, sample.Categorical):
        return categories_of(domain.categories)
    is_even = isinstance(sampler, sample.Uniform | sample.LogUniform)
    if isinstance(domain, sample.Integer) and is_even:
        high = domain.upper if step is not None else domain.upper - 1  # as in Ray: a quantized range has its end
        return alfine.Integer(domain.lower, high, scaling=scaling, step=None if step in (None, 1) else step), as_it_is
    if isinstance(domain, sample.Float) and is_even and math.isfinite(domain.lower) and math.isfinite(domain.upper):
        return alfine.Continuous(domain.lower, domain.upper, scaling=scaling, step=step), as_it_is
    kind = (
        "sample_from"
        if isinstance(domain, sample.Function)
        else "randn"
        if isinstance(sampler, sample.Normal)
        else repr(domain)
    )
    raise ValueError(
        f"{name}: {kind} has no bounds that can be searched. Use tune.uniform, tune.loguniform, tune.randint or tune.choice."
    )


def _encoded(config: Mapping[str, Any], path: tuple[str, ...], range_: Any, decode: Callable[[Any], Any]) -> Any:
    """Return the value that a configuration has at a path, as the range has it."""
    value: Any = config
    for key in path:
        value = value[key]
    if decode is as_it_is:
        return value
    return next((category for category in range_.values if decode(category) is value), range_.values[0])

"""alfine inside of Hydra: a sweeper whose sweeps end by themselves.

    python train.py --multirun hydra/sweeper=alfine 'lr=tag(log,interval(1e-4,1))' 'optimizer=choice(adam,sgd)'

The task function returns the objective. What Hydra's launcher runs are the training jobs of a Tuner.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import alfine

try:
    from hydra.core.config_store import ConfigStore
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.core.plugins import Plugins
    from hydra.core.utils import JobReturn, JobStatus
    from hydra.errors import CompactHydraException
    from hydra.plugins.sweeper import Sweeper
    from omegaconf import DictConfig, OmegaConf
except ImportError as error:
    raise alfine.MissingExtra("alfine's sweeper needs Hydra: pip install hydra-core") from error

log = logging.getLogger("alfine.hydra")

FACTS = "alfine.jsonl"
"""The file in the sweep's folder that has a line for each job that has ended: a sweep into the same folder goes on after them."""

FIRST_ATTEMPTS = 5
"""Jobs: when this many have failed and none has succeeded, the sweep fails. As in AMT: «No training job succeeded after 5 attempts»."""

RESULTS = "optimization_results.yaml"
"""The file in the sweep's folder that has the best job, named as by Hydra's other sweepers."""

SETTINGS = {
    "_target_": "hydra_plugins.alfine_sweeper.AlfineSweeper",
    "params": {},
    "metric": "objective",
    "goal": "Minimize",
    "criteria": "ConvergenceDetected",
    "max_training_jobs": 100,
    "max_parallel": 1,
    "strategy": "Bayesian",
    "seed": 0,
    "forbid": [],
    "start_with": [],
    "price_per_hour": None,
}
"""The settings of `hydra.sweeper`, with their defaults: the search space as `params`, and arguments of `alfine.Tuner`."""

ConfigStore.instance().store(group="hydra/sweeper", name="alfine", node=SETTINGS, provider="alfine")


class AlfineSweeper(Sweeper):  # type: ignore[misc]  # Hydra isn't type-checked here
    """Runs a task with configurations that alfine suggests, until a completion criterion is met.

    Hydra makes it from the settings of `hydra.sweeper`.

    Args:
        params: The search space, and fixed overrides: the text of an override by its key, as on the command line, whose overrides win.
        max_parallel: How many jobs the launcher is given at once.
        arguments: Further arguments of `alfine.Tuner`.
    """

    def __init__(self, params: Mapping[str, Any] | None = None, max_parallel: int = 1, **arguments: Any) -> None:
        given = {
            name: OmegaConf.to_container(value) if OmegaConf.is_config(value) else value
            for name, value in arguments.items()
        }
        self._arguments = {"max_parallel": max_parallel, **given}
        self._params = dict(params or {})
        self._batch = max_parallel

    def setup(self, *, hydra_context: Any, task_function: Any, config: DictConfig) -> None:
        """Take what Hydra has for its sweepers."""
        self.config, self.hydra_context = config, hydra_context
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> None:
        """Run jobs until a completion criterion is met, and write the best one into the sweep's folder.

        Args:
            arguments: The overrides of the command line.

        Raises:
            CompactHydraException: The search space or the settings can't be understood, or no job succeeded. Hydra shows its message alone.
        """
        try:
            self._sweep([*(f"{key}={text}" for key, text in self._params.items()), *arguments])
        except alfine.AlfineError as error:
            raise CompactHydraException(str(error)) from error

    def _sweep(self, arguments: list[str]) -> None:
        folder = Path(self.config.hydra.sweep.dir)
        folder.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(self.config, folder / "multirun.yaml")
        overrides = OverridesParser.create(config_loader=self.hydra_context.config_loader).parse_overrides(arguments)
        space = _Space(overrides)
        tuner = alfine.Tuner(space.ranges, exhaustive=False, **self._arguments)
        facts = _Facts(folder / FACTS)
        facts.read_into(tuner)
        reason = ""
        while batch := [job for _ in range(self._batch) if (job := tuner.ask()) is not None]:
            lines = [space.overrides_of(job.hyperparameters) for job in batch]
            self.validate_batch_is_legal(lines)
            results = self.launcher.launch(lines, initial_job_idx=batch[0].number - 1)
            for job, result in zip(batch, results, strict=True):
                value, failure = _outcome(result, self._arguments["metric"])
                tuner.tell(job, value, failed=failure)
                facts.write(job.hyperparameters, value, failure)
                if failure is not None:
                    log.warning("Job %d failed: %s", job.number - 1, failure)
                    reason = f" The last one: {failure}"
            if tuner.best is None and len(tuner.training_jobs) >= FIRST_ATTEMPTS:
                break
        _finish(tuner, folder, reason)


def _outcome(result: JobReturn, metric: str) -> tuple[float | None, str | None]:
    """Return the objective of a job that has ended, or why it failed.

    Raises:
        AlfineError: The task function returned something that isn't a number.
    """
    if result.status != JobStatus.COMPLETED:
        cause = result._return_value  # noqa: SLF001 - the property raises it
        unknown = "the launcher doesn't say how it ended."
        return None, unknown if cause is None else f"{type(cause).__name__}: {cause}"
    returned = result.return_value
    try:
        return float(returned), None
    except (TypeError, ValueError):
        message = f"the task function returned {returned!r:.100}. It must return the {metric} as a number."
        raise alfine.AlfineError(message) from None


def _finish(tuner: alfine.Tuner, folder: Path, reason: str) -> None:
    """Say why the sweep ends, and write down the best job."""
    verdict, best = tuner.verdict, tuner.best
    if best is None:
        raise alfine.AlfineError(f"none of the first {len(tuner.training_jobs)} jobs succeeded.{reason}")
    log.info("%s", verdict.sentence)
    log.info("Best: job %d, %s", best.number - 1, best.objective)
    found = {
        "name": "alfine",
        "best_params": dict(best.hyperparameters),
        "best_value": best.objective,
        "best_job": best.number - 1,
        "jobs": len(tuner.training_jobs),
        "verdict": verdict.sentence,
    }
    OmegaConf.save(OmegaConf.create(found), folder / RESULTS)


class _Facts:
    """The file of a sweep that has the jobs that have ended."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read_into(self, tuner: alfine.Tuner) -> None:
        """Tell a Tuner of the jobs that have ended. A last line that was cut off by a crash is left out."""
        text = self._path.read_text() if self._path.exists() else ""
        lines = text.split("\n")[:-1]
        for number, line in enumerate(lines, 1):
            try:
                fact = json.loads(line)
                tuner.observe(fact["hyperparameters"], fact.get("value"), failed=fact.get("failed"), clip=True)
            except (ValueError, KeyError, TypeError, alfine.AlfineError) as error:
                message = f"{self._path}, line {number}: {error} Sweep into another folder: hydra.sweep.dir=…"
                raise alfine.AlfineError(message) from error
        if lines:
            log.info("Going on after the %d jobs of %s.", len(lines), self._path)
        if text:
            self._path.write_text("".join(f"{line}\n" for line in lines))

    def write(self, hyperparameters: Mapping[str, Any], value: float | None, failure: str | None) -> None:
        fact = {"hyperparameters": dict(hyperparameters)} | (
            {"value": value} if failure is None else {"failed": failure}
        )
        with self._path.open("a") as file:
            file.write(json.dumps(fact) + "\n")


# -- the search space ----------------------------------------------------------------------------------------------------


class _Space:
    """The overrides of a sweep: ranges to search, and what is the same in each job.

    Args:
        overrides: The overrides, as Hydra parsed them; a later one of the same key counts.
    """

    def __init__(self, overrides: Sequence[Any]) -> None:
        latest = {override.get_key_element(): override for override in overrides}
        self._fixed = [each.input_line for each in latest.values() if not each.is_sweep_override()]
        self.ranges = {key: _range(each) for key, each in latest.items() if each.is_sweep_override()}
        if not self.ranges:
            raise alfine.AlfineError(
                "there is nothing to search. Give a hyperparameter a range, such as 'lr=tag(log,interval(1e-4,1))' or "
                "'optimizer=choice(adam,sgd)', on the command line or in hydra.sweeper.params."
            )

    def overrides_of(self, hyperparameters: Mapping[str, Any]) -> list[str]:
        """Return the overrides of a job."""
        return [*self._fixed, *(f"{key}={value}" for key, value in hyperparameters.items())]


def _range(override: Any) -> Any:
    """Return the range of an override: a text of Hydra for each choice, numbers for an interval or a range."""
    if override.is_choice_sweep():
        return alfine.Categorical([*override.sweep_string_iterator()])
    sweep = override.value()
    scaling = "Logarithmic" if "log" in sweep.tags else "Linear"
    if override.is_interval_sweep():
        low, high, step = sweep.start, sweep.end, None
    else:
        values = [*override.sweep_iterator()]
        if not values:
            raise alfine.AlfineError(f"{override.input_line}: the range has no values.")
        low, high, step = min(values), max(values), abs(sweep.step)
    is_whole = all(isinstance(number, int) for number in (low, high, step or 0))
    step = None if step == 1 and is_whole else step
    return (alfine.Integer if is_whole else alfine.Continuous)(low, high, scaling=scaling, step=step)

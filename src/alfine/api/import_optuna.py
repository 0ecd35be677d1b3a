"""Import an Optuna study."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alfine.api.import_records import ImportedTrainingJob, facts_of
from alfine.api.job_words import job_request
from alfine.api.studies import STATUSES, Condition, parameters_of, presences, result_of
from alfine.core.conditions import words
from alfine.core.errors import Fault, InvalidSpec, MissingExtra
from alfine.core.ranges import Continuous, Integer
from alfine.core.read_spec import read_spec
from alfine.core.spec import TuningJobSpec
from alfine.store.records import Record


def from_optuna(
    url: str, study: str | None = None, name: str | None = None, metric: str = "objective"
) -> tuple[Record, tuple[str, ...]]:
    """Return the record of an Optuna study.

    Pruned trials are imported as stopped training jobs, with their last value. A parameter that some trials lack
    becomes a conditional hyperparameter when the values of one other parameter say when it's there; otherwise it's left
    out.

    Args:
        url: The URL of Optuna's storage, such as «sqlite:///study.db».
        study: The study's name; needed when the storage has several.
        name: The imported job's name; None makes one from the study's.
        metric: The name of the objective metric. A tuning job that begins with these results must have the same.

    Returns:
        The record, and remarks on conditional parameters and on those that were left out.

    Raises:
        InvalidSpec: The study can't be found or can't be imported.
        MissingExtra: Optuna isn't installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise MissingExtra("Reading Optuna's studies needs Optuna: pip install optuna") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if "://" not in url:
        raise InvalidSpec([Fault(url, f"must be the URL of a storage, such as sqlite:///{url}.")])
    _, sqlite, file = url.partition("sqlite:///")
    if sqlite and not Path(file.partition("?")[0]).is_file():  # opened, it would be made
        raise InvalidSpec([Fault(url, f"there is no file {file}.")])
    with _storage(optuna, url) as storage:
        names = optuna.get_all_study_names(storage)
        chosen = study or (names[0] if len(names) == 1 else None)
        if chosen not in names:
            wanted = f"there is no study {study!r}" if study else "say which study is meant"
            raise InvalidSpec([Fault(url, f"{wanted}. It has: {', '.join(names) or 'none'}.")])
        loaded = optuna.load_study(study_name=chosen, storage=storage)
        if len(loaded.directions) != 1:
            message = f"study {chosen!r} has {len(loaded.directions)} objectives; alfine knows one."
            raise InvalidSpec([Fault(url, message)])
        return _of_study(loaded, str(chosen), name, metric)


@contextmanager
def _storage(optuna: Any, url: str) -> Iterator[Any]:
    """Open Optuna's storage, and close its connections, which Optuna leaves open."""
    try:
        storage = optuna.storages.RDBStorage(url)
    except Exception as error:
        raise InvalidSpec([Fault(url, f"can't be read: {error}.")]) from error
    try:
        yield storage
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _of_study(study: Any, title: str, name: str | None, metric: str) -> tuple[Record, tuple[str, ...]]:
    trials = [trial for trial in study.trials if trial.state.name in STATUSES]
    if not trials:
        raise InvalidSpec([Fault(title, "has no trial that has ended.")])
    # A trial that failed may not have got as far as its last parameter.
    whole_trials = [trial for trial in trials if trial.state.name != "FAIL"] or trials
    ranges = {key: parameter.union for key, parameter in parameters_of(whole_trials).items()}
    conditions = presences([trial.params for trial in whole_trials], ranges)
    clear = {key: found[0] for key, found in conditions.items() if len(found) == 1}
    if () not in clear.values():
        raise InvalidSpec([Fault(title, "has no parameter that every trial has.")])
    space = {key: ranges[key].requiring(condition) for key, condition in clear.items() if _is_clear(condition, clear)}
    fixed = {
        key: range_.low
        for key, range_ in space.items()
        if isinstance(range_, Integer | Continuous) and range_.low == range_.high
    }
    space = {key: range_ for key, range_ in space.items() if key not in fixed}
    goal = "Maximize" if study.direction.name == "MAXIMIZE" else "Minimize"
    request = job_request(
        name=name or _as_name(title),
        space=space,
        static=fixed,
        goal=goal,
        metric=metric,
        command=["ran-in-optuna", title],  # no program: nothing of it is run again
        max_training_jobs=len(trials),  # the budget that criteria can save from
    )
    own, spec = request["HyperParameterTuningJobName"], read_spec(request)
    kept = [trial for trial in trials if whole_trials is trials or trial.state.name != "FAIL" or _has_all(trial, spec)]
    ran = [_ran_in_optuna(trial, own, space) for trial in kept]
    record = Record(
        spec=spec,
        created_at=min(job.created_at for job in ran),
        ended_at=max(job.ended_at for job in ran),
        status="Completed",
        facts=facts_of(ran, spec),
    )
    left_out = [key for key in ranges if key not in {*space, *fixed}]
    return record, tuple(_remarks({key: range_.requires for key, range_ in space.items()}, left_out))


def _is_clear(condition: Condition, clear: Mapping[str, Condition]) -> bool:
    """Return whether all parameters that a condition is about have a clear condition themselves."""
    return all(clause.name in clear for combination in condition for clause in combination)


def _remarks(conditions: Mapping[str, Condition], left_out: Sequence[str]) -> Iterator[str]:
    for key, condition in conditions.items():
        if condition:
            yield f"{key} is taken to be active only where {words(condition[0])}, as in every trial."
    if left_out:
        yield f"Left out, since not every trial has them: {', '.join(sorted(left_out))}."


def _has_all(trial: Any, spec: TuningJobSpec) -> bool:
    try:
        spec.space.check({key: value for key, value in trial.params.items() if key in spec.space.ranges})
    except InvalidSpec:
        return False
    return True


def _ran_in_optuna(trial: Any, name: str, space: Iterable[str]) -> ImportedTrainingJob:
    result = result_of(trial)
    return ImportedTrainingJob(
        name=f"{name}-{trial.number + 1:03d}-optuna",
        hyperparameters={key: trial.params[key] for key in space if key in trial.params},
        created_at=result.started_at,
        started_at=result.started_at,
        ended_at=result.ended_at,
        status=result.status,
        objective=result.objective,
        failure_reason=result.failure_reason,
        curve=result.curve,
    )


def _as_name(title: str) -> str:
    """Return a study's name as AMT's names must be: at most 32 letters, digits and hyphens."""
    plain = re.sub(r"[^a-zA-Z0-9]+", "-", title).strip("-")
    return plain[:32].strip("-") or "optuna"

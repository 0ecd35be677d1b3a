"""Records of tuning jobs that ran elsewhere, as alfine's own facts: from AWS's answers, and from an Optuna study.

What comes in can be described, replayed under other criteria, exported and warm started from like any job that ran here; nothing
of it is run again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from alfine.api.job_words import job_request
from alfine.core.conditions import Combination, alternatives, as_text, words
from alfine.core.errors import Fault, InvalidSpec, MissingExtra
from alfine.core.history import Ended, Fact, Launched, Reported, Started
from alfine.core.ranges import Categorical, Continuous, Integer, Range
from alfine.core.read_spec import read_spec
from alfine.core.space import Hyperparameters
from alfine.core.spec import CONFIG, DEFINITION, DEFINITIONS, OBJECTIVE_HYPERPARAMETER, OF_SEVERAL, TuningJobSpec
from alfine.store.records import Record

_ORDER: dict[type[Fact], int] = {Launched: 0, Started: 1, Reported: 2, Ended: 3}  # of facts of one instant


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ran:
    """One training job, or trial, as the other side has it."""

    name: str
    hyperparameters: Hyperparameters
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime
    status: str
    objective: float | None
    failure_reason: str | None = None
    curve: Mapping[int, float] | None = None
    definition: str | None = None


def _facts(ran: Iterable[_Ran], spec: TuningJobSpec) -> tuple[Fact, ...]:
    """All facts in the order of their instants; training jobs are numbered in the order in which they were created."""
    facts: list[Fact] = []
    for number, job in enumerate(sorted(ran, key=lambda each: each.created_at), 1):
        start = job.started_at and max(job.created_at, job.started_at)
        end = max(job.ended_at, start or job.created_at)
        point, definition = job.hyperparameters, job.definition
        facts.append(
            Launched(at=job.created_at, number=number, name=job.name, hyperparameters=point, definition=definition)
        )
        if start is not None:
            facts.append(Started(at=start, number=number))
        facts += [  # when each value came isn't recorded anywhere: with the end, in their order
            Reported(at=end, number=number, metric=spec.of(definition).metric, step=step, value=value)
            for step, value in sorted((job.curve or {}).items())
        ]
        objective, reason = job.objective, job.failure_reason
        facts.append(Ended(at=end, number=number, status=job.status, objective=objective, failure_reason=reason))
    return tuple(sorted(facts, key=_place))


def _place(fact: Fact) -> tuple[datetime, int, int]:
    """At one instant a training job's end comes before the launch of the next, and after its own."""
    return fact.at, getattr(fact, "number", 0), _ORDER[type(fact)]


# -- AWS -------------------------------------------------------------------------------------------------------------


def from_aws(description: Path, lists: Sequence[Path], name: str | None = None) -> tuple[Record, tuple[str, ...]]:
    """The record in the JSON answers of AWS's API, as the AWS CLI or boto3 give them.

    description: DescribeHyperParameterTuningJob. lists: ListTrainingJobsForHyperParameterTuningJob, all of its pages.
    Also remarks, on what couldn't be taken over. Raise InvalidSpec, with the file and every fault, for what isn't one.
    """
    described = _json(description)
    if "HyperParameterTuningJobConfig" not in described:
        wanted = (
            "isn't an answer of DescribeHyperParameterTuningJob. That file goes first, then the lists of training jobs."
        )
        raise InvalidSpec([Fault(str(description), wanted)])
    status = described.get("HyperParameterTuningJobStatus")
    if status not in _ENDED:
        raise InvalidSpec(
            [Fault(str(description), f"the tuning job is {status!r} there. Import it once it has ended.")]
        )
    request = {key: described[key] for key in _REQUEST_MEMBERS if key in described}
    request["HyperParameterTuningJobName"] = name or described.get("HyperParameterTuningJobName")
    if DEFINITIONS in request:
        request[DEFINITIONS] = [_as_asked(each) for each in request[DEFINITIONS] or ()]
    else:
        own = _as_asked(request.get(DEFINITION) or {})
        request[DEFINITION] = {key: value for key, value in own.items() if key not in OF_SEVERAL}
    spec = read_spec(request)
    faults: list[Fault] = []
    pages = [job for path in lists for job in _summaries(path, spec, faults)]
    ran = list({job.name: job for job in pages}.values())  # pages may overlap
    if faults:
        raise InvalidSpec(faults)
    created = _instant(described.get("CreationTime"))
    ended = _instant(described.get("HyperParameterTuningEndTime") or described.get("LastModifiedTime"))
    record = Record(
        spec=spec,
        created_at=created or min(job.created_at for job in ran),
        ended_at=ended or max(job.ended_at for job in ran),
        status=status,
        facts=_facts(ran, spec),
        failure_reason=described.get("FailureReason"),
    )
    return record, tuple(_missing(described, len(ran)))


_ENDED = ("Completed", "Failed", "Stopped")
_REQUEST_MEMBERS = (CONFIG, DEFINITION, DEFINITIONS)


def _as_asked(definition: Mapping[str, Any]) -> dict[str, Any]:
    """A definition without what AMT adds when it describes it."""
    static = dict(definition.get("StaticHyperParameters") or {})
    static.pop(OBJECTIVE_HYPERPARAMETER, None)
    return {**definition, "StaticHyperParameters": static}


def _missing(described: Mapping[str, Any], found: int) -> Iterator[str]:
    counters = described.get("TrainingJobStatusCounters") or {}
    whole = sum(int(count) for key, count in counters.items() if key != "RetryableError")
    if whole > found:
        yield f"The description counts {whole} training jobs, the lists have {found}. Give every page of the list."


def _summaries(path: Path, spec: TuningJobSpec, faults: list[Fault]) -> Iterator[_Ran]:
    entries = _json(path).get("TrainingJobSummaries")
    if not isinstance(entries, list):
        faults.append(Fault(str(path), "has no TrainingJobSummaries: it isn't a list of training jobs."))
        return
    for index, entry in enumerate(entries):
        where = f"{path} TrainingJobSummaries[{index}]"
        try:
            yield _ran_on_aws(entry, spec)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            what = f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
            faults.append(Fault(where, f"{what}."))


def _ran_on_aws(entry: Mapping[str, Any], spec: TuningJobSpec) -> _Ran:
    created, ended = _instant(entry["CreationTime"]), _instant(entry.get("TrainingEndTime"))
    status = entry["TrainingJobStatus"]
    if status not in _ENDED:
        raise ValueError(f"the training job is {status}, in a tuning job that has ended")
    definition = entry["TrainingJobDefinitionName"] if spec.parts else None
    space = spec.of(definition).space
    texts = {key: value for key, value in entry["TunedHyperParameters"].items() if key in space.names}
    metric = entry.get("FinalHyperParameterTuningJobObjectiveMetric") or {}
    assert created is not None
    return _Ran(
        name=entry["TrainingJobName"],
        hyperparameters=space.from_text(texts),
        definition=definition,
        created_at=created,
        started_at=_instant(entry.get("TrainingStartTime")),
        ended_at=ended or created,
        status=status,
        objective=None if status == "Failed" or "Value" not in metric else float(metric["Value"]),
        failure_reason=entry.get("FailureReason"),
    )


def _json(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidSpec([Fault(str(path), f"can't be read: {error}.")]) from error
    if not isinstance(found, dict):
        raise InvalidSpec([Fault(str(path), "must be a JSON object, as AWS answers.")])
    return found


def _instant(value: Any) -> datetime | None:
    """Of an ISO text (the AWS CLI's, or str() of boto3's) or of seconds since 1970 (the wire's)."""
    if value is None:
        return None
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC)
    found = datetime.fromisoformat(str(value))
    return found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)


# -- Optuna ----------------------------------------------------------------------------------------------------------


def from_optuna(
    url: str, study: str | None = None, name: str | None = None, metric: str = "objective"
) -> tuple[Record, tuple[str, ...]]:
    """The record of an Optuna study. url: of its storage, as sqlite:///study.db. study: needed when there are several. metric: what the
    objective is called here; a tuning job that begins with it must call it the same.

    Pruned trials count as stopped, with their last value. A parameter that some trials lack is a conditional hyperparameter where
    another one tells when it's there, and left out otherwise; the remarks name them. Raise InvalidSpec for what can't be taken over, MissingExtra without Optuna.
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
    try:
        names = optuna.get_all_study_names(url)
    except Exception as error:
        raise InvalidSpec([Fault(url, f"can't be read: {error}.")]) from error
    chosen = study or (names[0] if len(names) == 1 else None)
    if chosen not in names:
        wanted = f"there is no study {study!r}" if study else "say which study is meant"
        raise InvalidSpec([Fault(url, f"{wanted}. It has: {', '.join(names) or 'none'}.")])
    loaded = optuna.load_study(study_name=chosen, storage=url)
    if len(loaded.directions) != 1:
        raise InvalidSpec([Fault(url, f"study {chosen!r} has {len(loaded.directions)} objectives; alfine knows one.")])
    return _of_study(loaded, str(chosen), name, metric)


def _of_study(study: Any, title: str, name: str | None, metric: str) -> tuple[Record, tuple[str, ...]]:
    trials = [trial for trial in study.trials if trial.state.name in _STATES]
    if not trials:
        raise InvalidSpec([Fault(title, "has no trial that has ended.")])
    told = [
        trial for trial in trials if trial.state.name != "FAIL"
    ] or trials  # one that fails may not have got to all of them
    kinds: dict[str, list[Any]] = {}
    for trial in told:
        for key, kind in trial.distributions.items():
            kinds.setdefault(key, []).append(kind)
    shared = [key for key in kinds if all(key in trial.params for trial in told)]
    if not shared:
        raise InvalidSpec([Fault(title, "has no parameter that every trial has.")])
    space = {key: _range(kinds[key]) for key in shared}
    conditions = {key: _condition(key, told, shared, space) for key in kinds if key not in shared}
    space |= {key: _range(kinds[key]).requiring(each) for key, each in conditions.items() if each}
    fixed = {key: each for key, each in space.items() if not isinstance(each, Categorical) and each.low == each.high}  # type: ignore[attr-defined]
    space = {key: each for key, each in space.items() if key not in fixed}
    goal = "Maximize" if study.direction.name == "MAXIMIZE" else "Minimize"
    request = job_request(
        name=name or _as_name(title),
        space=space,
        static={key: each.low for key, each in fixed.items()},  # type: ignore[attr-defined]
        goal=goal,
        metric=metric,
        command=["ran-in-optuna", title],  # no program: nothing of it is run again
        max_training_jobs=len(trials),  # the budget that criteria can save from
    )
    own, spec = request["HyperParameterTuningJobName"], read_spec(request)
    whole = (each for each in trials if told is trials or each.state.name != "FAIL" or _has_all(each, spec))
    ran = [_ran_in_optuna(each, own, space) for each in whole]
    record = Record(
        spec=spec,
        created_at=min(job.created_at for job in ran),
        ended_at=max(job.ended_at for job in ran),
        status="Completed",
        facts=_facts(ran, spec),
    )
    return record, tuple(_remarks(conditions))


def _remarks(conditions: Mapping[str, tuple[Combination, ...]]) -> Iterator[str]:
    for key, each in conditions.items():
        if each:
            yield f"{key} is taken to be a choice only where {words(each[0])}, as in every trial."
    if left_out := sorted(key for key, each in conditions.items() if not each):
        yield f"Left out, since not every trial has them: {', '.join(left_out)}."


def _condition(
    name: str, trials: Sequence[Any], shared: Sequence[str], space: Mapping[str, Range]
) -> tuple[Combination, ...]:
    """When a parameter that not every trial has is there: by the only other one whose values tell; empty where none does, or several.

    A category tells by its values, where there is none a whole number from some value on, or up to one.
    """
    having, lacking = ([trial for trial in trials if (name in trial.params) == there] for there in (True, False))
    by_category: list[dict[str, Any]] = []
    by_number: list[dict[str, Any]] = []
    for key in shared:
        there, elsewhere = ([trial.params[key] for trial in some] for some in (having, lacking))
        if isinstance(space[key], Categorical):
            texts = {*map(as_text, there)}
            if texts.isdisjoint(map(as_text, elsewhere)):
                by_category.append({key: sorted(texts)})
        elif isinstance(space[key], Integer):
            if min(there) > max(elsewhere):
                by_number.append({key: f">= {min(there)}"})
            elif max(there) < min(elsewhere):
                by_number.append({key: f"<= {max(there)}"})
    found = by_category or by_number
    return alternatives(found[0]) if len(found) == 1 else ()


def _has_all(trial: Any, spec: TuningJobSpec) -> bool:
    try:
        spec.space.check({key: each for key, each in trial.params.items() if key in spec.space.ranges})
    except InvalidSpec:
        return False
    return True


_STATES = {"COMPLETE": "Completed", "PRUNED": "Stopped", "FAIL": "Failed"}


def _ran_in_optuna(trial: Any, name: str, space: Iterable[str]) -> _Ran:
    curve = {int(step): float(value) for step, value in trial.intermediate_values.items()}
    final = trial.value if trial.state.name == "COMPLETE" else curve[max(curve)] if curve else None
    start = trial.datetime_start.astimezone(UTC)  # Optuna keeps local time
    return _Ran(
        name=f"{name}-{trial.number + 1:03d}-optuna",
        hyperparameters={key: trial.params[key] for key in space if key in trial.params},
        created_at=start,
        started_at=start,
        ended_at=(trial.datetime_complete or trial.datetime_start).astimezone(UTC),
        status=_STATES[trial.state.name],
        objective=None if trial.state.name == "FAIL" else final,
        failure_reason="The trial failed in Optuna." if trial.state.name == "FAIL" else None,
        curve=curve,
    )


def _range(kinds: Sequence[Any]) -> Range:
    """The range that holds all of a parameter's distributions: numeric ones may change between trials."""
    last = kinds[-1]
    if type(last).__name__ == "CategoricalDistribution":
        return Categorical(last.choices)
    low, high = min(kind.low for kind in kinds), max(kind.high for kind in kinds)
    range_of = Integer if type(last).__name__ == "IntDistribution" else Continuous
    return range_of(low, high, scaling="Logarithmic" if last.log else "Linear")


def _as_name(title: str) -> str:
    """A study's name as AMT's names are: 32 letters, digits and hyphens."""
    plain = re.sub(r"[^a-zA-Z0-9]+", "-", title).strip("-")
    return plain[:32].strip("-") or "optuna"

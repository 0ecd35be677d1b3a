"""Import a tuning job from the answers of AWS's API."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from alfine.api.import_records import ImportedTrainingJob, facts_of
from alfine.core.errors import Fault, InvalidSpec
from alfine.core.read_spec import read_spec
from alfine.core.spec import CONFIG, DEFINITION, DEFINITIONS, OBJECTIVE_HYPERPARAMETER, OF_SEVERAL, TuningJobSpec
from alfine.store.records import Record


def from_aws(description: Path, lists: Sequence[Path], name: str | None = None) -> tuple[Record, tuple[str, ...]]:
    """Return the record of a tuning job that ran on AWS.

    Args:
        description: A file with the answer of DescribeHyperParameterTuningJob, as JSON of the AWS CLI or of boto3.
        lists: Files with all pages of the answer of ListTrainingJobsForHyperParameterTuningJob.
        name: The imported job's name; None keeps the name on AWS.

    Returns:
        The record, and remarks on what couldn't be imported.

    Raises:
        InvalidSpec: With the file and every fault, when these aren't the answers of a tuning job that has ended.
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
        request[DEFINITIONS] = [_as_asked(definition) for definition in request[DEFINITIONS] or ()]
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
        facts=facts_of(ran, spec),
        failure_reason=described.get("FailureReason"),
    )
    return record, tuple(_missing(described, len(ran)))


_ENDED = ("Completed", "Failed", "Stopped")
_REQUEST_MEMBERS = (CONFIG, DEFINITION, DEFINITIONS)


def _as_asked(definition: Mapping[str, Any]) -> dict[str, Any]:
    """Return a definition without what AMT adds when it describes one."""
    static = dict(definition.get("StaticHyperParameters") or {})
    static.pop(OBJECTIVE_HYPERPARAMETER, None)
    return {**definition, "StaticHyperParameters": static}


def _missing(described: Mapping[str, Any], listed: int) -> Iterator[str]:
    counters = described.get("TrainingJobStatusCounters") or {}
    whole = sum(int(count) for key, count in counters.items() if key != "RetryableError")
    if whole > listed:
        yield f"The description counts {whole} training jobs, the lists have {listed}. Give every page of the list."


def _summaries(path: Path, spec: TuningJobSpec, faults: list[Fault]) -> Iterator[ImportedTrainingJob]:
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


def _ran_on_aws(entry: Mapping[str, Any], spec: TuningJobSpec) -> ImportedTrainingJob:
    created, ended = _instant(entry["CreationTime"]), _instant(entry.get("TrainingEndTime"))
    status = entry["TrainingJobStatus"]
    if status not in _ENDED:
        raise ValueError(f"the training job is {status}, in a tuning job that has ended")
    definition = entry["TrainingJobDefinitionName"] if spec.parts else None
    space = spec.of(definition).space
    texts = {key: value for key, value in entry["TunedHyperParameters"].items() if key in space.names}
    metric = entry.get("FinalHyperParameterTuningJobObjectiveMetric") or {}
    assert created is not None
    return ImportedTrainingJob(
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
        answer = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidSpec([Fault(str(path), f"can't be read: {error}.")]) from error
    if not isinstance(answer, dict):
        raise InvalidSpec([Fault(str(path), "must be a JSON object, as AWS answers.")])
    return answer


def _instant(value: Any) -> datetime | None:
    """Return the time of an ISO text (of the AWS CLI, or str() of boto3's) or of seconds since 1970 (of the HTTP API)."""
    if value is None:
        return None
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC)
    time = datetime.fromisoformat(str(value))
    return time.replace(tzinfo=time.tzinfo or UTC).astimezone(UTC)

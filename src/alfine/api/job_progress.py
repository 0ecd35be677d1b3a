"""The state of a tuning job as the live view shows it, from a job of this process or from what Describe says of another's."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from alfine.core.facts import is_terminal
from alfine.core.history import History
from alfine.core.memo import MemoKey
from alfine.core.read_spec import read_spec
from alfine.core.spec import DEFINITION, DEFINITIONS, TuningJobSpec
from alfine.core.training_job import TrainingJob
from alfine.core.verdict import UNDECIDED, Outlook, Verdict
from alfine.core.wording import configuration
from alfine.jobs.run import Run
from alfine.surrogate.space_diagnosis import remarks

FAILED: MemoKey[int] = MemoKey(__name__, "failed training jobs")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobProgress:
    """The state of a tuning job as the live view shows it.

    Args:
        spec: The job as it was asked for.
        status: AMT's status, or what the job is about to be.
        elapsed_seconds: The time since the job's creation.
        training_seconds: The training time of all training jobs together.
        ended: How many training jobs have ended.
        running: How many training jobs run.
        failed: How many training jobs have failed.
        best: The best training job in words, its objective, and its configuration in one line; None while there is
            none.
        verdicts: The verdict of each completion criterion.
        curve: The best objective so far after each of the training jobs that ended, from the first objective on.
        remarks: The remarks on the search space: the subject of each, and its sentence.
    """

    spec: TuningJobSpec
    status: str
    elapsed_seconds: float
    training_seconds: float
    ended: int
    running: int
    failed: int
    best: tuple[str, float, str] | None
    verdicts: tuple[Verdict, ...]
    curve: Sequence[float] = ()
    remarks: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, run: Run) -> Self:
        """Return the state of a job that this process runs."""
        return cls.of_history(run.history, run.job.status, run.judge.verdict, run.judge.verdicts)

    @classmethod
    def of_history(cls, history: History, status: str, verdict: Verdict, verdicts: tuple[Verdict, ...]) -> Self:
        """Return the state of a job with this history, status and verdicts."""
        best = history.incumbent
        return cls(
            spec=history.spec,
            status=_status(
                status,
                verdict,
                len(history.running),
                history.stop_requested_at,
                again=any(job.repeats is not None for job in history.running.values()),
            ),
            elapsed_seconds=history.elapsed_seconds,
            training_seconds=history.training_seconds,
            ended=history.ended,
            running=len(history.running),
            failed=history.fold(FAILED, 0, _count_failed),
            best=None
            if best is None or history.best_value is None
            else (f"training job {best.number}", history.best_value, configuration(best.hyperparameters)),
            verdicts=verdicts,
            curve=[value for _, value in history.best_curve()],
            remarks=tuple((f"{remark.kind} {remark.hyperparameter}", remark.sentence) for remark in remarks(history)),
        )

    @classmethod
    def from_description(cls, described: Mapping[str, Any], training_jobs: Sequence[Mapping[str, Any]] = ()) -> Self:
        """Return the state of a job that another process runs.

        Args:
            described: The document of `Service.describe`.
            training_jobs: The rows of `Service.training_jobs`, for the curve.
        """
        keys = ("HyperParameterTuningJobName", "HyperParameterTuningJobConfig", DEFINITION, DEFINITIONS)
        spec = read_spec({key: described[key] for key in keys if key in described})
        counters, alfine = described["TrainingJobStatusCounters"], described["Alfine"]
        best = described.get("BestTrainingJob")
        failed = counters["NonRetryableError"] + counters["RetryableError"]
        spent = alfine["Cost"]["Spent"]["ComputeSeconds"]
        return cls(
            spec=spec,
            status=_described_status(described),
            elapsed_seconds=described["ConsumedResources"]["RuntimeInSeconds"],
            training_seconds=spent / spec.definition.instance_count,
            ended=counters["Completed"] + counters["Stopped"] + failed,
            running=counters["InProgress"],
            failed=failed,
            best=None if best is None else _described_best(best, alfine["BestObjective"]["Value"]),
            verdicts=tuple(Verdict.from_dict(verdict) for verdict in alfine["Verdicts"]),
            curve=_described_curve(spec, training_jobs),
            remarks=tuple(
                (f"{remark['Kind']} {remark.get('HyperParameter')}", remark["Sentence"])
                for remark in alfine.get("Space", ())
            ),
        )

    @property
    def is_running(self) -> bool:
        """True until the job has ended."""
        return not is_terminal(self.status)

    @property
    def allowed(self) -> int:
        """Return the number of training jobs if nothing ends the job earlier."""
        return self.spec.most_training_jobs

    @property
    def remaining_seconds(self) -> float | None:
        """An estimate of the time until the job ends: each further training job takes the average of the ended ones.

        None while none has ended.
        """
        if self.ended == 0:
            return None
        seconds = (self.allowed - self.ended) * self.training_seconds / self.ended / self.spec.max_parallel
        if self.spec.max_runtime_seconds is not None:
            seconds = min(seconds, self.spec.max_runtime_seconds - self.elapsed_seconds)
        return max(0.0, seconds)


def _status(status: str, verdict: Verdict, running: int, stop_requested: object, *, again: bool) -> str:
    if is_terminal(status):
        return status
    if again and stop_requested is None and verdict.outlook is not Outlook.CONTINUE:
        return "InProgress, the best are run again"
    if stop_requested is not None or verdict.outlook is Outlook.STOP:
        return "Stopping" if running else verdict.status
    if verdict.outlook is Outlook.DRAIN:
        return "InProgress, the last training jobs run" if running else verdict.status
    return "InProgress"


def _described_status(described: Mapping[str, Any]) -> str:
    status: str = described["HyperParameterTuningJobStatus"]
    verdict, running = described["Alfine"]["Verdict"], described["TrainingJobStatusCounters"]["InProgress"]
    asked = True if status == "Stopping" else None
    known = UNDECIDED if verdict is None else Verdict.from_dict(verdict)
    return _status(status, known, running, asked, again="Repeats" in described["Alfine"])


def _described_curve(spec: TuningJobSpec, rows: Sequence[Mapping[str, Any]]) -> list[float]:
    better, curve = max if spec.goal == "Maximize" else min, list[float]()
    for row in sorted((row for row in rows if "TrainingEndTime" in row), key=lambda row: str(row["TrainingEndTime"])):
        final = row.get("FinalHyperParameterTuningJobObjectiveMetric")
        values = curve[-1:] + ([float(final["Value"])] if final and final["MetricName"] == spec.metric else [])
        if values:
            curve.append(better(values))
    return curve


def _described_best(best: Mapping[str, Any], value: float) -> tuple[str, float, str]:
    numbered = re.search(r"-(\d{3,})-[0-9a-f]{8}$", best["TrainingJobName"])
    name = f"training job {int(numbered[1])}" if numbered else best["TrainingJobName"]
    return name, value, configuration(best["TunedHyperParameters"])


def _count_failed(count: int, job: TrainingJob) -> int:
    return count + (job.status == "Failed")

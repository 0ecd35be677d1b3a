"""Descriptions of jobs as plain data that JSON can hold, under AMT's names; what AMT has no name for stands under «Alfine».

The REST documents, `alfine … --json` and the console show these. Instants are ISO 8601 texts; what isn't there is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from alfine.core.cost import Cost
from alfine.core.spec import CONFIG, DEFINITION, DEFINITIONS
from alfine.jobs.assessment import Assessment, RepeatsProgress, SpaceRules
from alfine.jobs.describe import TrainingJobSummary, TuningJobDescription, TuningJobSummary
from alfine.store.counters import Counters
from alfine.store.tracker_cursors import TrackerState

Plain = dict[str, Any]

SHOWN_OF_REQUEST = (DEFINITION, DEFINITIONS, "WarmStartConfig", "Autotune")


def tuning_job(
    description: TuningJobDescription,
    assessment: Assessment,
    now: datetime,
    tags: Mapping[str, str],
    trackers: Sequence[TrackerState],
) -> Plain:
    """Return DescribeHyperParameterTuningJob's answer.

    Args:
        description: What is recorded of the job.
        assessment: What alfine concludes.
        now: The present instant, up to which a running job has taken its time.
        tags: The tags that people gave it.
        trackers: Its experiment trackers.
    """
    job = description.job
    best, overall = description.best, description.overall_best
    seconds = int((description.until(now) - job.created_at).total_seconds())
    return {
        "HyperParameterTuningJobName": job.name,
        "HyperParameterTuningJobStatus": job.status,
        CONFIG: job.request[CONFIG],
        **{key: job.request[key] for key in SHOWN_OF_REQUEST if key in job.request},
        "CreationTime": job.created_at.isoformat(),
        "LastModifiedTime": job.modified_at.isoformat(),
        **_optional(HyperParameterTuningEndTime=_text(job.ended_at), FailureReason=job.failure_reason),
        **_counters(description.counters),
        "TuningJobCompletionDetails": {
            "NumberOfTrainingJobsObjectiveNotImproving": description.not_improving,
            **_optional(ConvergenceDetectedTime=_text(description.converged_at)),
        },
        "ConsumedResources": {"RuntimeInSeconds": seconds},
        **_optional(
            BestTrainingJob=best and training_job(best), OverallBestTrainingJob=overall and training_job(overall)
        ),
        "Alfine": {
            **_optional(Note=job.note, Tags=dict(tags) or None, Tracking=_tracking(trackers) or None),
            **_best_objective(description),
            **_assessment(assessment),
            **_unjudged(description),
            "Hyperparameters": list(description.spec.names_in_order),
            **_optional(
                Failures=[failure.as_dict() for failure in description.failures] or None,
                Standstill=description.standstill and description.standstill.reason,
            ),
        },
    }


def tuning_job_row(summary: TuningJobSummary, tags: Mapping[str, str]) -> Plain:
    """Return a row of ListHyperParameterTuningJobs, with the best objective, the verdict, the note and the tags."""
    job, verdict, spec = summary.job, summary.job.verdict, summary.spec
    return {
        "HyperParameterTuningJobName": job.name,
        "HyperParameterTuningJobStatus": job.status,
        "Strategy": spec and spec.strategy,
        "CreationTime": job.created_at.isoformat(),
        **_optional(HyperParameterTuningEndTime=_text(job.ended_at)),
        **_counters(summary.counters),
        "BestObjective": summary.best_value,
        **_optional(BestRuns=summary.best_runs if summary.best_runs > 1 else None),
        "MetricName": spec and spec.metric,
        "Verdict": None if verdict is None else verdict.as_dict(),
        **_optional(
            Error=summary.error or None, Standstill=summary.nobody or None, Note=job.note, Tags=dict(tags) or None
        ),
    }


def training_job(summary: TrainingJobSummary) -> Plain:
    """Return HyperParameterTrainingJobSummary of one training job."""
    final = {"Type": summary.goal, "MetricName": summary.metric, "Value": summary.objective}
    return {
        **_optional(TrainingJobDefinitionName=summary.definition),
        "TrainingJobName": summary.name,
        "TuningJobName": summary.tuning_job,
        "CreationTime": summary.created_at.isoformat(),
        **_optional(TrainingStartTime=_text(summary.started_at), TrainingEndTime=_text(summary.ended_at)),
        "TrainingJobStatus": summary.status,
        "TunedHyperParameters": dict(summary.hyperparameters),
        "ObjectiveStatus": summary.objective_status,
        **_optional(FailureReason=summary.failure_reason, StopReason=summary.stop_reason),
        **({} if summary.objective is None else {"FinalHyperParameterTuningJobObjectiveMetric": final}),
    }


def _counters(counters: Counters) -> Plain:
    return {
        "TrainingJobStatusCounters": dict(counters.statuses),
        "ObjectiveStatusCounters": dict(counters.objectives),
    }


def _assessment(assessment: Assessment) -> Plain:
    costs = {"Bound": assessment.bound, "Spent": assessment.spent, "Saved": assessment.saved}
    forecast, best, repeats = assessment.forecast, assessment.best, assessment.repeats
    return {
        "Verdict": None if assessment.verdict is None else assessment.verdict.as_dict(),
        "Verdicts": [verdict.as_dict() for verdict in assessment.verdicts],
        "Cost": {name: _cost(amount) for name, amount in costs.items() if amount is not None},
        **_optional(Forecast=forecast and forecast.as_dict()),
        **_rules(assessment.rules),
        **_optional(
            WarmStart=assessment.warm_start,
            Repeats=repeats and _repeats(repeats),
            Best=best and best.as_dict(),
            Space=[remark.as_dict() for remark in assessment.remarks] or None,
        ),
        "Changes": [at.isoformat() for at in assessment.changed_at],
    }


def _unjudged(description: TuningJobDescription) -> Plain:
    """Return no verdicts for a job that nobody runs and that was changed since the last ones, which may be of other criteria."""
    job = description.job
    return {"Verdict": None, "Verdicts": []} if description.standstill and job.judged < job.facts else {}


def _best_objective(description: TuningJobDescription) -> Plain:
    """Return the objective that stands for the job: of a configuration that was run again the mean, not its lucky first result."""
    if description.best_value is None:
        return {}
    return {"BestObjective": {"Value": description.best_value, "Runs": description.best_runs}}


def _tracking(trackers: Sequence[TrackerState]) -> Plain:
    """Return where each tracker has the job, and what went wrong."""
    return {
        one.tracker: _optional(
            Place=one.place,
            FactsBehind=one.behind or None,
            Failure=one.failure,
            FailingSince=_text(one.failing_since),
        )
        for one in trackers
    }


def _cost(cost: Cost) -> Plain:
    return {"ComputeSeconds": cost.compute_seconds, **_optional(Money=cost.money)}


def _rules(rules: SpaceRules) -> Plain:
    shown = {
        "Conditions": dict(rules.conditions),
        "Forbidden": list(rules.forbidden),
        "StartWith": [dict(texts) for texts in rules.start_with],
        "AutoScaling": dict(rules.auto_scaling),
    }
    return {name: value for name, value in shown.items() if value}


def _repeats(repeats: RepeatsProgress) -> Plain:
    return {
        "Best": repeats.best,
        "Times": repeats.times,
        "Launched": repeats.launched,
        "Contenders": [
            {"TrainingJobName": one.training_job, "First": one.first, "Mean": one.mean, "Runs": one.runs}
            for one in repeats.contenders
        ],
    }


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _optional(**fields: Any) -> Plain:
    return {name: value for name, value in fields.items() if value is not None}

"""Find what a tuning job will do, or won't, that its user may not expect.

Each rule looks at the spec and, after a trial run, at the training job that was run. To find criteria that can't work, the
rules ask the criteria themselves about invented histories: one whose first training job did what the trial run did, and one
that never gets better than its first training job, where a criterion about missing improvement must end the job.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from alfine.cli.trial_run import TrialRun
from alfine.core.conditions import words
from alfine.core.cost import longest_seconds
from alfine.core.facts import Ended, Fact, Launched, Reported, Started
from alfine.core.finding import Finding
from alfine.core.history import History
from alfine.core.messages import naming
from alfine.core.protocols import CompletionCriterion, verdict_of
from alfine.core.ranges import ROUNDING
from alfine.core.settings import FORBID, REQUIRES
from alfine.core.spec import TuningJobSpec
from alfine.core.verdict import Outlook
from alfine.core.wording import duration, percent
from alfine.criteria.max_runtime_in_seconds import MaxRuntimeInSeconds
from alfine.jobs.clock import utc_now
from alfine.jobs.policy_for import policy_for
from alfine.surrogate.learning_curves import LEAST_CURVES

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
"""Begin of invented histories; criteria only see time differences."""

MOST_INVENTED = 100
"""Training jobs in an invented history: a criterion that needs more than these is patient, not mistaken."""

SMALL_SHARE = 0.02
"""Share of a search space that is small: a random search meets it once in 50 training jobs."""


def findings_of(spec: TuningJobSpec, trials: Sequence[TrialRun]) -> list[Finding]:
    """Return the findings about a job without faults.

    Args:
        spec: The job.
        trials: The trial runs of its definitions, if there were any.
    """
    criteria = policy_for(spec).criteria
    findings = [*_over(spec, criteria), *_limits(spec), *_structure(spec)]
    findings += [*_standstill(spec, criteria), *_early_stopping(spec)]
    for trial in trials:
        findings += [*_trial(trial), *_time(trial), *_emissions(trial), *_at_once(spec, criteria, trial)]
    return findings


def _over(spec: TuningJobSpec, criteria: Sequence[CompletionCriterion]) -> Iterator[Finding]:
    """Find criteria that are met before anything has run, such as a Deadline that has passed."""
    for criterion in criteria:
        verdict = verdict_of(criterion, History(spec, utc_now()))
        if verdict.outlook is not Outlook.CONTINUE and not verdict.watching:
            sentence = f"It would end the job before its first training job: {verdict.sentence}"
            yield Finding(where=verdict.criterion, sentence=sentence, fatal=True)


def _limits(spec: TuningJobSpec) -> Iterator[Finding]:
    path = "HyperParameterTuningJobConfig.ResourceLimits"
    allowed, parallel = spec.most_training_jobs, spec.max_parallel
    if spec.max_training_jobs is None and spec.max_runtime_seconds is None and spec.size is None:
        yield Finding(
            where=path, sentence=f"The job has no limit. SageMaker's own limit of {allowed} training jobs applies."
        )
    if parallel > allowed:
        yield Finding(
            where=f"{path}.MaxParallelTrainingJobs",
            sentence=f"{parallel} training jobs may run at the same time, but the job has only {allowed}.",
        )
    elif spec.strategy == "Bayesian" and 1 < allowed <= parallel:
        yield Finding(
            where=f"{path}.MaxParallelTrainingJobs",
            sentence=f"All {allowed} training jobs start at the same time, before any result is known: that is a random search. "
            "Run fewer in parallel.",
        )
    initial = max(len(part.start_with) for part in spec.definition_specs)
    if initial >= allowed:
        yield Finding(
            where=f"{path}.MaxNumberOfTrainingJobs",
            sentence=f"All {allowed} training jobs run configurations of start_with ({initial}): there is no search.",
        )
    longest = longest_seconds(spec)
    if longest is not None and spec.max_runtime_seconds is not None and spec.max_runtime_seconds < longest:
        yield Finding(
            where=f"{path}.MaxRuntimeInSeconds",
            sentence=f"The tuning job may run for {duration(spec.max_runtime_seconds)}, each of its training jobs for "
            f"{duration(longest)}: the tuning job may end before its first training job.",
        )


def _structure(spec: TuningJobSpec) -> Iterator[Finding]:
    """Find conditions and constraints that have no effect, or leave almost nothing."""
    for space in (part.space for part in spec.definition_specs if part.space.structure):
        assert space.structure is not None
        survey = space.structure.survey
        if survey.share < SMALL_SHARE:
            yield Finding(
                where=f"Tags.alfine:{FORBID}", sentence=f"Only {percent(survey.share)} of the search space is allowed."
            )
        for combination, share in zip(space.forbidden, survey.forbidding, strict=True):
            if share == 0:
                yield Finding(
                    where=f"Tags.alfine:{FORBID}",
                    sentence=f"«{words(combination)}» never occurs, so that it forbids nothing.",
                )
        for name, share in survey.active.items():
            where = f"Tags.alfine:{REQUIRES} ({name})"
            if space.ranges[name].requires and share > 1 - ROUNDING:
                yield Finding(where=where, sentence="Its condition always holds.")
            elif share < SMALL_SHARE:
                yield Finding(
                    where=where,
                    sentence=f"It is active in {percent(share)} of the search space only: hardly any training job has it.",
                )


def _standstill(spec: TuningJobSpec, criteria: Sequence[CompletionCriterion]) -> Iterator[Finding]:
    """Find criteria that would not even end a job whose first training job stays the best."""
    allowed = spec.most_training_jobs
    if allowed > MOST_INVENTED:
        return
    for criterion in criteria:
        if not getattr(criterion, "ends_a_standstill", False):
            continue
        history = History(spec, BEGIN)
        for number in range(1, allowed):  # at the last one the limit ends the job anyway
            _record(history, _invented(history, 1.0 + number / allowed))
            verdict = verdict_of(criterion, history)
            if verdict.outlook is not Outlook.CONTINUE:
                break
        else:
            yield Finding(
                where=f"HyperParameterTuningJobConfig.TuningJobCompletionCriteria.{verdict.criterion}",
                sentence=naming(
                    "It can't end this job early: with {max_training_jobs} {} it isn't met even if no training job is better "
                    "than the first. After {}: {}",
                    *(allowed, allowed - 1, verdict.sentence),
                ),
            )


def _early_stopping(spec: TuningJobSpec) -> Iterator[Finding]:
    allowed = spec.most_training_jobs
    if spec.early_stopping == "Auto" and allowed <= LEAST_CURVES:
        yield Finding(
            where="HyperParameterTuningJobConfig.TrainingJobEarlyStoppingType",
            sentence=f"Auto needs {LEAST_CURVES} ended training jobs to compare with, and the job has only {allowed}: it stops none.",
        )


# ---- what the trial run shows --------------------------------------------------------------------


def _trial(trial: TrialRun) -> Iterator[Finding]:
    where, name = trial.spec.path, trial.spec.definition.name
    if trial.exit.cause == "max_runtime":
        yield Finding(
            where=f"{where}.StoppingCondition.MaxRuntimeInSeconds",
            sentence=f"The training job was stopped after {duration(trial.seconds)}: {trial.reason}",
        )
    elif trial.reason:
        whose = f"training job of {name}" if name else "training job"
        yield Finding(where=whose, sentence=f"It failed: {trial.reason}", fatal=True)
    for name in trial.readings.regexes:
        objective = name == trial.spec.metric
        if not trial.readings.matches[name]:
            why = "; ".join(trial.readings.remarks(name)) or "its regex matches no line"
            effect = ". Without the objective, every training job fails." if objective else "."
            yield Finding(where=f"metric {name}", sentence=f"It has no value: {why}{effect}", fatal=objective)


def _time(trial: TrialRun) -> Iterator[Finding]:
    spec = trial.spec
    path = "HyperParameterTuningJobConfig.ResourceLimits.MaxRuntimeInSeconds"
    limit, allowed = spec.max_runtime_seconds, spec.most_training_jobs
    if limit is None or trial.seconds <= 0:
        return
    enough = int(limit / trial.seconds) * spec.max_parallel
    if limit < trial.seconds:
        yield Finding(
            where=path,
            sentence=f"The limit of {duration(limit)} is shorter than one training job, which took {duration(trial.seconds)}.",
            fatal=True,
        )
    elif enough < allowed:
        yield Finding(
            where=path, sentence=f"{duration(limit)} are enough for about {enough} of {allowed} training jobs."
        )


def _emissions(trial: TrialRun) -> Iterator[Finding]:
    spec = trial.spec
    count = len(trial.readings.matches[spec.metric])
    times = "once" if count == 1 else f"{count} times"
    path = "HyperParameterTuningJobConfig"
    if count == 0:
        return
    if spec.early_stopping == "Auto" and count == 1:
        yield Finding(
            where=f"{path}.TrainingJobEarlyStoppingType",
            sentence=f"Auto needs several values of {spec.metric}, but the training job printed it once: none can be stopped early. "
            "Print it every epoch.",
        )
    if spec.strategy == "Hyperband" and count <= spec.min_resource:
        yield Finding(
            where=f"{path}.StrategyConfig.HyperbandStrategyConfig",
            sentence=naming(
                "The training job printed {} {}, and nothing is stopped before {min_resource} {}: every training job runs to its end.",
                *(spec.metric, times, spec.min_resource),
            ),
        )
    if spec.strategy == "Hyperband" and spec.max_resource is not None and count > spec.max_resource:
        yield Finding(
            where=f"{path}.StrategyConfig.HyperbandStrategyConfig",
            sentence=naming(
                "The training job printed {} {}, and each is stopped at {max_resource} {}.",
                *(spec.metric, times, spec.max_resource),
            ),
        )


def _at_once(spec: TuningJobSpec, criteria: Sequence[CompletionCriterion], trial: TrialRun) -> Iterator[Finding]:
    """Find criteria that would end the job after a first training job like the trial run."""
    values = trial.readings.values(trial.spec.metric)
    if not values or trial.reason:
        return
    history = History(spec, BEGIN)
    _record(
        history, _facts(history, trial.spec, trial.hyperparameters, max(0.001, trial.seconds), [*values, values[-1]])
    )
    for criterion in criteria:
        verdict = verdict_of(criterion, history)
        if verdict.outlook is Outlook.CONTINUE or verdict.watching or isinstance(criterion, MaxRuntimeInSeconds):
            continue  # `_limits` says more about time
        if spec.most_training_jobs > 1:
            yield Finding(
                where=verdict.criterion,
                sentence=f"It would end the job after its first training job: {verdict.sentence}",
                fatal=True,
            )


def _invented(history: History, value: float) -> list[Fact]:
    """Return the facts of a training job that ended with this objective, minimised."""
    parts = history.spec.definition_specs
    part = parts[history.launches % len(parts)]
    return _facts(history, part, part.space.sample(history.rng(0)), 1.0, [part.sign * value])


def _facts(
    history: History, part: TuningJobSpec, hyperparameters: Mapping[str, Any], seconds: float, values: list[float]
) -> list[Fact]:
    """Return the facts of one more training job of a definition, which reported these values; the last is its objective."""
    now, end, number = history.now, history.now + timedelta(seconds=seconds), history.launches + 1
    return [
        Launched(
            at=now,
            number=number,
            name=f"invented-{number}",
            hyperparameters=dict(hyperparameters),
            definition=part.definition.name if history.spec.parts else None,
        ),
        Started(at=now, number=number),
        *(
            Reported(at=end, number=number, metric=part.metric, step=step, value=value)
            for step, value in enumerate(values[:-1], 1)
        ),
        Ended(at=end, number=number, status="Completed", objective=values[-1]),
    ]


def _record(history: History, facts: list[Fact]) -> None:
    for fact in facts:
        history.record(fact)

"""Check a tuning job before it is created: its faults, what its criteria can do, and what it will take.

Each rule looks at the spec and, after a trial run, at the training job that was run. To find criteria that can't work, the
rules ask the criteria themselves about invented histories: one whose first training job did what the trial run did, and one
that never gets better than its first training job, where a criterion about missing improvement must end the job.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from alfine.api.full_request import is_request
from alfine.api.job_file import JobFile, read_job_file
from alfine.api.read_document import read_document
from alfine.aws.json_protocol import WireError, api
from alfine.aws.sagemaker.unsupported_fields import refuse_what_is_not
from alfine.cli.log_check import MetricReadings
from alfine.cli.trial_run import TrialRun, try_out, typical
from alfine.core.conditions import words
from alfine.core.cost import Cost, cost_of, longest_seconds
from alfine.core.errors import Fault, InvalidSpec
from alfine.core.facts import Ended, Fact, Launched, Reported, Started
from alfine.core.history import History
from alfine.core.messages import naming
from alfine.core.policy import CompletionCriterion, Outlook, verdict_of
from alfine.core.ranges import ROUNDING
from alfine.core.settings import FORBID, REQUIRES
from alfine.core.space import Hyperparameters
from alfine.core.spec import TuningJobSpec
from alfine.core.wording import duration, percent
from alfine.criteria.limits import MaxRuntimeInSeconds
from alfine.jobs.analysis.similar_jobs import ResourceEstimate
from alfine.jobs.clock import utc_now
from alfine.jobs.home import Home
from alfine.jobs.policy_for import policy_for
from alfine.jobs.service import Service
from alfine.programs.program import program_for
from alfine.surrogate.learning_curves import LEAST_CURVES

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
"""Begin of invented histories; criteria only see time differences."""

MOST_INVENTED = 100
"""Training jobs in an invented history: a criterion that needs more than these is patient, not mistaken."""

SMALL_SHARE = 0.02
"""Share of a search space that is small: a random search meets it once in 50 training jobs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that the job will do, or won't, which its user may not expect.

    Attributes:
        where: The field, criterion or metric that it is about.
        sentence: What will happen.
        fatal: Whether it would waste the whole job.
    """

    where: str
    sentence: str
    fatal: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PreflightReport:
    """The result of the check.

    Attributes:
        faults: Why the job can't be created.
        spec: The job, or None when it has faults.
        remarks: What its user may not expect.
        logs: What each definition reads from the given log.
        trials: One trial run per definition.
        likely: What past jobs of the home predict.
    """

    faults: Sequence[Fault]
    spec: TuningJobSpec | None = None
    remarks: Sequence[Finding] = ()
    logs: Sequence[tuple[TuningJobSpec, MetricReadings]] = ()
    trials: Sequence[TrialRun] = ()
    likely: ResourceEstimate | None = None

    @property
    def good(self) -> bool:
        """Whether the job can be created, and nothing was found that would waste it."""
        unread = self.logs and not any(readings.matches[part.metric] for part, readings in self.logs)
        return not self.faults and not unread and not any(finding.fatal for finding in self.remarks)


def check(path: Path, home: Home, *, log: Iterable[str] | None = None, run: bool = False) -> PreflightReport:
    """Check the job of a file.

    Args:
        path: A job file or a request.
        home: The home whose settings and past jobs count.
        log: Lines to try the regexes of the metrics on.
        run: Whether to run one training job of each definition.
    """
    faults, spec, file = faults_of(path, home.service)
    if spec is None or file is None:
        return PreflightReport(faults=faults)
    lines = None if log is None else [*log]
    logs = [] if lines is None else [(part, _read(part, lines)) for part in spec.definition_specs]
    trials = [tried(part, home, typical(part)) for part in spec.definition_specs] if run else []
    spelled = [_spelled(finding, file) for finding in remarks(spec, trials)]
    return PreflightReport(
        faults=(), spec=spec, remarks=spelled, logs=logs, trials=trials, likely=home.resource_estimate(spec)
    )


def _read(part: TuningJobSpec, lines: Iterable[str]) -> MetricReadings:
    """Read the metrics of a definition from a log."""
    readings = MetricReadings([(metric.name, metric.regex) for metric in part.definition.metric_definitions])
    for line in lines:
        readings.add(line)
    return readings


def _spelled(remark: Finding, file: JobFile) -> Finding:
    fault = file.spelled(Fault(remark.where, remark.sentence))
    return Finding(where=fault.path, sentence=fault.message, fatal=remark.fatal)


def tried(part: TuningJobSpec, home: Home, hyperparameters: Hyperparameters) -> TrialRun:
    """Run one training job of a definition as the home would run it, without recording it."""
    with tempfile.TemporaryDirectory(prefix="alfine-check-") as folder:
        program = program_for(part, Path(folder), machine=home.machine)
        return try_out(program, hyperparameters, home.engine())


# ---- faults ----------------------------------------------------------------------------------------


def faults_of(path: Path, service: Service) -> tuple[list[Fault], TuningJobSpec | None, JobFile | None]:
    """Find the faults of a job's file.

    A request is checked against AWS's whole model of the operation, as `alfine serve` does; a job file is not.

    Returns:
        All faults, AWS's first and in AWS's words; the spec, if there are none; and the file, if it could be read.
    """
    faults: list[Fault] = []
    complete = True
    document = read_document(path)
    if is_request(document):
        faults, complete = _aws_faults(document)
    try:
        file = read_job_file(path, form_only=complete)
    except (
        InvalidSpec
    ) as error:  # AWS's faults of a request include all about its form, unless a wrong type stopped AWS's check
        return faults if faults and complete else [*faults, *error.faults], None, None
    try:
        if not faults:
            refuse_what_is_not(file.request)
        spec = service.check(file.request)
    except InvalidSpec as error:
        return [*faults, *file.explain(error).faults], None, file
    return faults, None if faults else spec, file


def _aws_faults(request: Mapping[str, Any]) -> tuple[list[Fault], bool]:
    """Return what violates AWS's model of the operation, and whether that is complete: AWS's check stops at a wrong type."""
    try:
        texts = api("sagemaker").operation("CreateHyperParameterTuningJob").faults(request)
    except WireError as error:
        return [Fault("", str(error))], False
    return [Fault("", text) for text in texts], True


# ---- what the job would do --------------------------------------------------------------------------------------------------


def remarks(spec: TuningJobSpec, trials: Sequence[TrialRun]) -> list[Finding]:
    """Return the remarks on a job without faults.

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


# ---- what the job would take ------------------------------------------------------------------------------------------------


def predicted_seconds(part: TuningJobSpec, seconds: float) -> float:
    """Return how long the training jobs of a definition take if no criterion ends the job.

    Args:
        part: The spec of the definition.
        seconds: How long one training job takes.
    """
    total = seconds * part.most_training_jobs / part.max_parallel
    return total if part.max_runtime_seconds is None else min(total, part.max_runtime_seconds)


def predicted(spec: TuningJobSpec, trials: Sequence[TrialRun]) -> tuple[float, Cost]:
    """Return how long the job takes with training jobs like the trial runs, and what it costs, if no criterion ends it."""
    share = 1.0
    wall = sum(trial.seconds * trial.spec.most_training_jobs for trial in trials) / spec.max_parallel
    if spec.max_runtime_seconds is not None and wall > spec.max_runtime_seconds:
        share = spec.max_runtime_seconds / wall
    compute = sum(
        trial.seconds * trial.spec.most_training_jobs * trial.spec.definition.instance_count for trial in trials
    )
    return wall * share, cost_of(spec, compute * share)

"""What can be known about a tuning job before it's created: its faults, what its criteria can do, what it will take.

Each rule looks at the spec and, where there is one, at a training job that was tried out. What criteria can't do is found
by asking them: about the history of a job whose first training job did what the one tried out did, and about one of a job
that never gets better than its first, which is the most that a rule about standing still can wish for.
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
from alfine.core.wording import duration
from alfine.criteria.limits import MaxRuntimeInSeconds
from alfine.jobs.analysis.similar_jobs import Likely
from alfine.jobs.clock import utc_now
from alfine.jobs.home import Home
from alfine.jobs.policy_for import policy_for
from alfine.jobs.service import Service
from alfine.programs.program import program_for
from alfine.surrogate.learning_curves import LEAST_CURVES

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)  # of histories that never were; criteria see differences only
MOST_SUPPOSED = 100  # training jobs in such a history: a rule that needs more is a patient one, not a mistaken one
LITTLE = 0.02  # of a space: what Random would meet once in 50 training jobs
"""Criteria whose case is a job that gets no better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that the job will do, or won't, that its user may not expect. fatal: it would waste the job."""

    where: str
    sentence: str
    fatal: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PreflightReport:
    """What was found. spec: None when there are faults; logs: what each definition reads from a log that was given; trials: one a definition;
    likely: what past jobs of the home say.
    """

    faults: Sequence[Fault]
    spec: TuningJobSpec | None = None
    remarks: Sequence[Finding] = ()
    logs: Sequence[tuple[TuningJobSpec, MetricReadings]] = ()
    trials: Sequence[TrialRun] = ()
    likely: Likely | None = None

    @property
    def good(self) -> bool:
        """Whether the job can be created and nothing is known that would waste it."""
        unread = self.logs and not any(readings.matches[part.metric] for part, readings in self.logs)
        return not self.faults and not unread and not any(each.fatal for each in self.remarks)


def check(path: Path, home: Home, *, log: Iterable[str] | None = None, run: bool = False) -> PreflightReport:
    """Look at a job's file. log: lines to try the metrics' regexes on; run: try out one training job."""
    faults, spec, file = faults_of(path, home.service)
    if spec is None or file is None:
        return PreflightReport(faults=faults)
    lines = None if log is None else [*log]
    logs = [] if lines is None else [(part, _read(part, lines)) for part in spec.definition_specs]
    trials = [tried(part, home, typical(part)) for part in spec.definition_specs] if run else []
    told = [_spelled(each, file) for each in remarks(spec, trials)]
    return PreflightReport(faults=(), spec=spec, remarks=told, logs=logs, trials=trials, likely=home.likely(spec))


def _read(part: TuningJobSpec, lines: Iterable[str]) -> MetricReadings:
    """What a definition's metrics read in a log."""
    readings = MetricReadings([(each.name, each.regex) for each in part.definition.metric_definitions])
    for line in lines:
        readings.add(line)
    return readings


def _spelled(remark: Finding, file: JobFile) -> Finding:
    said = file.spelled(Fault(remark.where, remark.sentence))
    return Finding(where=said.path, sentence=said.message, fatal=remark.fatal)


def tried(part: TuningJobSpec, home: Home, hyperparameters: Hyperparameters) -> TrialRun:
    """One training job of a definition, as the home would run it; recorded nowhere."""
    with tempfile.TemporaryDirectory(prefix="alfine-check-") as folder:
        program = program_for(part, Path(folder), machine=home.machine)
        return try_out(program, hyperparameters, home.engine())


# ---- what AWS and alfine refuse ----------------------------------------------------------------------------------------


def faults_of(path: Path, service: Service) -> tuple[list[Fault], TuningJobSpec | None, JobFile | None]:
    """Every fault of a job's file, AWS's first and in AWS's words; its spec when there are none, and the file, where it could be read.

    A request is held to AWS's whole model of the operation, as by `alfine serve`; a job file in shorter words isn't.
    """
    found: list[Fault] = []
    whole = True
    document = read_document(path)
    if is_request(document):
        found, whole = _aws_faults(document)
    try:
        file = read_job_file(path, form_only=whole)
    except InvalidSpec as error:  # of a request AWS's faults tell all about its form, unless a wrong type stopped them
        return found if found and whole else [*found, *error.faults], None, None
    try:
        if not found:
            refuse_what_is_not(file.request)
        spec = service.check(file.request)
    except InvalidSpec as error:
        return [*found, *file.explain(error).faults], None, file
    return found, None if found else spec, file


def _aws_faults(request: Mapping[str, Any]) -> tuple[list[Fault], bool]:
    """What violates AWS's model of the operation, patterns and enums too; whether that's all: AWS stops at a wrong type."""
    try:
        texts = api("sagemaker").operation("CreateHyperParameterTuningJob").faults(request)
    except WireError as error:
        return [Fault("", str(error))], False
    return [Fault("", text) for text in texts], True


# ---- what it would do --------------------------------------------------------------------------------------------------


def remarks(spec: TuningJobSpec, trials: Sequence[TrialRun]) -> list[Finding]:
    """What is to be said about a job without faults; trials: of the definitions, if any were tried out."""
    criteria = policy_for(spec).criteria
    found = [*_over(spec, criteria), *_limits(spec), *_structure(spec)]
    found += [*_standstill(spec, criteria), *_early_stopping(spec)]
    for trial in trials:
        found += [*_trial(trial), *_time(trial), *_emissions(trial), *_at_once(spec, criteria, trial)]
    return found


def _over(spec: TuningJobSpec, criteria: Sequence[CompletionCriterion]) -> Iterator[Finding]:
    """Criteria that are met before anything has run: a Deadline that has passed."""
    for criterion in criteria:
        verdict = verdict_of(criterion, History(spec, utc_now()))
        if verdict.outlook is not Outlook.CONTINUE and not verdict.watching:
            sentence = f"It would end the job before its first training job: {verdict.sentence}"
            yield Finding(where=verdict.criterion, sentence=sentence, fatal=True)


def _limits(spec: TuningJobSpec) -> Iterator[Finding]:
    path = "HyperParameterTuningJobConfig.ResourceLimits"
    allowed, parallel = spec.most_training_jobs, spec.max_parallel
    if spec.max_training_jobs is None and spec.max_runtime_seconds is None and spec.size is None:
        yield Finding(where=path, sentence=f"There is no limit but AMT's own of {allowed} training jobs.")
    if parallel > allowed:
        yield Finding(
            where=f"{path}.MaxParallelTrainingJobs",
            sentence=f"{parallel} training jobs may run at once, but there are only {allowed}.",
        )
    elif spec.strategy == "Bayesian" and 1 < allowed <= parallel:
        yield Finding(
            where=f"{path}.MaxParallelTrainingJobs",
            sentence=f"All {allowed} training jobs start at once, before any of them has told anything: that's a random search. "
            "Let fewer run in parallel.",
        )
    told = max(len(part.start_with) for part in spec.definition_specs)
    if told >= allowed:
        yield Finding(
            where=f"{path}.MaxNumberOfTrainingJobs",
            sentence=f"All {allowed} training jobs go to the {told} configurations to start with: nothing is searched.",
        )
    each = longest_seconds(spec)
    if each is not None and spec.max_runtime_seconds is not None and spec.max_runtime_seconds < each:
        yield Finding(
            where=f"{path}.MaxRuntimeInSeconds",
            sentence=f"The tuning job may run for {duration(spec.max_runtime_seconds)}, each of its training jobs for "
            f"{duration(each)}: it can end before one of them has.",
        )


def _structure(spec: TuningJobSpec) -> Iterator[Finding]:
    """Conditions and constraints that do nothing, or nearly all."""
    for space in (part.space for part in spec.definition_specs if part.space.structure):
        assert space.structure is not None
        survey = space.structure.survey
        if survey.share < LITTLE:
            yield Finding(where=f"Tags.alfine:{FORBID}", sentence=f"Only {survey.share:.2g} of the space is allowed.")
        for combination, share in zip(space.forbidden, survey.forbidding, strict=True):
            if share == 0:
                yield Finding(
                    where=f"Tags.alfine:{FORBID}", sentence=f"«{words(combination)}» never occurs: it forbids nothing."
                )
        for name, share in survey.active.items():
            where = f"Tags.alfine:{REQUIRES} ({name})"
            if space.ranges[name].requires and share > 1 - ROUNDING:
                yield Finding(where=where, sentence="Its condition always holds.")
            elif share < LITTLE:
                yield Finding(
                    where=where,
                    sentence=f"It's active in {share:.2g} of the space, so that hardly any training job has it.",
                )


def _standstill(spec: TuningJobSpec, criteria: Sequence[CompletionCriterion]) -> Iterator[Finding]:
    """Criteria that wouldn't even fire when nothing gets better than the first training job."""
    allowed = spec.most_training_jobs
    if allowed > MOST_SUPPOSED:
        return
    for criterion in criteria:
        if not getattr(criterion, "ends_a_standstill", False):
            continue
        history = History(spec, BEGIN)
        for number in range(1, allowed):  # at the last one the limit ends the job anyway
            _record(history, _supposed(history, 1.0 + number / allowed))
            verdict = verdict_of(criterion, history)
            if verdict.outlook is not Outlook.CONTINUE:
                break
        else:
            yield Finding(
                where=f"HyperParameterTuningJobConfig.TuningJobCompletionCriteria.{verdict.criterion}",
                sentence=naming(
                    "It can't end this job early: with {max_training_jobs} {} it doesn't fire even if no training job is better "
                    "than the first. After {}: {}",
                    *(allowed, allowed - 1, verdict.sentence),
                ),
            )


def _early_stopping(spec: TuningJobSpec) -> Iterator[Finding]:
    allowed = spec.most_training_jobs
    if spec.early_stopping == "Auto" and allowed <= LEAST_CURVES:
        yield Finding(
            where="HyperParameterTuningJobConfig.TrainingJobEarlyStoppingType",
            sentence=f"Auto compares with {LEAST_CURVES} training jobs that have ended, and there are only {allowed}: it stops none.",
        )


# ---- what the training job that was tried out shows --------------------------------------------------------------------


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
            why = "; ".join(trial.readings.remarks(name)) or "its regex matched nothing"
            effect = ": without the objective every training job fails." if objective else "."
            yield Finding(where=f"metric {name}", sentence=f"It had no value, {why}{effect}", fatal=objective)


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
            sentence=f"{duration(limit)} are shorter than one training job, which took {duration(trial.seconds)}.",
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
            sentence=f"Auto judges by how {spec.metric} develops, and the training job emitted it once: none can be stopped early. "
            "Print it every epoch.",
        )
    if spec.strategy == "Hyperband" and count <= spec.min_resource:
        yield Finding(
            where=f"{path}.StrategyConfig.HyperbandStrategyConfig",
            sentence=naming(
                "The training job emitted {} {}, and nothing is stopped before {min_resource} {}: every training job runs to its end.",
                *(spec.metric, times, spec.min_resource),
            ),
        )
    if spec.strategy == "Hyperband" and spec.max_resource is not None and count > spec.max_resource:
        yield Finding(
            where=f"{path}.StrategyConfig.HyperbandStrategyConfig",
            sentence=naming(
                "The training job emitted {} {}, and each is stopped at {max_resource} {}.",
                *(spec.metric, times, spec.max_resource),
            ),
        )


def _at_once(spec: TuningJobSpec, criteria: Sequence[CompletionCriterion], trial: TrialRun) -> Iterator[Finding]:
    """Criteria that would end the job after a first training job like the one that was tried out."""
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


def _supposed(history: History, value: float) -> list[Fact]:
    """A training job that ended with the value, minimised."""
    parts = history.spec.definition_specs
    part = parts[history.launches % len(parts)]
    return _facts(history, part, part.space.sample(history.rng(0)), 1.0, [part.sign * value])


def _facts(
    history: History, part: TuningJobSpec, hyperparameters: Mapping[str, Any], seconds: float, values: list[float]
) -> list[Fact]:
    """One more training job, of a definition: the values that it reported, the last one as its objective."""
    now, end, number = history.now, history.now + timedelta(seconds=seconds), history.launches + 1
    return [
        Launched(
            at=now,
            number=number,
            name=f"supposed-{number}",
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


# ---- what it would take ------------------------------------------------------------------------------------------------


def predicted_seconds(part: TuningJobSpec, seconds: float) -> float:
    """How long the training jobs of a definition take if no criterion ends the job, each so many seconds."""
    whole = seconds * part.most_training_jobs / part.max_parallel
    return whole if part.max_runtime_seconds is None else min(whole, part.max_runtime_seconds)


def predicted(spec: TuningJobSpec, trials: Sequence[TrialRun]) -> tuple[float, Cost]:
    """How long the whole job takes with training jobs like those tried out, and what it costs, if no criterion ends it."""
    share = 1.0
    wall = sum(trial.seconds * trial.spec.most_training_jobs for trial in trials) / spec.max_parallel
    if spec.max_runtime_seconds is not None and wall > spec.max_runtime_seconds:
        share = spec.max_runtime_seconds / wall
    compute = sum(
        trial.seconds * trial.spec.most_training_jobs * trial.spec.definition.instance_count for trial in trials
    )
    return wall * share, cost_of(spec, compute * share)

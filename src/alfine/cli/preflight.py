"""Check a tuning job before it is created: its faults, what it will do (cli/findings.py), and what it will take."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alfine.api.full_request import is_request
from alfine.api.job_file import JobFile, job_of
from alfine.api.read_document import read_document
from alfine.aws.json_protocol import api
from alfine.aws.sagemaker.unsupported_fields import check_tuning_job
from alfine.aws.wire_error import WireError
from alfine.cli.findings import findings_of
from alfine.cli.log_check import MetricReadings
from alfine.cli.trial_run import TrialRun, try_out, typical
from alfine.core.cost import Cost, cost_of
from alfine.core.errors import Fault, InvalidSpec
from alfine.core.finding import Finding
from alfine.core.space import Hyperparameters
from alfine.core.spec import TuningJobSpec
from alfine.jobs.analysis.similar_jobs import ResourceEstimate
from alfine.jobs.home import Home
from alfine.jobs.service import Service
from alfine.programs.program import program_for


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
        """Return whether the job can be created, and nothing was found that would waste it."""
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
    faults, spec, file = faults_of(read_document(path), path, home.service)
    if spec is None or file is None:
        return PreflightReport(faults=faults)
    lines = None if log is None else [*log]
    logs = [] if lines is None else [(part, _read(part, lines)) for part in spec.definition_specs]
    trials = [tried(part, home, typical(part)) for part in spec.definition_specs] if run else []
    spelled = [in_words_of(file, finding) for finding in findings_of(spec, trials)]
    return PreflightReport(
        faults=(), spec=spec, remarks=spelled, logs=logs, trials=trials, likely=home.resource_estimate(spec)
    )


def _read(part: TuningJobSpec, lines: Iterable[str]) -> MetricReadings:
    """Read the metrics of a definition from a log."""
    readings = MetricReadings([(metric.name, metric.regex) for metric in part.definition.metric_definitions])
    for line in lines:
        readings.add(line)
    return readings


def in_words_of(file: JobFile, remark: Finding) -> Finding:
    """Return a finding in the words of the file."""
    fault = file.spelled(Fault(remark.where, remark.sentence))
    return Finding(where=fault.path, sentence=fault.message, fatal=remark.fatal)


def tried(part: TuningJobSpec, home: Home, hyperparameters: Hyperparameters) -> TrialRun:
    """Run one training job of a definition as the home would run it, without recording it."""
    with tempfile.TemporaryDirectory(prefix="alfine-check-") as folder:
        program = program_for(part, Path(folder), machine=home.machine)
        return try_out(program, hyperparameters, home.engine())


# ---- faults ----------------------------------------------------------------------------------------


def faults_of(
    document: Mapping[str, Any], path: Path, service: Service
) -> tuple[list[Fault], TuningJobSpec | None, JobFile | None]:
    """Find the faults of a job's file.

    A request is checked against AWS's whole model of the operation, as `alfine serve` does; a job file is not.

    Args:
        document: The file's keys and values.
        path: The file.
        service: Says what this home and machine can run.

    Returns:
        All faults, AWS's first and in AWS's words; the spec, if there are none; and the file, if it could be read.
    """
    faults: list[Fault] = []
    complete = True
    if is_request(document):
        faults, complete = _aws_faults(document)
    try:
        file = job_of(document, path, form_only=complete)
    except (
        InvalidSpec
    ) as error:  # AWS's faults of a request include all about its form, unless a wrong type stopped AWS's check
        return faults if faults and complete else [*faults, *error.faults], None, None
    try:
        if not faults:
            check_tuning_job(file.request)
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

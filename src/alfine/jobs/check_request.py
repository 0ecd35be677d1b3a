"""Checks before a tuning job is created or resumed: everything that must hold before it is recorded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from alfine.core.errors import Fault, InvalidSpec
from alfine.core.facts import Changed
from alfine.core.history import History
from alfine.core.inherited import Inherited
from alfine.core.policy import Policy
from alfine.core.read_spec import read_spec
from alfine.core.spec import FUNCTION, TuningJobSpec
from alfine.core.verdict import Outlook
from alfine.jobs.inheritance import inheritance_of, with_metrics_of_parent
from alfine.jobs.policy_for import policy_for, unread_settings
from alfine.jobs.trackers import tracker_faults
from alfine.programs.complete_request import read_completed
from alfine.programs.machine import Machine
from alfine.programs.program import programs_for
from alfine.store.store import Store


def decided_by(spec: TuningJobSpec) -> tuple[Policy, list[Fault]]:
    """Return the policy of a job, and its settings that nothing reads. Raise InvalidSpec where there can be no policy."""
    policy = policy_for(spec)
    return policy, list(unread_settings(spec, policy.criteria))


@dataclass(frozen=True, slots=True)
class RequestCheck:
    """Checks requests against what is recorded and what this machine can run.

    Attributes:
        folder: Where the files of tuning jobs lie.
        machine: This machine's images, buckets and settings.
    """

    store: Store
    folder: Path
    machine: Machine

    def complete(self, request: Mapping[str, Any]) -> TuningJobSpec:
        """Return the spec of a request, completed by what its algorithm, its parents and Autotune imply.

        Raises:
            InvalidSpec: It can't be read_completed.
        """
        return read_completed(with_metrics_of_parent(request, self.store), self.machine)

    def new_job(
        self, request: Mapping[str, Any], function: Callable[..., Any] | None = None
    ) -> tuple[TuningJobSpec, list[Inherited]]:
        """Return the completed spec of a new tuning job, and what it inherits.

        Args:
            request: CreateHyperParameterTuningJob's.
            function: The Python function that its training jobs run, if they run one.

        Raises:
            InvalidSpec: It can't be understood, decided or run here; with every fault that was found.
        """
        spec = self.complete(request)
        faults = decided_by(spec)[1]
        buckets = self.machine.buckets
        inheritance, missing = inheritance_of(spec, self.store, buckets.roots if buckets else ())
        faults = [*missing, *faults, *tracker_faults(spec.settings)]
        try:
            programs_for(spec, self.folder / spec.name, function, machine=self.machine, fetch=False)
        except InvalidSpec as error:
            raise InvalidSpec([*error.faults, *faults]) from error
        if faults:
            raise InvalidSpec(faults)
        return spec, inheritance

    def changed_job(self, request: Mapping[str, Any]) -> tuple[TuningJobSpec, Policy]:
        """Return the spec and the policy of a job whose request was changed. What `new_job` refuses is refused here.

        Args:
            request: The changed request. What was looked up when the job was created (its algorithm, its parents) stays as it is.

        Raises:
            InvalidSpec: It can't be understood or decided; with every fault.
        """
        spec = read_spec(request)
        policy, faults = decided_by(spec)
        if faults:
            raise InvalidSpec(faults)
        return spec, policy

    def resumed_job(self, history: History, spec: TuningJobSpec, policy: Policy, now: datetime) -> None:
        """Check that a job that has ended can go on with a changed spec.

        Args:
            history: The job's; the change is appended to it.
            spec: The changed job.
            policy: The policy of the changed job.
            now: The instant of the change.

        Raises:
            InvalidSpec: Its training jobs can't run here, or the job would end again at once.
        """
        # A Python function is in the hands of whoever resumes the job: only other programs can be looked for here.
        if not any(FUNCTION in part.definition.static_hyperparameters for part in spec.definition_specs):
            programs_for(spec, self.folder / spec.name, machine=self.machine, fetch=False)
        history.record(Changed(at=now, spec=spec))
        verdict = policy.verdict(history)
        if verdict.outlook is not Outlook.CONTINUE and not policy.decide(history, verdict).launches:
            reason = f"it would end again at once. {verdict.criterion}: {verdict.sentence}"
            raise InvalidSpec([Fault(spec.name, reason)])

"""One claimed tuning job: what an engine holds in memory while it runs it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from alfine.core.arns import Arns
from alfine.core.facts import Launched, StopAsked
from alfine.core.history import History
from alfine.core.judge import Judge
from alfine.core.spec import TuningJobSpec
from alfine.core.training_job import TrainingJob
from alfine.core.verdict import Outlook
from alfine.jobs.observed_facts import ObservedFacts
from alfine.programs.program import Program
from alfine.runners.launch import Launch
from alfine.runners.protocol import Runner
from alfine.store.placement import UNPLACED, Placement
from alfine.store.records import TuningJob


@dataclass(slots=True)
class Run:
    """A tuning job that an engine runs. All of it can be made again from the store.

    Attributes:
        job: The tuning job as it was read last.
        spec: Of the history as it was opened.
        programs: What training jobs run, by definition (None where there is one only).
        runners: Where they run, by name.
        judge: The history, and the verdict on it.
        arns: For the ARNs of training jobs.
        epoch: That of the engine's claim.
        readers: Of the training jobs that run, by number.
        launches: What their runners are given, by number.
        placements: Where they run, by number; those of which nothing else is recorded run their first attempt on this machine.
        pending: Why training jobs can't be placed yet, as it was recorded, by number.
        not_told_to_stop: Numbers of training jobs that are Stopping, and whose runner couldn't be asked yet.
        grace_seconds: How long a training job that is stopped may take, if the user waits for it; None: what the job says.
        more: Whether there is more to do at once: a log, or a function, has more to read, or there is more to launch.
        unread: Numbers of the training jobs of which there is more to read at once.
        written: The number of facts and the outlook with which verdicts were recorded last.
    """

    job: TuningJob
    spec: TuningJobSpec
    programs: Mapping[str | None, Program]
    runners: Mapping[str, Runner]
    judge: Judge
    arns: Arns
    epoch: int
    readers: dict[int, ObservedFacts] = field(default_factory=dict)
    launches: dict[int, Launch] = field(default_factory=dict)
    placements: dict[int, Placement] = field(default_factory=dict)
    pending: dict[int, str | None] = field(default_factory=dict)
    not_told_to_stop: set[int] = field(default_factory=set)
    grace_seconds: float | None = None
    more: bool = False
    unread: set[int] = field(default_factory=set)
    written: tuple[int, Outlook] | None = None

    @property
    def history(self) -> History:
        """Everything recorded of the tuning job."""
        return self.judge.history

    def reader(self, job: TrainingJob, offset: int = 0) -> ObservedFacts:
        """Return the reader of a training job's observations.

        Args:
            offset: The place in its log from which it is read, if it is read for the first time.
        """
        if job.number not in self.readers:
            self.readers[job.number] = ObservedFacts(self.spec.of(job.definition), job, offset)
        return self.readers[job.number]

    def is_storing(self, job: TrainingJob) -> bool:
        """Return whether a training job has ended, and what it leaves is being stored."""
        return job.number in self.readers and self.readers[job.number].storing

    def read_again(self, job: TrainingJob, offset: int) -> None:
        """Forget what was read of a training job since `offset`, because reading failed on the way."""
        self.readers.pop(job.number, None)
        self.reader(job, offset)

    def look_again(self, job: TrainingJob) -> None:
        """Look at a training job in the next step, which is to follow at once."""
        self.unread.add(job.number)
        self.more = True

    def polled(self) -> bool:
        """Return whether the runner of some training job tells of no news, so that it must be asked again and again."""
        return any(not self._tells(job.definition) for job in self.history.running.values())

    def with_news(self, names: set[str] | None) -> list[TrainingJob]:
        """Return the running training jobs to look at.

        Args:
            names: Those with news; None: any may have some. Those with more to read, and those whose runner tells nothing, are added.
        """
        unread, self.unread = self.unread, set()
        return [
            job
            for job in self.history.running.values()
            if names is None or job.name in names or job.number in unread or not self._tells(job.definition)
        ]

    def _tells(self, definition: str | None) -> bool:
        return bool(getattr(self.runners[self.programs[definition].runner], "tells_news", False))

    def runner(self, job: TrainingJob) -> Runner:
        """Return where a training job runs."""
        return self.runners[self.placement(job).runner or self.programs[job.definition].runner]

    def launch(self, job: TrainingJob) -> Launch:
        """Return what the runner of a training job is given."""
        if job.number not in self.launches:
            placement = self.placement(job)
            launch = replace(
                self.programs[job.definition].launch(job, placement.attempt),
                arn=self.arns.training_job(job.name),
                epoch=self.epoch,
                node=placement.node,
                slot=placement.slot,
            )
            if self.grace_seconds is not None:
                launch = replace(launch, grace_seconds=self.grace_seconds)
            self.launches[job.number] = launch
        return self.launches[job.number]

    def own_node(self, definition: str | None) -> str | None:
        """Return the node on which the runner of a definition starts training jobs; None if it chooses one, or there is only one."""
        return getattr(self.runners[self.programs[definition].runner], "node", None)

    def places_of(self, intents: Iterable[Launched | StopAsked]) -> Mapping[int, Placement]:
        """Return where training jobs that are about to be launched will start, by number, as far as that is decided."""
        launches = [intent for intent in intents if isinstance(intent, Launched)]
        places = {launch.number: self._place_for(launch.definition) for launch in launches}
        return {number: place for number, place in places.items() if place is not None}

    def _place_for(self, definition: str | None) -> Placement | None:
        """Return the place of the next training job of a definition: the server's own node, or where one has just ended."""
        node = self.own_node(definition)
        if node is not None:
            return Placement(node=node)
        program, of_definition = self.programs[definition], self.spec.of(definition).definition
        take_place = getattr(self.runners[program.runner], "take_place", None)
        if take_place is None or of_definition.instance_count > 1:
            return None
        taken = take_place(self.spec.name, of_definition.instance_type, program.gpus)
        return None if taken is None else Placement(runner=program.runner, node=taken[0], slot=taken[1])

    def placement(self, job: TrainingJob) -> Placement:
        """Return where a training job runs."""
        return self.placements.get(job.number, UNPLACED)

    def place(self, job: TrainingJob, placement: Placement) -> None:
        """Take over where a training job is to run, as it was recorded. A later attempt has a log of which nothing was read."""
        if placement.attempt != self.placement(job).attempt:
            self.readers.pop(job.number, None)
        self.placements[job.number] = placement
        self.launches.pop(job.number, None)

    def end(self, job: TuningJob) -> None:
        """Note that the tuning job has ended. What its training jobs shared is removed.

        Args:
            job: As it was recorded.
        """
        self.job = job
        for program in self.programs.values():
            program.remove_shared()

    def forget(self, job: TrainingJob) -> None:
        """Forget a training job that has ended."""
        self.readers.pop(job.number, None)
        self.launches.pop(job.number, None)
        self.placements.pop(job.number, None)
        self.pending.pop(job.number, None)
        self.not_told_to_stop.discard(job.number)

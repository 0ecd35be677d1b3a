"""W&B (Weights & Biases): a run for each training job, in a group with the run of the tuning job."""

from __future__ import annotations

import hashlib
import netrc
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

from alfine.jobs.trackers.protocol import TrackedJob, TrackedTrainingJob

PROJECT = "alfine"
"""The project, unless [track] places or WANDB_PROJECT names another one."""

ID_DIGITS = 16
"""Hexadecimal digits of a run's id."""

INIT_SECONDS = 30.0
"""Seconds that W&B may take to begin a run."""

OFFLINE = ("offline", "dryrun")
"""Values of WANDB_MODE with which runs are files on this machine, for `wandb sync`."""

KEYS = ("WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE")
"""Environment variables with which W&B knows who writes."""

HOST = "https://api.wandb.ai"
"""W&B's server, unless WANDB_BASE_URL names another one."""


class WeightsAndBiases:
    """Writes runs with W&B's own library.

    Runs have ids made of their keys, so W&B goes on with the same run after a restart, and leaves out the steps that it knows. Offline, the
    files of a run that was begun before the restart are replaced. The arguments are those of `Tracker`; the place is «PROJECT» or
    «ENTITY/PROJECT».
    """

    package: ClassVar[str] = "wandb"
    extra: ClassVar[str] = "wandb"

    def __init__(self, place: str, home: Path) -> None:
        if why_not := self.why_not():
            raise LookupError(why_not)
        entity, _, project = place.rpartition("/")
        self._entity = entity or None
        self._project = project or os.environ.get("WANDB_PROJECT") or PROJECT
        self._folder = Path(os.environ.get("WANDB_DIR") or home)
        self._runs: dict[str, Any] = {}  # those that are open, by their keys

    @staticmethod
    def why_not() -> str:
        """Return that there is no API key. W&B would ask for one in the terminal, where nobody expects a question."""
        if os.environ.get("WANDB_MODE") in (*OFFLINE, "disabled") or any(map(os.environ.get, KEYS)) or _is_logged_in():
            return ""
        return "wandb has no API key here. Run `wandb login`, or set WANDB_API_KEY. WANDB_MODE=offline keeps runs as files."

    def tuning_job(self, job: TrackedJob) -> str:
        """Write the run of the tuning job: the best objective so far and the verdicts."""
        run = self._run(job.key, job.name, job.name, "tuning job", job.parameters, anew=job.is_whole)
        for ended, objective, _ in job.best_so_far:
            run.log({f"best/{job.metric}": objective}, step=ended)
        summary = {f"training jobs {status}": count for status, count in job.counts.items()}
        verdicts = {f"verdict/{one.criterion}": f"{one.outlook}: {one.sentence}" for one in job.verdicts}
        run.summary.update({"status": job.status, **summary, **verdicts})
        if job.verdict is not None:
            run.summary["verdict"] = job.verdict.sentence
        if job.best is not None:
            run.summary.update({"best training job": job.best[0], "best objective": job.best[1]})
        place = Path(run.dir).parent if run.offline else run.url
        if job.ended_at is not None:
            self._finish(job.key, job.status)
        return str(place)

    def training_job(self, job: TrackedTrainingJob, parent: TrackedJob) -> None:
        """Write the run of a training job: its hyperparameters, its curves, its end and its model."""
        config = {**job.static, **job.hyperparameters}
        run = self._run(job.key, job.name, parent.name, "training job", config, anew=job.first == 0)
        for index, (metric, step, value, _) in enumerate(job.points, job.first):
            run.log({metric: value, "step": step}, step=index)
        run.summary.update({"status": job.status, "number": job.number})
        told = {f"objective/{job.metric}": job.objective, "reason": job.reason, "model": job.artifact_uri}
        run.summary.update({name: value for name, value in told.items() if value is not None})
        if job.artifact is not None:
            self._log_model(run, job)
        if job.ended_at is not None:
            self._finish(job.key, job.status)

    def close(self) -> None:
        """Let go of the runs that are open; a later process goes on with them."""
        for key in [*self._runs]:
            self._finish(key, "")

    def _run(self, key: str, name: str, group: str, kind: str, config: Mapping[str, Any], *, anew: bool) -> Any:
        import wandb

        if (run := self._runs.get(key)) is not None and not anew:
            return run
        if run is not None:
            self._finish(key, "")
        identity = hashlib.sha256(key.encode()).hexdigest()[:ID_DIGITS]
        if os.environ.get("WANDB_MODE") in OFFLINE:
            for files in (self._folder / "wandb").glob(f"offline-run-*-{identity}"):
                shutil.rmtree(files)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._runs[key] = wandb.init(
            id=identity,
            name=name,
            group=group,
            job_type=kind,
            entity=self._entity,
            project=self._project,
            dir=str(self._folder),
            config=dict(config),
            resume="allow",
            reinit="create_new",
            settings=wandb.Settings(
                console="off",
                silent=True,
                disable_git=True,
                disable_code=True,
                x_disable_stats=True,
                x_disable_meta=True,
                init_timeout=INIT_SECONDS,
            ),
        )
        return self._runs[key]

    def _finish(self, key: str, status: str) -> None:
        self._runs.pop(key).finish(exit_code=1 if status == "Failed" else 0)

    @staticmethod
    def _log_model(run: Any, job: TrackedTrainingJob) -> None:
        import wandb

        artifact = wandb.Artifact(f"{job.name}-model", type="model", metadata={"uri": job.artifact_uri})
        artifact.add_file(str(job.artifact), policy="mutable")
        logged = run.log_artifact(artifact)
        if not run.offline:
            logged.wait()


def _is_logged_in() -> bool:
    """Return whether `wandb login` has left a key for the server in the netrc file."""
    host = urlsplit(os.environ.get("WANDB_BASE_URL", HOST)).netloc
    file = os.environ.get("NETRC")
    try:
        return netrc.netrc(file and str(Path(file).expanduser())).authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):  # there is no such file, or W&B can't read it either
        return False

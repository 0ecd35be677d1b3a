"""A home: the folder in which alfine keeps everything, with the store, the service and the engine on it.

alfine.toml                                settings, if there are any (store/config.py)
alfine.db                                  the store, unless the settings name a PostgreSQL database
tuning-jobs/<tuning job>/<training job>/   the /opt/ml, the log and the records of each training job
buckets/                                   the contents of S3 buckets, unless the settings name an endpoint
keys/                                      access keys (store/access_keys.py), unless the store is PostgreSQL
server.json                                where the last `alfine serve` listens (jobs/server_record.py)
client/                                    files for AWS clients (cli/client_files.py)
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from alfine.core.arns import Arns
from alfine.core.errors import Fault, InvalidSpec
from alfine.jobs.clock import Clock, utc_now
from alfine.jobs.engine import Engine
from alfine.jobs.lease_owner import node_of
from alfine.jobs.other_servers import OtherServers
from alfine.jobs.own_node import OwnNode
from alfine.jobs.quotas import Quotas
from alfine.jobs.recorded_ends import recorded_ends
from alfine.jobs.server_record import ServerRecord
from alfine.jobs.service import Service
from alfine.jobs.trackers import check_settings
from alfine.jobs.wake import Wake
from alfine.programs.data.buckets.home_buckets import HomeBuckets, node_buckets
from alfine.programs.data.node_inputs import fetch_inputs
from alfine.programs.images import Images
from alfine.programs.machine import Machine
from alfine.runners.container import ContainerRunner
from alfine.runners.container_engine import ContainerEngine, engine_of
from alfine.runners.executor import Executor
from alfine.runners.gpu_assignment import GpuAssignment, GpuQueue
from alfine.runners.gpu_slots import GpuSlots
from alfine.runners.host import Host
from alfine.runners.inline import InlineRunner
from alfine.runners.on_ray.runner import RayRunner
from alfine.runners.process import ProcessRunner
from alfine.runners.protocol import Launch, Runner
from alfine.runners.sandbox import SandboxRunner
from alfine.runners.shortages import raise_descriptor_limit
from alfine.store.config import Config
from alfine.store.home_files import FILE, GPUS, JOBS, files_of_tuning_jobs, make_home
from alfine.store.home_folder import home_folder
from alfine.store.placement import Placement
from alfine.store.store import Store
from alfine.store.store_url import chosen_store
from alfine.store.stored_keys import keys_of

if TYPE_CHECKING:
    from alfine.core.spec import TuningJobSpec
    from alfine.jobs.analysis.similar_jobs import ResourceEstimate
    from alfine.store.leases import LiveEngine
    from alfine.store.records import TuningJob

log = logging.getLogger("alfine.jobs.home")

RAY_LOG = "ray.log"
"""The file in the home's folder that Ray's own messages go to."""

LATEST = 200
"""Past jobs among which similar ones are looked for."""


def is_home(folder: Path, store: str | None = None) -> bool:
    """Return whether a folder is a home, even if its database is lost. `Home` would make it one.

    Args:
        folder: The folder.
        store: The URL of a database that was named for it. With one, by `store`, $ALFINE_STORE or its settings, any folder is a home.
    """
    is_here = (folder / FILE).exists() or bool(files_of_tuning_jobs(folder))
    return is_here or bool(chosen_store(store, Config.at(folder).store.url))


def open_store(folder: Path, url: str | None) -> Store:
    """Open the store of a home: the database with that URL, or the embedded one where it is None."""
    if url is None:
        return Store.at(folder)
    make_home(folder)
    return Store(url)


class Home:
    """A home. Close it, or use it in a `with`.

    Args:
        folder: See `home_folder`. It is made if it isn't there.
        store: The URL of a PostgreSQL database; None: $ALFINE_STORE, else [store] url in its settings, else SQLite in the folder.
        clock: Returns the present instant, for the service and the engine.
        arns: The region and the account in its jobs' ARNs; None: us-east-1 and 000000000000.

    Raises:
        InvalidSpec: Its settings can't be understood.
        MissingExtra: The driver of PostgreSQL isn't installed.
        StoreBusy: The server of its database can't be reached.
        StoreUnusable: Its database can't be opened or written.
        StoreDamaged: Its database is damaged, or missing.

    Example:
        >>> with Home() as home:
        ...     home.service.describe("my-job")["HyperParameterTuningJobStatus"]
        'Completed'
    """

    def __init__(
        self,
        folder: str | Path | None = None,
        *,
        store: str | None = None,
        clock: Clock = utc_now,
        arns: Arns | None = None,
    ) -> None:
        self.clock = clock
        self.folder = home_folder(folder)
        self.config = Config.at(self.folder)
        check_settings(self.config.track)
        self.jobs_folder = self.folder / JOBS
        self._buckets = HomeBuckets(self.folder, self.config.s3, self.config.s3.limits)
        url = chosen_store(store, self.config.store.url)
        self.machine = Machine(
            images=Images(
                self.config.images,
                lambda: self._container_engine()[1],
                self._created_algorithm,
                self.config.path.parent if self.config.path else self.folder,
            ),
            running=self.config.run,
            ray=self.config.ray,
            buckets=self._buckets,
            s3_endpoint=self.config.s3.endpoint,
            shares_store=bool(url),
            prices=self.config.prices,
            arns=arns or Arns(),
        )
        self.store = open_store(self.folder, url)  # last of what may fail, since it must be closed
        self.quotas = Quotas(self.config.limits, self.folder)
        self.keys = keys_of(self.store, self.folder)
        self.wake = Wake()
        self.service = Service(
            self.store,
            self.jobs_folder,
            clock,
            self.machine,
            self.quotas,
            runners=lambda: self.runners,
            trackers=self.config.track.trackers,
        )
        self._engine: Engine | None = None

    def engine(self, functions: Mapping[str, Callable[..., Any]] | None = None) -> Engine:
        """Return the engine of this process, which also finds training jobs that an earlier process started.

        Args:
            functions: Python functions of tuning jobs that run one, by the tuning job's name; added to those given before.
        """
        if self._engine is None:
            raise_descriptor_limit()
            self._engine = Engine(
                self.store,
                self.runners,
                self.wake,
                self.jobs_folder,
                clock=self.clock,
                machine=self.machine,
            )
        self._engine.functions = {**self._engine.functions, **(functions or {})}
        return self._engine

    @property
    def gpu_slots(self) -> GpuSlots:
        """The GPUs of this machine, and who has them."""
        return GpuSlots(self.folder / GPUS, self.machine.gpus)

    @cached_property
    def runners(self) -> Mapping[str, Runner]:
        """Return the runners by name. Those of this machine find what an earlier process started by its folders."""
        news, home, environments = self.wake.set, self.folder, self.folder / "environments"
        processes: dict[str, Executor] = {
            "process": ProcessRunner(news, environments=environments, home=home),
            "sandbox": SandboxRunner(
                news, hidden=[home], closed=self._closed_ports, environments=environments, home=home
            ),
            "container": ContainerRunner(news, self._container_engine, home=home),
        }
        gpus = GpuQueue(self.gpu_slots, news)
        executors: dict[str, Executor] = {name: GpuAssignment(each, gpus) for name, each in processes.items()}
        executors["inline"] = InlineRunner(news)
        hosts: dict[str, Runner] = {
            name: Host(self.jobs_folder, executor, news=news, buckets=self.machine.buckets, clock=self.clock)
            for name, executor in executors.items()
        }
        if not self.store.is_shared:
            return {**hosts, "ray": self._ray_runner()}
        others = OtherServers(self.keys, self.machine.arns.region)
        node, leash = node_of(self.jobs_folder), timedelta(seconds=self.config.run.leash_seconds)
        own = {name: OwnNode(host, node, self.store, leash, others) for name, host in hosts.items()}
        return {**own, "ray": self._ray_runner()}

    def _ray_runner(self) -> RayRunner:
        ray, most = self.config.ray, self.config.run.max_decompressed_bytes
        settings = replace(
            ray.cluster(self.folder, self.store.database.name if self.store.is_shared else node_of(self.jobs_folder)),
            buckets=partial(HomeBuckets, self.folder.absolute(), self.config.s3)
            if ray.shared_home
            else partial(node_buckets, ray.folder, self.config.s3),
            inputs=partial(fetch_inputs, max_decompressed_bytes=most),
        )
        return RayRunner(
            settings,
            self.config.ray.shapes,
            self.wake.set,
            self._placed,
            recorded=partial(recorded_ends, self.store),
            leash_seconds=self.config.ray.leash_seconds,
            output=self.folder / RAY_LOG,
        )

    def _placed(self, launch: Launch, node: str, slot: str) -> None:
        """Record where a training job is to start on the cluster, before it does."""
        placement = Placement(attempt=launch.attempt, runner="ray", node=node, slot=slot)
        self.store.place(launch.tuning_job, launch.name, placement, launch.epoch or None)

    def _closed_ports(self) -> tuple[int, ...]:
        """Return the port of the server that was started last on this home, unless [run] opens it to training jobs."""
        record = None if self.config.run.sandbox_reaches_server else ServerRecord.read(self.folder)
        return () if record is None else (record.port,)

    def force_stop(self, name: str) -> Sequence[str]:
        """Kill what runs of a tuning job, and record it as Stopped: see `Service.force_stop`."""
        return self.service.force_stop(name, self.runners)

    def _created_algorithm(self, name: str) -> Mapping[str, Any] | None:
        return self.store.algorithm(name)

    def _container_engine(self) -> tuple[ContainerEngine | None, str]:
        return engine_of(self.config.run.engine, self.config.run.container_options)

    def resource_estimate(self, spec: TuningJobSpec, *, replaying: bool = True) -> ResourceEstimate | None:
        """Return what a new job will likely take, judged by the latest jobs that have ended.

        Args:
            spec: The new job.
            replaying: False uses only jobs that had its criteria, which takes no time.

        Returns:
            None without a similar job.
        """
        from alfine.jobs.analysis.similar_jobs import estimate_from_similar_jobs

        past = [*_readable(job for job in self.store.list()[-LATEST:] if job.ended)]
        return estimate_from_similar_jobs(spec, past, self.service.history, replaying=replaying)

    def other_servers(self) -> Sequence[LiveEngine]:
        """Return the servers that share the database with this home's, as far as they have said of late that they run."""
        own = self.engine().ownership.engine
        return [engine for engine in self.store.engines() if engine.url and engine.id != own]

    def refuse_own_buckets(self) -> None:
        """Raise InvalidSpec where a server with another home shares the database, and the buckets lie in this home."""
        node = self.engine().ownership.node
        others = [server.url for server in self.other_servers() if server.node != node]
        if others and not self.config.s3.endpoint:
            message = (
                f"is empty, so s3:// means the buckets in {self.folder}, which another server of this database ({others[0]}) doesn't "
                "have. Set it in every server's alfine.toml to the URL of an S3 service that all of them reach, for example a MinIO."
            )
            raise InvalidSpec([Fault("[s3] endpoint", message)])

    def announce(self, url: str) -> None:
        """Let the other servers know of this one.

        Args:
            url: Where they can reach it.

        Raises:
            InvalidSpec: See `refuse_own_buckets`. Of two servers that start at the same moment, at least one is refused.
        """
        ownership = self.engine().ownership
        ownership.url = url
        ownership.beat()
        try:
            self.refuse_own_buckets()
        except InvalidSpec:
            self.store.leave(ownership.engine)
            raise

    def confine(self) -> None:
        """Allow only files below the folders of [files] roots, from now on: requests come over the network.

        Raises:
            InvalidSpec: One of them isn't a folder.
        """
        roots = tuple(self.folder / Path(root).expanduser() for root in self.config.files.roots)
        faults = [Fault("[files] roots", f"{root} isn't a folder.") for root in roots if not root.is_dir()]
        if faults:
            raise InvalidSpec(faults)
        self._buckets.roots = roots

    def close(self) -> None:
        """Close runners and store. Training jobs that can run on without this process do."""
        for runner in vars(self).get("runners", {}).values():  # if they were ever made
            runner.close()
        if self._engine is not None:
            self._engine.others.close()
        self.store.close()

    def __repr__(self) -> str:
        return f"<Home {self.folder}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _readable(jobs: Iterable[TuningJob]) -> Iterator[TuningJobSpec]:
    """Yield the specs of recorded jobs, without those that this version of alfine can't understand."""
    for job in jobs:
        try:
            yield job.spec()
        except InvalidSpec as error:
            log.info("tuning_job=%s can't be compared with: %s", job.name, error)

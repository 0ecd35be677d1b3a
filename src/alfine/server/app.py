"""The server: one port for unmodified AWS clients and for browsers, with the engine in threads of the same process.

It runs programs for everybody who can send it requests; `aws/auth/guard.py` decides who may.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount, Route

from alfine.aws.auth.guard import OWN, Gate, Guard, is_loopback
from alfine.aws.dispatch import Wire
from alfine.aws.s3 import S3App
from alfine.aws.sagemaker.backend import AwsBackend
from alfine.aws.sagemaker.state_changes import detail_type, event_of
from alfine.aws.services import services
from alfine.core.errors import AlfineError
from alfine.jobs.engine_pool import EnginePool
from alfine.jobs.home import Home
from alfine.jobs.server_record import ServerRecord
from alfine.jobs.trackers.tracking import Tracking
from alfine.server.connections import configured, listening, survive_own_end
from alfine.server.console import Console
from alfine.server.console.insights import Insights
from alfine.server.console.job_files import JobFiles
from alfine.server.console.page_request import ConsoleBackend
from alfine.server.console.tuning_job import draw
from alfine.server.health import Readiness, healthz
from alfine.server.housekeeping import Housekeeping
from alfine.server.http_measures import HttpMeasures, Measured
from alfine.server.metrics import MetricsAccess, MetricsPage, home_families, replay_families, webhook_families
from alfine.server.replay_desk import ReplayDesk
from alfine.server.rest import RestApi
from alfine.server.webhooks.follower import Events, Follower
from alfine.store.totals import ping

LEAVE_SECONDS = 10.0
"""Seconds for the engines to release their tuning jobs when the server ends."""

FOLLOWERS_LEAVE_SECONDS = 2.0
"""Seconds for webhooks to take what is on its way when the server ends; what isn't taken then is posted again."""

TRACKERS_LEAVE_SECONDS = 5.0
"""Seconds for experiment trackers to take what is new when the server ends; what they don't take then, the next server tells them."""


class NotLoopback(AlfineError):
    """The address can be reached from other machines, but any credentials would be taken."""


def refuse_other_machines(host: str) -> None:
    """Raise NotLoopback if other machines can reach the address of a server that takes any credentials."""
    if not is_loopback(host):
        raise NotLoopback(
            f"alfine serve --open runs programs for everybody who can reach it, and other machines can reach {host}. Leave --open "
            "out: requests must be signed with the home's access key then, which `alfine client` prints. Or serve this machine only "
            "(--host 127.0.0.1)."
        )


@dataclass(frozen=True, slots=True)
class _Beside:
    """The work of a server beside answering requests: tuning jobs, webhooks, trackers, housekeeping."""

    engine_pool: EnginePool
    followers: Sequence[Follower]
    trackers: Tracking
    housekeeping: Housekeeping

    @asynccontextmanager
    async def lifespan(self, _: Starlette) -> AsyncIterator[None]:
        """Do it until the server ends."""
        self.engine_pool.run_all()
        for follower in self.followers:
            follower.start()
        self.trackers.start()
        self.housekeeping.start()
        yield
        self.housekeeping.leave()
        for follower in self.followers:
            follower.leave(FOLLOWERS_LEAVE_SECONDS / len(self.followers))
        self.engine_pool.leave(LEAVE_SECONDS)
        self.trackers.leave(TRACKERS_LEAVE_SECONDS)


def _buckets(home: Home, gate: Gate) -> S3App:
    """Return the buckets of a home."""
    account = home.machine.arns.account
    return S3App(home.folder / "buckets", gate.bucket_domains, elsewhere=home.config.s3.endpoint, account=account)


def make_app(home: Home, engine_pool: EnginePool, job_files: JobFiles, *, is_open: bool = False) -> Starlette:
    """Return the ASGI application: probes, the REST documents, /metrics, the console, and AWS's APIs at every other path.

    Args:
        home: The home to serve.
        engine_pool: Runs its tuning jobs.
        job_files: Reads the job files of the console.
        is_open: Whether any credentials are taken; else requests must be signed with one of the home's keys.
    """
    keys, changed = home.keys, home.engine().others.look
    backend = AwsBackend(home.service, home.machine.arns, engine_pool.run, changed, keys.secret)
    known = services(backend)
    hosts = tuple(name.lower() for name in home.config.server.hosts)
    names = {service.api.signing_name for service in known.values()}
    families = {"json": names, "query": names, "s3": {"s3"}, OWN: {OWN}}
    insights, replays = Insights(home.service, draw), ReplayDesk()
    shown = ConsoleBackend(home.service, engine_pool.run, changed, home.force_stop, insights, job_files, replays)
    console = Console(shown, keys, is_open=is_open)
    access, http = MetricsAccess(home.config.metrics, keys, is_open=is_open), HttpMeasures()
    events = Events(partial(event_of, backend), detail_type)
    followers = [Follower(webhook, home.store, events, home.clock) for webhook in home.config.webhooks]
    beside = _Beside(
        engine_pool,
        followers,
        Tracking(home),
        Housekeeping(home.store, home.jobs_folder, home.config.retention, home.clock),
    )
    more = (partial(webhook_families, followers), partial(replay_families, replays), partial(home_families, home))
    metrics = MetricsPage(access, home.store, engine_pool.measures, http, more)

    def checks_itself(scope: Any) -> bool:
        return console.handles(scope) or metrics.handles(scope)

    gate = Gate(keys, home.machine.arns.region, families, hosts, is_open=is_open, elsewhere=checks_itself)
    wire = Wire(known, _buckets(home, gate))

    async def rest(scope: Any, receive: Any, send: Any) -> None:
        own = console if console.handles(scope) else metrics if metrics.handles(scope) else wire
        await own(scope, receive, send)

    rest_api = RestApi(
        home.service,
        home.config.s3,
        engine_pool.run,
        changed,
        console_link=console.link,
        force_stop=home.force_stop,
        replays=replays,
    )
    readiness = Readiness(home.store, lambda: engine_pool.trouble, home.refuse_own_buckets)
    app = Starlette(
        routes=[Route("/healthz", healthz), Route("/readyz", readiness.readyz), rest_api.routes(), Mount("/", rest)],
        lifespan=beside.lifespan,
    )
    app.add_middleware(Guard, gate=gate)
    app.add_middleware(Measured, measures=http)
    app.state.leave, app.state.console_link = console.leave, console.link
    return app


def serve(
    home: Home,
    host: str,
    port: int,
    job_files: JobFiles,
    *,
    tls: tuple[Path, Path] | None = None,
    is_open: bool = False,
    ready: Callable[[ServerRecord, str], None],
) -> None:
    """Serve a home until SIGTERM or Ctrl-C.

    Args:
        home: The home to serve.
        host: The address to listen on.
        port: The port to listen on; 0 takes any free one.
        job_files: Reads the job files of the console.
        tls: The files of a certificate (with its chain) and of its private key; None serves plain HTTP.
        is_open: Whether any credentials are taken; else requests must be signed with one of the home's keys.
        ready: Called once the server answers, with the record that it left in the home and the path of a link into the console.

    Raises:
        NotLoopback: Other machines can reach the address, but `is_open`. Nothing was opened then.
        InvalidSpec: A server with another home has the same database, and this one has buckets of its own.
        StoreDamaged: The database can't be read.
        OSError: The port is taken, or a file of `tls` can't be read.
    """
    if is_open:
        refuse_other_machines(host)
    with home.store.reading() as connection:
        ping(connection)  # a damaged database is told before anything is opened
    home.refuse_own_buckets()
    engine_pool = EnginePool(home.engine())
    with closing(listening(host.strip("[]"), port)) as listener:
        app = make_app(home, engine_pool, job_files, is_open=is_open)
        config = configured(app, tls)
        url = _url("https" if tls else "http", host, listener.getsockname()[1])
        record = ServerRecord(
            url, home.machine.arns.region, is_open=is_open, certificate=tls and str(tls[0].absolute())
        )

        home.announce(record.url_for_others)
        record.write(home.folder)  # before any training job starts: the sandbox closes this port

        def answering() -> None:
            ready(record, app.state.console_link(_first_key(home)))

        survive_own_end()
        _Server(config, answering, app.state.leave).run(sockets=[listener])


def _first_key(home: Home) -> str:
    """Return the id of the home's oldest key; "" where there is none."""
    return next((key.id for key in home.keys.all()), "")


class _Server(uvicorn.Server):
    """A uvicorn server that calls `ready` once it answers, and `leave` before it waits for open requests.

    `leave` ends the console's event streams, which have no end of their own.
    """

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None], leave: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready
        self._leave = leave

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._leave()
        await super().shutdown(sockets)


def _url(scheme: str, host: str, port: int) -> str:
    return f"{scheme}://[{host.strip('[]')}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"

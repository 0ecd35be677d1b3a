"""/metrics: what Prometheus reads, and who may read it ([metrics] in alfine.toml).

The numbers of one process (steps, requests) are counted in memory; the numbers of jobs are counted by SQL when they are asked for.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from alfine._version import __version__
from alfine.aws.auth.guard import is_from_aws
from alfine.jobs.home import Home
from alfine.jobs.measures import Distribution, EngineMeasures
from alfine.server.http_measures import HttpMeasures
from alfine.server.replay_desk import ReplayDesk
from alfine.server.webhooks.follower import Follower
from alfine.store.access_keys import Keys
from alfine.store.operating_settings import Metrics
from alfine.store.store import Store
from alfine.store.totals import totals

if TYPE_CHECKING:
    from prometheus_client import Metric

PATH = "/metrics"

BASIC = "basic "
"""How the header of HTTP Basic begins (RFC 7617), in small letters."""


@dataclass(frozen=True, slots=True)
class MetricsAccess:
    """The rules of who may read /metrics.

    Attributes:
        settings: The home's.
        keys: The home's access keys.
        is_open: Whether everybody may.
    """

    settings: Metrics
    keys: Keys
    is_open: bool = False

    def admits(self, request: Request) -> bool:
        """Return whether the sender of a request may read it."""
        address = request.client.host if request.client else ""
        return self.is_open or self.settings.admits(address) or self._proves(request.headers.get("authorization", ""))

    def _proves(self, header: str) -> bool:
        """Return whether a header has the id and the secret of a key that may read it."""
        if not header.lower().startswith(BASIC):
            return False
        try:
            key, _, given = base64.b64decode(header[len(BASIC) :], validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):  # not what RFC 7617 asks for: refused as a wrong password
            return False
        secret = self.keys.secret(key) if key in (self.settings.keys or (key,)) else None
        return secret is not None and hmac.compare_digest(secret.encode(), given.encode())


class MetricsPage:
    """The ASGI application at /metrics.

    Args:
        access: Who may read it.
        store: Whose jobs are counted.
        engine: What the engine of this process measures.
        http: What this server's requests measure.
        more: Yields further families.
    """

    def __init__(
        self,
        access: MetricsAccess,
        store: Store,
        engine: EngineMeasures,
        http: HttpMeasures,
        more: Iterable[Callable[[], Iterable[Metric]]] = (),
    ) -> None:
        self._access, self._store, self._engine, self._http = access, store, engine, http
        self._more = tuple(more)

    @staticmethod
    def handles(scope: MutableMapping[str, Any]) -> bool:
        """Return whether a request is for this page, and not one of an AWS client for a bucket called «metrics»."""
        return scope["path"] == PATH and scope["method"] in ("GET", "HEAD") and not is_from_aws(scope)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        if self._access.admits(request):
            response = await run_in_threadpool(self._answer, request.headers.get("accept", ""))
        else:
            message = (
                "Give an access key's id and secret as user and password, or list your address in [metrics] hosts.\n"
            )
            response = PlainTextResponse(message, 401, {"www-authenticate": 'Basic realm="alfine"'})
        await response(scope, receive, send)

    def _answer(self, accept: str) -> Response:
        from prometheus_client import CollectorRegistry, ProcessCollector
        from prometheus_client.exposition import choose_encoder

        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        registry.register(self)
        encode, kind = choose_encoder(accept)
        return Response(encode(registry), headers={"content-type": kind})

    def describe(self) -> Iterator[Metric]:
        """Yield nothing: the registry would collect everything once more to know the names."""
        yield from ()

    def collect(self) -> Iterator[Metric]:
        """Yield every family, as prometheus_client asks for them."""
        from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily

        yield InfoMetricFamily("alfine_build", "Version of alfine.", {"version": __version__})
        yield from self._jobs()
        yield _histogram("alfine_step_seconds", "Durations of the engine's steps.", self._engine.steps.read())
        name = "alfine_suggestion_seconds"
        yield _histogram(name, "Durations of decisions that launched training jobs.", self._engine.suggestions.read())
        text = "Age of the oldest step that runs now; 0 while none runs."
        yield GaugeMetricFamily("alfine_running_step_seconds", text, self._engine.longest_step_seconds)
        yield from self._requests()
        for families in self._more:
            yield from families()

    def _jobs(self) -> Iterator[Metric]:
        from prometheus_client.core import GaugeMetricFamily

        with self._store.reading() as connection:
            counted = totals(connection, self._store.silence)
        for name, text, counts in (
            ("alfine_tuning_jobs", "Tuning jobs in the store by status.", counted.tuning_jobs),
            ("alfine_training_jobs", "Training jobs in the store by status.", counted.training_jobs),
        ):
            family = GaugeMetricFamily(name, text, labels=["status"])
            for status, count in counts.items():
                family.add_metric([status], count)
            yield family
        text = "Training jobs that were launched and have not started."
        yield GaugeMetricFamily("alfine_training_jobs_waiting", text, counted.waiting_training_jobs)
        text = "Engines that run tuning jobs, and whose last heartbeat isn't too old."
        yield GaugeMetricFamily("alfine_engines", text, counted.engines)
        text = "Age of the oldest heartbeat of an engine that owns tuning jobs which have not ended."
        yield GaugeMetricFamily("alfine_oldest_heartbeat_seconds", text, counted.oldest_heartbeat_seconds)
        text = "Tuning jobs that have not ended, and that no living engine has claimed."
        yield GaugeMetricFamily("alfine_tuning_jobs_unclaimed", text, counted.unowned_tuning_jobs)

    def _requests(self) -> Iterator[Metric]:
        from prometheus_client.core import CounterMetricFamily

        text = "HTTP requests that this server answered, by method and status."
        family = CounterMetricFamily("alfine_http_requests", text, labels=["method", "status"])
        for (method, status), count in self._http.answers().items():
            family.add_metric([method, str(status)], count)
        yield family
        text = "Durations of HTTP requests until the first byte of the answer."
        yield _histogram("alfine_http_request_seconds", text, self._http.seconds.read())


def _histogram(name: str, text: str, counted: Distribution) -> Metric:
    from prometheus_client.core import HistogramMetricFamily

    buckets, below = [], 0
    for bound, count in zip((*map(str, counted.bounds), "+Inf"), counted.counts, strict=True):
        below += count
        buckets.append((bound, below))
    return HistogramMetricFamily(name, text, buckets, counted.total)


def webhook_families(followers: Iterable[Follower]) -> Iterator[Metric]:
    """Yield what the posting to webhooks has come to, by the host of each."""
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    text = "Attempts to post an event, by the webhook's host and what became of them; «given up» counts events."
    attempts = CounterMetricFamily("alfine_webhook_attempts", text, labels=["webhook", "outcome"])
    text = "Age of the oldest state change that was posted in vain and waits."
    behind = GaugeMetricFamily("alfine_webhook_behind_seconds", text, labels=["webhook"])
    for number, follower in enumerate(followers, 1):
        name = f"{number}: {follower.host}"
        for answer, count in follower.answers.items():
            attempts.add_metric([name, answer.value], count)
        attempts.add_metric([name, "given up"], follower.given_up)
        behind.add_metric([name], follower.behind_seconds())
    yield attempts
    yield behind


def replay_families(replays: ReplayDesk) -> Iterator[Metric]:
    """Yield how many replays the server works out."""
    from prometheus_client.core import GaugeMetricFamily

    text = "Replays that are being worked out; those that nobody watches any more end."
    yield GaugeMetricFamily("alfine_replays", text, replays.under_way)


def home_families(home: Home) -> Iterator[Metric]:
    """Yield what the machine of a home has in use: the share of each GPU, and the disk, which only a home with a quota of it knows."""
    from prometheus_client.core import GaugeMetricFamily

    text = "Share of each GPU of the machine that training jobs have, from 0 to 1."
    gpus = GaugeMetricFamily("alfine_gpu_taken", text, labels=["gpu"])
    for gpu, share in home.gpu_slots.taken().items():
        gpus.add_metric([gpu], share)
    yield gpus
    if (size := home.quotas.home_size.known()) is not None:
        yield GaugeMetricFamily("alfine_home_bytes", "Disk that the home took when it was measured last.", size)

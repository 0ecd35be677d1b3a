"""The local mode of the SageMaker SDK 2 with the tuner that it lacks: no server, no network, no account, no Docker.

    from alfine.sagemaker import LocalSession

    session = LocalSession()
    estimator = SKLearn("train.py", source_dir="src", instance_type="local", sagemaker_session=session, …)
    HyperparameterTuner(estimator, …).fit({"train": "file://data"})

The SDK's clients for boto3's services are real ones; what they would send is answered here, in this process, by the same
functions that answer over `alfine serve`, on an embedded home with its engine beside it. What alfine has no operation for
(models, endpoints, processing) stays with the SDK's own local mode.
"""

from __future__ import annotations

import atexit
import logging
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar

from alfine.aws import query_protocol
from alfine.aws.sagemaker.backend import AwsBackend
from alfine.aws.sagemaker.operations import OPERATIONS
from alfine.aws.services import JsonService, explained, services
from alfine.jobs.engine_pool import Hosting
from alfine.jobs.home import Home, home_folder

try:
    import boto3
    from botocore import xform_name
    from botocore.awsrequest import AWSResponse
    from botocore.exceptions import ClientError
    from sagemaker.local import LocalSession as SdkLocalSession
    from sagemaker.local.local_session import LocalSagemakerClient
except ImportError as error:
    raise ImportError(
        "alfine.sagemaker gives the local mode of the SageMaker SDK 2 its tuner, and that SDK isn't installed here "
        f"({error}). pip install 'sagemaker<3'"
    ) from error

__all__ = ["LocalSession"]

T = TypeVar("T")

log = logging.getLogger("alfine.sagemaker")

REGION = "us-east-1"
POLL_SECONDS = 0.5  # nobody is far away
LEAVE_SECONDS = 10.0
FILE = "file://"
KEYS = dict.fromkeys(("aws_access_key_id", "aws_secret_access_key"), "any")  # boto3 signs what nobody checks


class LocalSession(SdkLocalSession):  # type: ignore[misc]  # the SDK has no types
    """The SDK's LocalSession, whose tuning and training jobs run in an embedded alfine.

    home: the folder that keeps them; default ALFINE_HOME, or ~/.alfine. boto_session: the given one's calls of SageMaker, its
    logs and metrics, STS and IAM are answered here from now on; its other services, S3 among them, stay what they are.
    Code is run where it lies (the SDK's setting `local_code`), and data may be `file://…`.
    Ctrl-C while it makes a job or waits for it stops the job, waits for its end, and goes on as KeyboardInterrupt; again: at
    once. (The SDK's `Estimator.fit` swallows any KeyboardInterrupt and returns; the job is stopped all the same.)
    """

    def __init__(self, boto_session: Any = None, *arguments: Any, home: str | Path | None = None, **words: Any) -> None:
        region = boto3.Session().region_name or REGION
        boto_session = boto_session or boto3.Session(region_name=region, **KEYS)
        self._inside = _embedded(home_folder(home))
        for name in self._inside.services:
            boto_session.events.register(f"before-send.{name}", self._inside.answer)
        super().__init__(boto_session, *arguments, **words)

    def _initialize(self, boto_session: Any, *arguments: Any, **words: Any) -> None:
        super()._initialize(boto_session, *arguments, **words)
        around = {
            "CreateHyperParameterTuningJob": self._stopping_tuning_job,
            "CreateTrainingJob": self._stopping_job,
        }
        self.sagemaker_client = _Client(self, boto_session.client("sagemaker", region_name=self._region_name), around)
        _settle(self)

    def wait_for_tuning_job(self, job: str, poll: float = POLL_SECONDS) -> Any:
        """Wait for a tuning job, and run it here if nobody does."""
        self._inside.hosting.run(job)
        return self._stopping_tuning_job(job, lambda: self._tuning_job_ended(job, poll))

    def wait_for_job(self, job: str, poll: float = POLL_SECONDS) -> Any:
        """Wait for a training job."""
        return self._stopping_job(job, lambda: self._job_ended(job, poll))

    def logs_for_job(self, job_name: str, *arguments: Any, **words: Any) -> Any:
        """Print a training job's log, as the SDK does of one on AWS."""
        printed = super(SdkLocalSession, self).logs_for_job
        return self._stopping_job(job_name, lambda: printed(job_name, *arguments, **words))

    def _stopping_tuning_job(self, name: str, run: Callable[[], T], *, whole: bool = False) -> T:
        stop, ended = partial(self.stop_tuning_job, name), partial(self._tuning_job_ended, name)
        return _ctrl_c.around(run, stop, ended, whole=whole)

    def _stopping_job(self, name: str, run: Callable[[], T], *, whole: bool = False) -> T:
        def stop() -> None:
            try:
                self.sagemaker_client.stop_training_job(TrainingJobName=name)
            except ClientError as error:
                if error.response["Error"]["Code"] != "ValidationException":  # it has ended already
                    raise

        return _ctrl_c.around(run, stop, partial(self._job_ended, name), whole=whole)

    def _tuning_job_ended(self, name: str, poll: float = POLL_SECONDS) -> Any:
        return super().wait_for_tuning_job(name, poll)

    def _job_ended(self, name: str, poll: float = POLL_SECONDS) -> Any:
        return super().wait_for_job(name, poll)


class _CtrlC:
    """Ctrl-C as a wish that is remembered, beside the KeyboardInterrupt that it raises.

    The exception alone gets lost: Python drops what is raised in a finalizer (of the regex package, say, while metrics' regexes
    are compiled), and the SDK what is raised in `Estimator.fit`. So nothing is raised while alfine answers a call, which would
    leave it half done; it's raised when the call returns, or at the next one.
    """

    def __init__(self) -> None:
        self._pressed = False
        self._raises = True

    def around(
        self, run: Callable[[], T], stop: Callable[[], Any], ended: Callable[[], Any], *, whole: bool = False
    ) -> T:
        """run(); on Ctrl-C stop(), wait until it has ended(), and raise KeyboardInterrupt. Another one meanwhile: at once.

        whole: run to its end first.
        """
        try:
            with self._heard(raises=not whole):
                done = run()
                self._check()
                return done
        except KeyboardInterrupt:
            stop()
            ended()
            raise

    def call(self, function: Callable[..., T], /, **request: Any) -> T:
        """A call of the client: whole, then what was pressed meanwhile."""
        if not (self._hears() and self._raises):
            return function(**request)
        self._check()
        self._raises = False
        try:
            answer = function(**request)
        finally:
            self._raises = True
        self._check()
        return answer

    @contextmanager
    def _heard(self, *, raises: bool) -> Iterator[None]:
        """Only the main thread hears signals, and a program's own handler stays."""
        main = threading.current_thread() is threading.main_thread()
        if not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
            yield
            return
        self._pressed, self._raises = False, raises
        signal.signal(signal.SIGINT, self._press)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _hears(self) -> bool:
        main = threading.current_thread() is threading.main_thread()
        return main and signal.getsignal(signal.SIGINT) == self._press

    def _press(self, *_: object) -> None:
        self._pressed = True
        if self._raises:
            raise KeyboardInterrupt

    def _check(self) -> None:
        if self._pressed and self._hears():
            raise KeyboardInterrupt


_ctrl_c = _CtrlC()


class _Client(LocalSagemakerClient):  # type: ignore[misc]
    """The SDK's local client, with alfine's operations in the place of its own.

    around: by operation, what a call that makes a job is run by, with the job's name.
    """

    def __init__(self, session: LocalSession, inside: Any, around: Mapping[str, Callable[..., Any]]) -> None:
        super().__init__(session)
        self._inside = inside
        for operation in OPERATIONS:
            name = xform_name(operation)
            call = partial(_ctrl_c.call, getattr(inside, name))
            call = partial(_with_absolute_files, call) if name.startswith("create_") else call
            setattr(self, name, partial(_made, around[operation], call) if operation in around else call)

    def __getattr__(self, name: str) -> Any:
        """What else a client has: exceptions, waiters, paginators, meta."""
        return getattr(self._inside, name)


class _Embedded:
    """A home with its engine in threads of this process, and what answers the clients' requests."""

    def __init__(self, folder: Path) -> None:
        self.home = Home(folder)
        engine = self.home.engine()
        self.hosting = Hosting(engine)
        self.created: set[str] = set()
        backend = AwsBackend(self.home.service, self.home.machine.arns, self._run, engine.wake.set)
        self.services: Mapping[str, JsonService] = services(backend)
        atexit.register(self.close)

    def _run(self, name: str) -> None:
        self.created.add(name)
        self.hosting.run(name)

    def answer(self, request: Any, **event: Any) -> AWSResponse:  # noqa: ARG002 - botocore names the event
        """Answer one request of a boto3 client (its event before-send) as `alfine serve` would."""
        body = request.body.encode() if isinstance(request.body, str) else request.body or b""
        target = request.headers.get("X-Amz-Target")
        if target is None:
            status, answer = query_protocol.answer(self.services, body, explained)
        else:
            prefix, _, operation = (target.decode() if isinstance(target, bytes) else target).partition(".")
            service = next(each for each in self.services.values() if each.api.target_prefix == prefix)
            status, answer = service.answer(operation, body)
        return AWSResponse(request.url, status, {}, _Body(answer))

    def close(self) -> None:
        """At the end of the process: let go. What isn't finished runs on in its own processes, and is found again."""
        self.hosting.leave(LEAVE_SECONDS)
        for name in sorted(self.created & set(self.home.store.unfinished())):
            log.warning(
                "%s isn't finished. Attach to it and wait(), or start `alfine serve --home %s`, to go on with it.",
                name,
                self.home.folder,
            )
        self.home.close()


@cache
def _embedded(folder: Path) -> _Embedded:
    """One a folder: sessions on the same home share its engine."""
    return _Embedded(folder)


class _Body:
    """An answer's body as botocore reads it."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        yield self._content


def _settle(session: Any) -> None:
    """The SDK's settings, where nothing else is set: code runs where it lies, and no call is reported to Amazon."""
    local = session.config or {}
    session.config = {**local, "local": {"local_code": True, **(local.get("local") or {})}}
    part: Any = deepcopy(session.sagemaker_config or {"SchemaVersion": "1.0"})
    session.sagemaker_config = part
    for key in ("SageMaker", "PythonSDK", "Modules"):
        part = part.setdefault(key, {})
    part.setdefault("TelemetryOptOut", True)


def _made(around: Callable[..., T], create: Callable[..., T], **request: Any) -> T:
    """A call that makes a job; on Ctrl-C meanwhile the job is stopped."""
    name = request.get("HyperParameterTuningJobName") or request.get("TrainingJobName")
    return around(name, partial(create, **request), whole=True)


def _with_absolute_files(call: Callable[..., Any], **request: Any) -> Any:
    return call(**_absolute(request))


def _absolute(value: Any) -> Any:
    """A request as local mode means it: file:// may be followed by a path from the current folder, and has its own source."""
    if isinstance(value, dict) and "FileDataSource" in value:
        source = {"S3DataType": "S3Prefix", "S3Uri": _absolute(value["FileDataSource"]["FileUri"])}
        return {"S3DataSource": source}
    if isinstance(value, dict):
        return {key: _absolute(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_absolute(each) for each in value]
    if isinstance(value, str) and value.startswith((FILE, f'"{FILE}')):
        quote = '"' if value.startswith('"') else ""
        path = Path(value.strip('"').removeprefix(FILE)).expanduser().absolute()
        return f"{quote}{path.as_uri()}{quote}"
    return value

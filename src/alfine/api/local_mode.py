"""The local mode of the SageMaker SDK 2, with the hyperparameter tuning that it lacks: without server, network, account
or Docker.

    from alfine.sagemaker import LocalSession

    session = LocalSession()
    estimator = SKLearn("train.py", source_dir="src", instance_type="local", sagemaker_session=session, …)
    HyperparameterTuner(estimator, …).fit({"train": "file://data"})

The SDK uses real boto3 clients. Their requests are answered in this process, by the functions that answer them in
`alfine serve`, on a home with its engine. Operations that alfine doesn't have (models, endpoints, processing) stay with
the SDK's own local mode.
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
from alfine.jobs.engine_pool import EnginePool
from alfine.jobs.home import Home
from alfine.jobs.trackers.tracking import FINISH_SECONDS, Tracking
from alfine.store.home_folder import home_folder

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
"""The region of the boto3 session, when none is configured."""

POLL_SECONDS = 0.5
"""Time between two looks at a job that is waited for; short, since there is no network between."""

LEAVE_SECONDS = 10.0
"""Time that the engine has to finish its step when the process ends."""

FILE = "file://"

KEYS = dict.fromkeys(("aws_access_key_id", "aws_secret_access_key"), "any")
"""Credentials: boto3 signs its requests, and nobody checks the signature here."""


class LocalSession(SdkLocalSession):  # type: ignore[misc]  # the SDK has no types
    """The SDK's LocalSession, whose tuning and training jobs are run by alfine in this process.

    Code is run where it lies (the SDK's setting `local_code`), and data may be `file://…`. Ctrl-C while a job is
    created or waited for stops the job, waits for its end, and is then raised as KeyboardInterrupt; a second Ctrl-C
    doesn't wait. (The SDK's `Estimator.fit` swallows any KeyboardInterrupt and returns; the job is stopped all the
    same.)

    Args:
        boto_session: A boto3 session. From now on its requests to SageMaker, CloudWatch, CloudWatch Logs, STS and IAM
            are answered here; its other services, such as S3, stay as they are. None makes a new one.
        arguments: Further arguments of the SDK's LocalSession.
        home: The folder that keeps the jobs; default `$ALFINE_HOME`, else `~/.alfine`.
        words: Further arguments of the SDK's LocalSession.
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
        """Wait until a tuning job has ended, and run it here if no other process does.

        Args:
            job: The tuning job's name.
            poll: Seconds between two looks, where another process runs the job.
        """
        self._inside.engine_pool.run(job)
        return self._stopping_tuning_job(job, lambda: self._tuning_job_ended(job, poll))

    def wait_for_job(self, job: str, poll: float = POLL_SECONDS) -> Any:
        """Wait until a training job has ended.

        Args:
            job: The training job's name.
            poll: Seconds between two looks, where another process runs the job.
        """
        return self._stopping_job(job, lambda: self._job_ended(job, poll))

    def logs_for_job(self, job_name: str, *arguments: Any, **words: Any) -> Any:
        """Print a training job's log, as the SDK does for one on AWS."""
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
    """Remembers that Ctrl-C was pressed, in addition to raising KeyboardInterrupt.

    The exception alone can get lost: Python drops what is raised in a finalizer (for example in the regex package,
    while the regular expressions of metrics are compiled), and the SDK drops what is raised in `Estimator.fit`. While
    alfine answers a call nothing is raised, since that could leave the call half done; the exception is raised when the
    call returns, or at the next call.
    """

    def __init__(self) -> None:
        self._pressed = False
        self._raises = True

    def around(
        self, run: Callable[[], T], stop: Callable[[], Any], ended: Callable[[], Any], *, whole: bool = False
    ) -> T:
        """Run something; on Ctrl-C stop it, wait for its end, and raise KeyboardInterrupt.

        Args:
            run: What runs.
            stop: Called after Ctrl-C.
            ended: Returns when what was stopped has ended. A second Ctrl-C interrupts it.
            whole: Whether `run` is always run to its end first.
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
        """Call an operation of the client; raise KeyboardInterrupt afterwards when Ctrl-C was pressed meanwhile."""
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
        """Handle SIGINT inside the block. Only the main thread can, and a handler that the program has set stays."""
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
    """The SDK's local client, with alfine's operations instead of its own.

    Args:
        session: The session.
        inside: A boto3 client of SageMaker whose requests alfine answers.
        around: For each operation that creates a job: the function that runs the call, given the job's name.
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
        """Return anything else that a client has: exceptions, waiters, paginators, meta."""
        return getattr(self._inside, name)


class _Embedded:
    """A home with its engine in threads of this process, and the services that answer the requests of boto3 clients."""

    def __init__(self, folder: Path) -> None:
        self.home = Home(folder)
        engine = self.home.engine()
        self.engine_pool = EnginePool(engine)
        self.trackers = Tracking(self.home)
        self.trackers.start()
        self.created: set[str] = set()
        backend = AwsBackend(self.home.service, self.home.machine.arns, self._run, engine.others.look)
        self.services: Mapping[str, JsonService] = services(backend)
        atexit.register(self.close)

    def _run(self, name: str) -> None:
        self.created.add(name)
        self.engine_pool.run(name)

    def answer(self, request: Any, **event: Any) -> AWSResponse:  # noqa: ARG002 - botocore names the event
        """Answer a request of a boto3 client, in its event before-send, as `alfine serve` would."""
        body = request.body.encode() if isinstance(request.body, str) else request.body or b""
        target = request.headers.get("X-Amz-Target")
        if target is None:
            status, answer = query_protocol.answer(self.services, body, explained)
        else:
            prefix, _, operation = (target.decode() if isinstance(target, bytes) else target).partition(".")
            service = next(service for service in self.services.values() if service.api.target_prefix == prefix)
            status, answer = service.answer(operation, body)
        return AWSResponse(request.url, status, {}, _Body(answer))

    def close(self) -> None:
        """Let the jobs go at the end of the process. Unfinished training jobs run on in their own processes and are found again later."""
        self.engine_pool.leave(LEAVE_SECONDS)
        self.trackers.leave(FINISH_SECONDS)
        for name in sorted(self.created & set(self.home.store.unfinished())):
            log.warning(
                "%s isn't finished. Attach to it and wait(), or start `alfine serve --home %s`, to go on with it.",
                name,
                self.home.folder,
            )
        self.home.close()


@cache
def _embedded(folder: Path) -> _Embedded:
    """Return the home of a folder, always the same: sessions on one home share its engine."""
    return _Embedded(folder)


class _Body:
    """The body of a response as botocore reads it."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        """Yield the whole body at once."""
        yield self._content


def _settle(session: Any) -> None:
    """Set the SDK's settings unless they are set: code runs where it lies, and no usage is reported to Amazon."""
    local = session.config or {}
    session.config = {**local, "local": {"local_code": True, **(local.get("local") or {})}}
    part: Any = deepcopy(session.sagemaker_config or {"SchemaVersion": "1.0"})
    session.sagemaker_config = part
    for key in ("SageMaker", "PythonSDK", "Modules"):
        part = part.setdefault(key, {})
    part.setdefault("TelemetryOptOut", True)


def _made(around: Callable[..., T], create: Callable[..., T], **request: Any) -> T:
    """Call an operation that creates a job; on Ctrl-C meanwhile stop the job."""
    name = request.get("HyperParameterTuningJobName") or request.get("TrainingJobName")
    return around(name, partial(create, **request), whole=True)


def _with_absolute_files(call: Callable[..., Any], **request: Any) -> Any:
    return call(**_absolute(request))


def _absolute(value: Any) -> Any:
    """Return a request with absolute `file://` URIs: in local mode they may be relative, and stand in a FileDataSource."""
    if isinstance(value, dict) and "FileDataSource" in value:
        source = {"S3DataType": "S3Prefix", "S3Uri": _absolute(value["FileDataSource"]["FileUri"])}
        return {"S3DataSource": source}
    if isinstance(value, dict):
        return {key: _absolute(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_absolute(entry) for entry in value]
    if isinstance(value, str) and value.startswith((FILE, f'"{FILE}')):
        quote = '"' if value.startswith('"') else ""
        path = Path(value.strip('"').removeprefix(FILE)).expanduser().absolute()
        return f"{quote}{path.as_uri()}{quote}"
    return value

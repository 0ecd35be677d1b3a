"""Access to the tuning jobs of a server (`--endpoint URL`) over HTTP.

It reads alfine's own REST documents (server/rest.py), changes jobs with requests of SageMaker's API, and uploads files to S3
buckets. botocore signs every request with an access key from the environment.
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlencode, urlsplit

from alfine.cli.progress import Tell
from alfine.core.errors import AlfineError, Fault, InUse, InvalidSpec, NotFound
from alfine.core.messages import from_aws
from alfine.runners.log_files import LogPart

if TYPE_CHECKING:
    from alfine.store.tuning_job_table import TuningJobSelection

Plain = dict[str, Any]

TIMEOUT_SECONDS = 60.0
"""Seconds to wait for an answer."""

REPLAY_TIMEOUT_SECONDS = 600.0
"""Seconds to wait for a replay, which judges every recorded fact."""

KEY_NAMES = (("ALFINE_ACCESS_KEY_ID", "ALFINE_SECRET_ACCESS_KEY"), ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"))
"""Environment variables of the access key: (id, secret), the first pair that is set."""

ANY_KEY = ("any", "any")
"""The key for a server that has no keys: it checks no signature."""

UNKNOWN_KEY = "UnrecognizedClientException"
"""The code with which a server answers a request that none of its keys signed."""

NO_KEY = (
    'No access key is set here. On the server\'s machine: eval "$(alfine client)". On another one, set AWS_ACCESS_KEY_ID and '
    "AWS_SECRET_ACCESS_KEY to a key that `alfine keys create` made there."
)

_REGION = re.compile(r"the region '[^']*' is wrong; expecting '([^']+)'")
"""The server's answer to a signature for another region (aws/auth/sigv4.py)."""
_VIOLATION = re.compile(r"Value '([^']*)' at '([^']+)' failed to satisfy constraint: (.*?)(?=; Value '|$)")
_PATH = re.compile(r"((?:HyperParameterTuningJob|TrainingJobDefinition|WarmStartConfig|Tags)[^'\"]*?): ")


def key_in_environment() -> tuple[str, str] | None:
    """Return id and secret of the access key in the environment; None without one."""
    pairs = ((os.environ.get(id_), os.environ.get(secret)) for id_, secret in KEY_NAMES)
    return next(((id_, secret) for id_, secret in pairs if id_ and secret), None)


class Unreachable(AlfineError):
    """No server answers at the endpoint."""


class Denied(AlfineError):
    """The server refused a request, with this error code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class RemoteJobs:
    """The tuning jobs of a server; has the methods of `JobAccess`.

    Args:
        endpoint: The URL of the server.
        key: Id and secret of an access key; None takes it from the environment.
        certificate: The file of the server's certificate (PEM); None trusts the public ones, or $AWS_CA_BUNDLE.

    Raises:
        InvalidSpec: The endpoint is no URL of a server.
    """

    keeps_files = True
    """SageMaker's delete operation leaves logs and models."""

    def __init__(self, endpoint: str, key: tuple[str, str] | None = None, *, certificate: str | None = None) -> None:
        parts = urlsplit(endpoint)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.username:
            raise InvalidSpec([Fault("--endpoint", f"{endpoint!r} must be a URL such as http://127.0.0.1:8765.")])
        self.endpoint = endpoint.rstrip("/")
        self.region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
        self._given_key, self._certificate = key, certificate
        self._made: set[str] = set()
        self._sessions: dict[float, Any] = {}

    @property
    def where(self) -> str:
        return self.endpoint

    @property
    def is_loopback(self) -> bool:
        host = urlsplit(self.endpoint).hostname or ""
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"

    # ---- jobs

    def create(self, request: Mapping[str, Any]) -> None:
        self._ask("CreateHyperParameterTuningJob", request)

    def describe(self, name: str) -> Plain:
        return self._get(f"tuning-jobs/{quote(name, safe='')}")

    def list(self) -> Iterator[Plain]:
        yield from self._get("tuning-jobs")["HyperParameterTuningJobSummaries"]

    def listed(self, selection: TuningJobSelection, limit: int | None) -> tuple[Sequence[Plain], int]:
        words = {"status": selection.statuses, "name": selection.names, "sort": [selection.sort]}
        words["tag"] = [key if value is None else f"{key}={value}" for key, value in selection.tags]
        words["order"] = ["descending" if selection.descending else "ascending"]
        words["limit"] = [] if limit is None else [str(limit)]
        answer = json.loads(self._fetch("tuning-jobs", urlencode(words, doseq=True, quote_via=quote))[1])
        return answer["HyperParameterTuningJobSummaries"], answer["Total"]

    def training_jobs(self, name: str) -> Sequence[Plain]:
        rows: Sequence[Plain] = self._get(f"tuning-jobs/{quote(name, safe='')}/training-jobs")["TrainingJobSummaries"]
        return rows

    def log(self, name: str, begin: int = 0, lines: int | None = None) -> LogPart:
        query = f"begin={begin}" if lines is None else f"lines={lines}"
        headers, data = self._fetch(f"training-jobs/{quote(name, safe='')}/log", query)
        job, status, path = (unquote(headers[f"x-alfine-{field}"]) for field in ("training-job", "status", "path"))
        return LogPart(job, status, path, int(headers["x-alfine-begin"]), data, headers["x-alfine-ended"] == "true")

    def replays(self, name: str, texts: Sequence[str], tell: Tell = lambda *_: None) -> Plain:  # noqa: ARG002 - the server tells nothing
        query = "&".join(f"criterion={quote(text, safe='')}" for text in texts)
        _, body = self._fetch(f"tuning-jobs/{quote(name, safe='')}/replays", query, REPLAY_TIMEOUT_SECONDS)
        answer: Plain = json.loads(body)
        return answer

    def export(self, name: str, kind: str) -> bytes:
        return self._fetch(f"tuning-jobs/{quote(name, safe='')}/export", f"format={kind}")[1]

    def report(self, name: str, texts: Sequence[str]) -> bytes:
        query = "&".join(f"criterion={quote(text, safe='')}" for text in texts)
        return self._fetch(f"tuning-jobs/{quote(name, safe='')}/report", query, REPLAY_TIMEOUT_SECONDS)[1]

    def request_stop(self, name: str) -> None:
        self._ask("StopHyperParameterTuningJob", {"HyperParameterTuningJobName": name})

    def force_stop(self, name: str) -> Sequence[str]:
        path = f"/_alfine/tuning-jobs/{quote(name, safe='')}/forced-stop"
        _, body = self._send("POST", path, "alfine", {"content-type": "application/json"}, b"{}")
        left: Sequence[str] = json.loads(body)["StillRunning"]
        return left

    def carry_out_stop(self, name: str) -> bool:
        """Return whether the job has ended; the server stops it."""
        return "HyperParameterTuningEndTime" in self.describe(name)

    def delete(self, name: str, *, files: bool) -> None:  # noqa: ARG002 - the server keeps the files
        self._ask("DeleteHyperParameterTuningJob", {"HyperParameterTuningJobName": name})

    def change(self, name: str, **words: Any) -> None:
        body = json.dumps({key: value for key, value in words.items() if value is not None}).encode()
        path = f"/_alfine/tuning-jobs/{quote(name, safe='')}/changes"
        self._send("POST", path, "alfine", {"content-type": "application/json"}, body)

    def annotate(self, name: str, *, note: str | None, tags: Mapping[str, str | None]) -> None:
        body = json.dumps({"tags": dict(tags), **({} if note is None else {"note": note})}).encode()
        path = f"/_alfine/tuning-jobs/{quote(name, safe='')}/annotations"
        self._send("POST", path, "alfine", {"content-type": "application/json"}, body)

    def console_link(self, to: str = "") -> str:
        """Return the URL of a new one-time link into the server's console.

        Args:
            to: The path of the page that it leads to.
        """
        _, body = self._send("POST", "/_alfine/console-links", "alfine", {}, b"")
        path: str = json.loads(body)["Path"]
        if not to:
            return f"{self.endpoint}{path}"
        return f"{self.endpoint}{path}&to={quote(to, safe='')}" if "?" in path else f"{self.endpoint}{to}"

    def go_on(self, name: str, *, quiet: bool) -> bool:  # noqa: ARG002
        """Return False: the server runs the job."""
        return False

    # ---- files

    @cached_property
    def s3_endpoint(self) -> str | None:
        """The URL of the real S3 that the server uses ($AWS_ENDPOINT_URL_S3 where it has another URL here); None for its own buckets."""
        endpoint: str | None = self._s3_settings["Endpoint"]
        return endpoint and (os.environ.get("AWS_ENDPOINT_URL_S3") or endpoint)

    @cached_property
    def _s3_settings(self) -> Plain:
        return self._get("buckets")

    def put(self, bucket: str, key: str, path: Path) -> str:
        """Upload a file and return its URI. A bucket of alfine's own is created if it doesn't exist."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            if bucket not in self._made and self.s3_endpoint is None:
                # it's there already, which is all that matters
                with suppress(self._s3.exceptions.BucketAlreadyOwnedByYou):
                    self._s3.create_bucket(Bucket=bucket)
                self._made.add(bucket)
            with path.open("rb") as file:
                self._s3.put_object(Bucket=bucket, Key=key, Body=file)
        except ClientError as error:
            raise Denied(error.response["Error"]["Code"], f"{path} can't be uploaded: {error}") from error
        except BotoCoreError as error:
            where = self.s3_endpoint or self.endpoint
            raise Unreachable(f"{path} can't be uploaded to {where}: {error}") from error
        return f"s3://{bucket}/{key}"

    @cached_property
    def _s3(self) -> Any:
        """A client for the server's own buckets, with its access key, or for a real S3, with the user's AWS keys."""
        from botocore.config import Config
        from botocore.session import Session

        if self.s3_endpoint is None:
            id_, secret = self._key
            where = {"endpoint_url": self.endpoint, "region_name": self.region}
            where |= {"aws_access_key_id": id_, "aws_secret_access_key": secret}
            settings: dict[str, Any] = {"s3": {"addressing_style": "path"}}
        else:
            where = {"endpoint_url": self.s3_endpoint, "region_name": self._s3_settings["Region"]}
            # An S3 that isn't AWS's may not support the newer checksums.
            settings = {"request_checksum_calculation": "when_required", "signature_version": "s3v4"}
            settings["s3"] = {"addressing_style": "auto" if self.s3_endpoint.endswith("amazonaws.com") else "path"}
        config = Config(retries={"total_max_attempts": 2}, **settings)
        return Session().create_client("s3", config=config, **where)

    # ---- requests

    @property
    def _key(self) -> tuple[str, str]:
        return self._given_key or key_in_environment() or ANY_KEY

    def _ask(self, operation: str, request: Mapping[str, Any]) -> None:
        headers = {"content-type": "application/x-amz-json-1.1", "x-amz-target": f"SageMaker.{operation}"}
        self._send("POST", "/", "sagemaker", headers, json.dumps(request).encode())

    def _get(self, path: str) -> Plain:
        _, body = self._fetch(path)
        answer: Plain = json.loads(body)
        return answer

    def _fetch(self, path: str, query: str = "", timeout: float = TIMEOUT_SECONDS) -> tuple[Mapping[str, str], bytes]:
        whole = f"/_alfine/{path}" + (f"?{query}" if query else "")
        return self._send("GET", whole, "alfine", {}, b"", timeout)

    def _send(  # noqa: PLR0917
        self,
        method: str,
        path: str,
        service: str,
        headers: Mapping[str, str],
        body: bytes,
        timeout: float = TIMEOUT_SECONDS,
    ) -> tuple[Mapping[str, str], bytes]:
        """Send a signed request and return the headers and the body of the answer; raise the error that the server answers."""
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials
        from botocore.exceptions import BotoCoreError

        request = AWSRequest(method, self.endpoint + path, headers=dict(headers), data=body)
        SigV4Auth(Credentials(*self._key), service, self.region).add_auth(request)
        try:
            answer = self._http(timeout).send(request.prepare())
        except BotoCoreError as error:
            raise Unreachable(f"no alfine server answers at {self.endpoint}: {error}") from error
        if answer.status_code < 300:
            return answer.headers, answer.content
        refusal = _refusal(answer.content, f"{self.endpoint} answered {answer.status_code}")
        if isinstance(refusal, Denied) and refusal.code == UNKNOWN_KEY and self._key == ANY_KEY:
            raise Denied(refusal.code, f"{refusal} {NO_KEY}")
        right = _REGION.search(str(refusal))
        if right is None or right[1] == self.region:
            raise refusal
        self.region = right[1]  # the server's region: sign again for it
        return self._send(method, path, service, headers, body, timeout)

    def _http(self, timeout: float) -> Any:
        from botocore.httpsession import URLLib3Session

        if timeout not in self._sessions:
            verify = self._certificate or os.environ.get("AWS_CA_BUNDLE") or True
            self._sessions[timeout] = URLLib3Session(verify=verify, timeout=(TIMEOUT_SECONDS, timeout))
        return self._sessions[timeout]


def _violations(message: str) -> Iterator[Fault]:
    """Yield the faults in AWS's message for a request that violates AWS's model of the operation."""
    for value, path, rule in _VIOLATION.findall(message):
        where = re.sub(r"\.(\d+)\.member", lambda match: f"[{int(match[1]) - 1}]", path)
        where = ".".join(part[:1].upper() + part[1:] for part in where.split("."))
        yield Fault(where, f"AWS's rules, which a server checks, don't allow {value!r}: {rule.removesuffix(';')}.")


def _fault(line: str) -> Fault:
    """Return a fault that the server reported; its message may begin with a path in the request."""
    path = _PATH.match(line)
    return Fault(path[1], from_aws(line[path.end() :])) if path else Fault("", from_aws(line))


def _refusal(body: bytes, otherwise: str) -> AlfineError:
    """Return the error in an answer's body, as one of alfine's own where there is one for its code."""
    try:
        answer = json.loads(body)
        code, message = str(answer["__type"]), str(answer["Message"])
    except (ValueError, KeyError, TypeError):
        return Denied(
            "InternalFailure", f"{otherwise}, which isn't an answer of alfine. Is another server at this address?"
        )
    match code:
        case "ValidationException":
            return InvalidSpec([*_violations(message)] or [_fault(line) for line in message.split("\n")])
        case "ResourceNotFound":
            return NotFound(message)
        case "ResourceInUse":
            return InUse(message)
        case _:
            return Denied(code, message)

"""The tuning jobs of an alfine elsewhere, over HTTP: what `alfine --endpoint URL` reads and asks for.

Reads alfine's own documents (server/rest.py); what changes something is a request of SageMaker's API; files go to S3 buckets.
Every request is signed by botocore, with a key from the environment.
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
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from alfine.core.errors import AlfineError, Fault, InUse, InvalidSpec, NotFound
from alfine.core.messages import from_aws
from alfine.runners.log_files import LogPart

Plain = dict[str, Any]

PATIENCE_SECONDS = 60.0
REPLAY_SECONDS = 600.0  # a replay judges every fact anew
KEY_NAMES = (("ALFINE_ACCESS_KEY_ID", "ALFINE_SECRET_ACCESS_KEY"), ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"))
ANY = ("any", "any")  # a server without keys asks for none
_REGION = re.compile(r"the region '[^']*' is wrong; expecting '([^']+)'")  # aws/auth/sigv4.py
_VIOLATION = re.compile(r"Value '([^']*)' at '([^']+)' failed to satisfy constraint: (.*?)(?=; Value '|$)")
_PATH = re.compile(r"((?:HyperParameterTuningJob|TrainingJobDefinition|WarmStartConfig|Tags)[^'\"]*?): ")


class Unreachable(AlfineError):
    """Nothing answers at the endpoint."""


class Denied(AlfineError):
    """The server refused; `code` is what it said."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Remote:
    """The same methods as a home's jobs have for the command line (cli/job_access.py)."""

    keeps_files = True  # SageMaker's Delete leaves logs and models where they are

    def __init__(self, endpoint: str) -> None:
        found = urlsplit(endpoint)
        if found.scheme not in ("http", "https") or not found.hostname or found.query or found.username:
            raise InvalidSpec([Fault("--endpoint", f"{endpoint!r} must be a URL such as http://127.0.0.1:8765.")])
        self.endpoint = endpoint.rstrip("/")
        self.region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
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

    def training_jobs(self, name: str) -> Sequence[Plain]:
        rows: Sequence[Plain] = self._get(f"tuning-jobs/{quote(name, safe='')}/training-jobs")["TrainingJobSummaries"]
        return rows

    def log(self, name: str, begin: int = 0, lines: int | None = None) -> LogPart:
        query = f"begin={begin}" if lines is None else f"lines={lines}"
        headers, data = self._fetch(f"training-jobs/{quote(name, safe='')}/log", query)
        job, status, path = (unquote(headers[f"x-alfine-{each}"]) for each in ("training-job", "status", "path"))
        return LogPart(job, status, path, int(headers["x-alfine-begin"]), data, headers["x-alfine-ended"] == "true")

    def replays(self, name: str, texts: Sequence[str]) -> Plain:
        query = "&".join(f"criterion={quote(text, safe='')}" for text in texts)
        _, body = self._fetch(f"tuning-jobs/{quote(name, safe='')}/replays", query, REPLAY_SECONDS)
        found: Plain = json.loads(body)
        return found

    def export(self, name: str, kind: str) -> bytes:
        return self._fetch(f"tuning-jobs/{quote(name, safe='')}/export", f"format={kind}")[1]

    def request_stop(self, name: str) -> None:
        self._ask("StopHyperParameterTuningJob", {"HyperParameterTuningJobName": name})

    def carry_out_stop(self, name: str) -> bool:
        """Whether the job has ended; the server carries the stop out."""
        return "HyperParameterTuningEndTime" in self.describe(name)

    def delete(self, name: str, *, files: bool) -> None:  # noqa: ARG002 - the server keeps them
        self._ask("DeleteHyperParameterTuningJob", {"HyperParameterTuningJobName": name})

    def change(self, name: str, **words: Any) -> None:
        body = json.dumps({key: value for key, value in words.items() if value is not None}).encode()
        path = f"/_alfine/tuning-jobs/{quote(name, safe='')}/changes"
        self._send("POST", path, "alfine", {"content-type": "application/json"}, body)

    def go_on(self, name: str, *, quiet: bool) -> bool:  # noqa: ARG002
        """The server goes on with it."""
        return False

    # ---- files

    @cached_property
    def s3_endpoint(self) -> str | None:
        """Where the server's s3:// leads: a real S3, by its address here where that differs, or None for its own buckets."""
        there: str | None = self._s3_settings["Endpoint"]
        return there and (os.environ.get("AWS_ENDPOINT_URL_S3") or there)

    @cached_property
    def _s3_settings(self) -> Plain:
        return self._get("buckets")

    def put(self, bucket: str, key: str, path: Path) -> str:
        """The URI of a file that was put into a bucket there, which is made where there is none of alfine's own."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            if bucket not in self._made and self.s3_endpoint is None:
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
        """A client of the server's own buckets with its key, or of a real S3 with AWS's keys of whoever uploads."""
        from botocore.config import Config
        from botocore.session import Session

        if self.s3_endpoint is None:
            id_, secret = self._key
            where = {"endpoint_url": self.endpoint, "region_name": self.region}
            where |= {"aws_access_key_id": id_, "aws_secret_access_key": secret}
            settings: dict[str, Any] = {"s3": {"addressing_style": "path"}}
        else:
            where = {"endpoint_url": self.s3_endpoint, "region_name": self._s3_settings["Region"]}
            # What isn't AWS may not know the newer checksums.
            settings = {"request_checksum_calculation": "when_required", "signature_version": "s3v4"}
            settings["s3"] = {"addressing_style": "auto" if self.s3_endpoint.endswith("amazonaws.com") else "path"}
        config = Config(retries={"total_max_attempts": 2}, **settings)
        return Session().create_client("s3", config=config, **where)

    # ---- requests

    @property
    def _key(self) -> tuple[str, str]:
        pairs = ((os.environ.get(id_), os.environ.get(secret)) for id_, secret in KEY_NAMES)
        return next(((id_, secret) for id_, secret in pairs if id_ and secret), ANY)

    def _ask(self, operation: str, request: Mapping[str, Any]) -> None:
        headers = {"content-type": "application/x-amz-json-1.1", "x-amz-target": f"SageMaker.{operation}"}
        self._send("POST", "/", "sagemaker", headers, json.dumps(request).encode())

    def _get(self, path: str) -> Plain:
        _, body = self._fetch(path)
        found: Plain = json.loads(body)
        return found

    def _fetch(self, path: str, query: str = "", patience: float = PATIENCE_SECONDS) -> tuple[Mapping[str, str], bytes]:
        whole = f"/_alfine/{path}" + (f"?{query}" if query else "")
        return self._send("GET", whole, "alfine", {}, b"", patience)

    def _send(  # noqa: PLR0917
        self,
        method: str,
        path: str,
        service: str,
        headers: Mapping[str, str],
        body: bytes,
        patience: float = PATIENCE_SECONDS,
    ) -> tuple[Mapping[str, str], bytes]:
        """The headers and the body of the answer. Raise what the server refuses it with."""
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials
        from botocore.exceptions import BotoCoreError

        request = AWSRequest(method, self.endpoint + path, headers=dict(headers), data=body)
        SigV4Auth(Credentials(*self._key), service, self.region).add_auth(request)
        try:
            answer = self._http(patience).send(request.prepare())
        except BotoCoreError as error:
            raise Unreachable(f"no alfine answers at {self.endpoint}: {error}") from error
        if answer.status_code < 300:
            return answer.headers, answer.content
        refusal = _refusal(answer.content, f"{self.endpoint} answered {answer.status_code}")
        right = _REGION.search(str(refusal))
        if right is None or right[1] == self.region:
            raise refusal
        self.region = right[1]  # the server's, which a key is good in
        return self._send(method, path, service, headers, body, patience)

    def _http(self, patience: float) -> Any:
        from botocore.httpsession import URLLib3Session

        if patience not in self._sessions:
            verify = os.environ.get("AWS_CA_BUNDLE") or True
            self._sessions[patience] = URLLib3Session(verify=verify, timeout=(PATIENCE_SECONDS, patience))
        return self._sessions[patience]


def _violations(message: str) -> Iterator[Fault]:
    """What violates AWS's model of the operation, at the path that AWS's words name."""
    for value, path, rule in _VIOLATION.findall(message):
        where = re.sub(r"\.(\d+)\.member", lambda found: f"[{int(found[1]) - 1}]", path)
        where = ".".join(part[:1].upper() + part[1:] for part in where.split("."))
        yield Fault(where, f"{value!r} is refused by AWS's rules, which servers keep: {rule.removesuffix(';')}.")


def _fault(said: str) -> Fault:
    """A fault as the server told it, with the path in the request that it begins with."""
    path = _PATH.match(said)
    return Fault(path[1], from_aws(said[path.end() :])) if path else Fault("", from_aws(said))


def _refusal(body: bytes, otherwise: str) -> AlfineError:
    """The error that an answer tells, as alfine's own where there is one."""
    try:
        told = json.loads(body)
        code, message = str(told["__type"]), str(told["Message"])
    except (ValueError, KeyError, TypeError):
        return Denied("InternalFailure", f"{otherwise}, which is no answer of alfine's.")
    match code:
        case "ValidationException":
            return InvalidSpec([*_violations(message)] or [_fault(each) for each in message.split("\n")])
        case "ResourceNotFound":
            return NotFound(message)
        case "ResourceInUse":
            return InUse(message)
        case _:
            return Denied(code, message)

"""What users do meanwhile: tuning jobs of many sources are created, stopped, changed, extended and deleted, through boto3, REST and CLI."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, ReadTimeoutError

from alfine import Continuous
from alfine.api.job_words import job_request
from tests.faults.world import MARK, SOURCES, World

LONG_SECONDS = 600
"""How long training jobs of a long tuning job wait: only a stop ends them."""

AWAY_SECONDS = 0.2
"""Time between two requests while the server is away."""

NAME = "HyperParameterTuningJobName"


@dataclass
class Asked:
    """What users asked of one tuning job, and which of it was answered with success."""

    name: str
    most: int
    parallel: int
    retries: int
    long: bool
    by_cli: bool = False
    created: bool = False
    deletes: int = 0
    deleted: bool = False
    stopped: bool = False
    training_jobs: set[str] = field(default_factory=set)


class Traffic:
    """Users of one world.

    Args:
        world: Their server.
        rng: Decides what they do.
    """

    def __init__(self, world: World, rng: Any) -> None:
        self.world, self.rng = world, rng
        self.asked: dict[str, Asked] = {}
        self.answers: Counter[str] = Counter()
        self.violations: Counter[str] = Counter()
        self.mutex = threading.Lock()
        self.disturbed = 0  # grows with every fault that begins or ends: an answer in between may be an error
        self.faults_now = 0

    @contextmanager
    def disturbing(self) -> Iterator[None]:
        """While this is open, answers of 500 may be."""
        with self.mutex:
            self.faults_now += 1
            self.disturbed += 1
        try:
            yield
        finally:
            with self.mutex:
                self.faults_now -= 1
                self.disturbed += 1

    def one(self) -> None:
        """Do one thing."""
        known = [asked for asked in [*self.asked.values()] if asked.created and not asked.deletes]
        words = ["create", "stop", "change", "delete", "look", "list"] if known else ["create"]
        word = self.rng.choices(words, [3, 2, 2, 1, 3, 1][: len(words)])[0]
        if word == "create":
            self.create()
        elif word == "list":
            self.ask("list_hyper_parameter_tuning_jobs", MaxResults=20)
        else:
            getattr(self, word)(self.rng.choice(known))

    # -- requests --

    def create(self, source: int | None = None, **words: Any) -> Asked:
        rng, number = self.rng, len(self.asked)
        asked = Asked(
            name=f"job-{number:04d}",
            most=words.pop("most", rng.randint(1, 4)),
            parallel=rng.randint(1, 2),
            retries=rng.choice([0, 0, 2]),
            long=words.pop("long", rng.random() < 0.2),
        )
        self.asked[asked.name] = asked
        source = rng.randrange(SOURCES) if source is None else source
        request = self.request(asked, source, **words)
        asked.created = self.ask("create_hyper_parameter_tuning_job", **request) is not None
        return asked

    def request(self, asked: Asked, source: int, **words: Any) -> dict[str, Any]:
        static = {"steps": self.rng.randint(1, 6), "pause": 0.02, "wait": LONG_SECONDS if asked.long else 0}
        words = {
            "max_training_jobs": asked.most,
            "max_parallel": asked.parallel,
            "environment": {MARK: str(self.world.truth_file)},
            "static": static,
            "warm": self.rng.random() < 0.7,
            **words,
        }
        script = self.world.sources[source]
        space = {"x": Continuous(0, 1)}
        found = job_request(name=asked.name, space=space, script=script, metric="loss", strategy="Random", **words)
        found["Tags"] = [*found.get("Tags", ()), {"Key": "alfine:runner", "Value": "process"}]
        if asked.retries:
            found["TrainingJobDefinition"]["RetryStrategy"] = {"MaximumRetryAttempts": asked.retries}
        return found

    def stop(self, asked: Asked) -> None:
        stopped = self.ask("stop_hyper_parameter_tuning_job", **{NAME: asked.name}) is not None
        asked.stopped = asked.stopped or stopped

    def delete(self, asked: Asked) -> None:
        asked.deletes += 1
        asked.deleted = self.ask("delete_hyper_parameter_tuning_job", **{NAME: asked.name}) is not None

    def look(self, asked: Asked) -> Any:
        return self.ask("describe_hyper_parameter_tuning_job", **{NAME: asked.name})

    def change(self, asked: Asked) -> None:
        """Change its limits; one that has ended goes on."""
        most, parallel = asked.most + self.rng.randint(0, 2), self.rng.randint(1, 2)
        asked.most, asked.parallel = max(asked.most, most), max(asked.parallel, parallel)
        body = json.dumps({"max_training_jobs": most, "max_parallel": parallel}).encode()
        path = f"/_alfine/tuning-jobs/{asked.name}/changes"
        self._counted("change", lambda: self.fetch(path, body))

    def page(self, path: str) -> str | None:
        """Return a page of the console."""
        return self._counted("page", lambda: self.fetch(path).decode())

    def fetch(self, path: str, body: bytes | None = None) -> bytes:
        request = urllib.request.Request(f"{self.world.url}{path}", body, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=40) as answer:
            data: bytes = answer.read()
        return data

    def ask(self, operation: str, **words: Any) -> Any:
        return self._counted(operation, lambda: getattr(self.world.client(), operation)(**words))

    def _counted(self, what: str, request: Any) -> Any:
        """Return the answer of a request, None for an error; count it, and note those that may not be."""
        with self.mutex:
            calm, begun = not self.faults_now and self.disturbed, time.monotonic()
        try:
            answer, outcome = request(), "2xx"
        except (ClientError, urllib.error.HTTPError) as error:
            status = error.code if isinstance(error, urllib.error.HTTPError) else _status(error)
            answer, outcome = None, f"{status // 100}xx" if status not in (500, 503) else str(status)
            if status == 500 and calm is not False and calm == self.disturbed:
                self.violations[f"{what} was answered with 500 while nothing was disturbed: {error}"] += 1
        except (BotoCoreError, OSError, ValueError) as error:
            answer, outcome = None, "no answer"
            if isinstance(error, (ReadTimeoutError, TimeoutError)):
                seconds = time.monotonic() - begun
                self.violations[f"{what} had no answer in {seconds:.0f} s: {error}"] += 1
        with self.mutex:
            self.answers[outcome] += 1
        if outcome == "no answer":
            time.sleep(AWAY_SECONDS)
        return answer


def _status(error: ClientError) -> int:
    return int(error.response["ResponseMetadata"]["HTTPStatusCode"])

"""Fuzzing of state: what a server has accepted must never break it later.

Requests are spoilt at random and sent to a real server. After each one that it accepts, its jobs are described, listed, searched for and
shown in the console; after each batch the server is killed and started again, and the command line reads the same home. No answer may
be a 5xx or late, no job may be missing, and memory must stay bounded.

    python -m tests.faults.states --requests 20000 --seed 1
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from tests.aws.test_fuzz import GOOD, GOOD_ALONE, TEXTS, paths, put
from tests.cli.conftest import alfine_cli
from tests.faults.traffic import NAME
from tests.faults.world import World

BATCH = 100
"""Accepted requests between two restarts."""

PATIENCE_SECONDS = 30.0
"""How long an answer may take; a busy machine is no failure."""

MOST_SHOWN = 30
"""Violations that are printed; the others are only counted."""

MOST_MEGABYTES = 250
"""By which the server's memory may grow in a batch: it begins with about 110, and loads modules as they are needed."""

NUMBERS = (0, 1, -1, 2, 7, 10**6, 2**31 - 1, 2**31, 2**63, 10**18, 10**40, 10**400, 0.5, -0.0, 1e308, 1e-308, 5e-324)

NUMERALS = (
    *(
        "0",
        "1",
        "-1",
        "1e-300",
        "1e308",
        "-1e308",
        "5e-324",
        "0.1",
        "00001",
        "1e2",
        "+3",
        " 1",
        "1_000",
        "9" * 18,
        "9" * 400,
    ),
    *("0.1000000000000000055511151231257827", "1.", ".5", "-0", "0x10", "٣", "1e-5000"),
)

ODD = (
    *TEXTS,
    *(
        "9" * 18,
        "9" * 400,
        "1e400",
        "a" * 63,
        "a" * 300,
        "a-b",
        "-",
        "a/b",
        "..",
        "<b>x</b>",
        "&amp;",
        "{{7*7}}",
        "%00",
        "a b",
    ),
    *(
        "s3://b/" + "k" * 900,
        "file:///" + "d/" * 300,
        "\ud800",
        "\u202e",
        "🙂",
        "\n",
        "\t",
        "true",
        "null",
        "[]",
        "1;2",
        "a,b",
    ),
    *(
        "EnoughTried 5",
        "Deadline 9999",
        "Deadline " + "9" * 300,
        "BestObjectiveNotImproving 1",
        "TargetObjectiveMetricValue 1e308",
    ),
)

OPERATIONS = {
    "CreateHyperParameterTuningJob": "HyperParameterTuningJobName",
    "CreateTrainingJob": "TrainingJobName",
}

SETTINGS = (
    "criteria",
    "at-end",
    "repeats",
    "price-per-hour",
    "seed",
    "threads",
    "grace-seconds",
    "max-log-bytes",
    "warm",
    "runner",
)
"""Tags alfine:… that a request may get besides its own."""

CHANGES: dict[str, tuple[Any, ...]] = {
    "max_training_jobs": (1, 7, 10**6, 2**31 - 1, 10**40),
    "max_parallel": (1, 7, 100, 10**6),
    "max_runtime_seconds": (1, 60, 10**9, 1e308),
    "criteria": (
        [],
        ["EnoughTried 5"],
        ["TargetObjectiveMetricValue 1e308"],
        ["BestObjectiveNotImproving 1000000"] * 3,
    ),
    "early_stopping": ("Auto", "Off", "auto"),
    "at_end": ("stop", "wait", "Stop"),
    "repeats": ("never", "best 3 times 3", "best 99999 times 99999", "3 x 3"),
    "price_per_hour": (0, 0.5, 1e308, "1e300"),
}
"""What of a job is changed, and good values for it."""


class States:
    """A server that is sent spoilt requests.

    Args:
        world: Has the server.
        seed: Decides what is sent.
        say: Called with each line of the report.
    """

    def __init__(self, world: World, seed: int, say: Callable[[str], None] = lambda _: None) -> None:
        self.rng, self.seed, self.say = random.Random(seed), seed, say
        self.world = world
        self.world.start()
        self.connection: Any = None
        self.alive: dict[str, str] = {}  # operation by name, of what must be there
        self.counts: Counter[str] = Counter()
        self.violations: list[str] = []
        self.memory = (self.world.memory() >> 20, 0)

    def run(self, requests: int, seconds: float = float("inf")) -> None:
        """Send so many spoilt requests, for so many seconds at most."""
        until = time.monotonic() + seconds
        while self.counts["requests"] < requests and time.monotonic() < until:
            self.one()
            if len(self.alive) >= BATCH:
                self.restart()
        self.restart()
        self._hang_up()

    # -- requests --

    def one(self) -> None:
        """Send one spoilt request, and look at what it made, if it was accepted."""
        self.counts["requests"] += 1
        made = sorted(name for name, operation in self.alive.items() if "Tuning" in operation)
        if made and self.rng.random() < 0.25:
            name = self.rng.choice(made)
            words = self.rng.sample([*CHANGES], self.rng.randint(1, 2))
            changes = {key: self.rng.choice(CHANGES[key]) if self.rng.random() < 0.7 else self._odd() for key in words}
            status, _ = self.send("POST", f"/_alfine/tuning-jobs/{quote(name, safe='')}/changes", self._body(changes))
            if status == 200:
                self.counts["accepted changes"] += 1
                self.look(name)
            return
        operation = self.rng.choice([*OPERATIONS, "CreateHyperParameterTuningJob"])
        request = self._spoilt(GOOD_ALONE if operation == "CreateTrainingJob" else GOOD, OPERATIONS[operation])
        status, _ = self.call(operation, request)
        if status == 200:
            self.counts[f"accepted {operation}"] += 1
            name = request[OPERATIONS[operation]]
            self.alive[name] = operation
            self.look(name)
            self.call(f"Stop{operation[6:]}", {OPERATIONS[operation]: name})

    def _spoilt(self, good: dict[str, Any], name: str) -> dict[str, Any]:
        request: Any = {**good, name: f"f{self.counts['requests']}"}
        if self.rng.random() < 0.15:
            tag = {"Key": f"alfine:{self.rng.choice(SETTINGS)}", "Value": str(self._text())}
            request["Tags"] = [*request.get("Tags", ()), tag]
        for _ in range(self.rng.choice([0, 1, 1, 1, 1, 2])):
            place = self.rng.choice([*paths(request)][1:])
            before = request
            for key in place:
                before = before[key]
            request = put(request, place, self._kin(before) if self.rng.random() < 0.8 else self._odd())
        return request

    def _kin(self, value: Any) -> Any:
        """Return an odd value of the same type, which is more often accepted than any odd value."""
        match value:
            case bool():
                return not value
            case int() | float():
                return self.rng.choice(NUMBERS)
            case str() if value.replace(".", "").isdigit():
                return self.rng.choice(NUMERALS)
            case str():
                return self._text()
            case list():
                return value * 2 if self.rng.random() < 0.5 else value[1:]
            case dict() if self.rng.random() < 0.5:
                return {**value, self._text(): self._text()}
            case dict():
                return dict([*value.items()][1:])
        return self._odd()

    def _odd(self, depth: int = 0) -> Any:
        """Return any odd value."""
        kind = self.rng.random()
        if kind < 0.35:
            return self._text()
        if kind < 0.7:
            return self.rng.choice(NUMBERS)
        if kind < 0.8 or depth > 2:
            return self.rng.choice([None, True, False, [], {}])
        if kind < 0.9:
            return [self._odd(depth + 1) for _ in range(self.rng.randint(1, 3))]
        return {self._text(): self._odd(depth + 1) for _ in range(self.rng.randint(1, 3))}

    def _text(self) -> str:
        text = self.rng.choice(ODD)
        return text if self.rng.random() < 0.8 else text * self.rng.randint(1, 30)

    def _body(self, value: Any) -> bytes:
        return json.dumps(value).encode()

    def call(self, operation: str, value: Any) -> tuple[int, Any]:
        signed = "AWS4-HMAC-SHA256 Credential=any/20260101/us-east-1/sagemaker/aws4_request, SignedHeaders=host, Signature=00"
        headers = {"X-Amz-Target": f"SageMaker.{operation}", "Authorization": signed, "X-Amz-Date": "20260101T000000Z"}
        status, body = self.send(
            "POST", "/", self._body(value), {**headers, "content-type": "application/x-amz-json-1.1"}
        )
        return status, json.loads(body) if body else None

    def send(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Send a request; a 5xx, a late answer and none at all are violations."""
        self.counts["answers"] += 1
        try:
            if self.connection is None:
                place = urlsplit(self.world.url)
                self.connection = http.client.HTTPConnection(place.hostname, place.port, timeout=PATIENCE_SECONDS)
            self.connection.request(method, path, body, headers or {"content-type": "application/json"})
            answer = self.connection.getresponse()
            status, data = answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            self._hang_up()
            self._wrong(f"{method} {path[:200]} {(body or b'')[:2000]!r}: {type(error).__name__} {error}")
            self.world.start()
            return 0, b""
        if status >= 500:
            self._wrong(f"{method} {path[:200]} {(body or b'')[:2000]!r}: {status} {data[:200]!r}")
        return status, data

    def _hang_up(self) -> None:
        if self.connection is not None:
            self.connection.close()
        self.connection = None

    def _wrong(self, what: str) -> None:
        self.violations.append(what)
        if len(self.violations) <= MOST_SHOWN:
            self.say(f"  VIOLATION {what}")

    # -- looks --

    def look(self, name: str) -> None:
        """Look at one job in every way."""
        operation = self.alive[name]
        self._must(self.call(f"Describe{operation[6:]}", {OPERATIONS[operation]: name})[0], f"describe {name}")
        if "Tuning" in operation:
            place = quote(name, safe="")
            for path in ("/console/tuning-jobs/{}", "/console/tuning-jobs/{}/change", "/_alfine/tuning-jobs/{}"):
                self._must(self.send("GET", path.format(place))[0], path.format(place))
            self._must(self.send("GET", f"/_alfine/tuning-jobs/{place}/training-jobs")[0], f"training jobs of {name}")
            _, rows = self.call("ListTrainingJobsForHyperParameterTuningJob", {NAME: name})
            for row in (rows or {}).get("TrainingJobSummaries", ())[:1]:
                training_job = quote(row["TrainingJobName"], safe="")
                self._must(self.send("GET", f"/console/training-jobs/{training_job}")[0], f"page of {training_job}")
        kind = "HyperParameterTuningJob" if "Tuning" in operation else "TrainingJob"
        self._must(self.call(f"List{kind}s", {"MaxResults": 5})[0], "list")
        self._must(self.call("Search", {"Resource": kind, "MaxResults": 5})[0], "search")
        self._must(self.send("GET", "/console/")[0], "console")

    def _must(self, status: int, what: str) -> None:
        self.counts["looks"] += 1
        if status != 200 and status < 500:
            self._wrong(f"{what}: {status}")

    # -- restarts --

    def restart(self) -> None:
        """Kill the server and start it again; everything is still there, also for the command line. Then delete all."""
        megabytes = self.world.memory() >> 20
        self.memory = (self.memory[0], max(self.memory[1], megabytes))
        if megabytes > self.memory[0] + MOST_MEGABYTES:
            self._wrong(f"the server's memory grew from {self.memory[0]} to {megabytes} MB")
        self.world.kill_server()
        self._hang_up()
        self.counts["restarts"] += 1
        self.world.start()
        listed = self._listed()
        if missing := {name for name in self.alive if name not in listed}:
            self._wrong(f"lost in a restart: {sorted(missing)[:5]}")
        for name in self.alive:
            self.look(name)
        self._command_line()
        self.clear()
        self.say(f"{dict(self.counts)}, {megabytes} MB, {len(self.violations)} violations")

    def _listed(self) -> set[str]:
        found: set[str] = set()
        for kind in ("HyperParameterTuningJob", "TrainingJob"):
            token: dict[str, str] = {}
            while True:
                _, page = self.call(f"List{kind}s", {"MaxResults": 100, **token})
                found |= {row[f"{kind}Name"] for row in (page or {}).get(f"{kind}Summaries", ())}
                token = {"NextToken": page["NextToken"]} if page and page.get("NextToken") else {}
                if not token:
                    break
        return found

    def _command_line(self) -> None:
        tuning_jobs = sorted(name for name, operation in self.alive.items() if "Tuning" in operation)
        commands = [("list",), ("list", "--json")]
        for name in self.rng.sample(tuning_jobs, min(5, len(tuning_jobs))):
            commands += [("describe", "--", name), ("training-jobs", "--", name), ("export", "--", name)]
        for words in commands:
            self.counts["commands"] += 1
            try:
                result = alfine_cli(self.world.home, *words)
            except Exception as error:  # noqa: BLE001 - a traceback is what must not be
                self._wrong(f"alfine {words}: {type(error).__name__}: {error}")
                continue
            if result.exit_code not in (0, 1) or "Traceback" in result.output:
                self._wrong(f"alfine {words}: {result.exit_code} {result.output[-300:]}")

    def clear(self) -> None:
        """Stop and delete everything; what doesn't end in time is a violation."""
        until = time.monotonic() + 2 * PATIENCE_SECONDS
        left = dict(self.alive)
        while left and time.monotonic() < until:
            for name, operation in [*left.items()]:
                if self._cleared(operation[6:], name):
                    del left[name]
            time.sleep(0.1)
        for name, operation in left.items():
            _, told = self.call(f"Describe{operation[6:]}", {OPERATIONS[operation]: name})
            self._wrong(f"{name} doesn't end: {str(told)[:600]}")
        self.alive.clear()

    def _cleared(self, kind: str, name: str) -> bool:
        """Delete a tuning job that has ended, look whether a training job has ended, and stop both if not."""
        tuning = kind == "HyperParameterTuningJob"
        if tuning and self.call(f"Delete{kind}", {f"{kind}Name": name})[0] == 200:
            return True
        if not tuning and self._has_ended(kind, name):
            return True
        self.call(f"Stop{kind}", {f"{kind}Name": name})
        return False

    def _has_ended(self, kind: str, name: str) -> bool:
        _, told = self.call(f"Describe{kind}", {f"{kind}Name": name})
        return bool(told) and told.get(f"{kind}Status") in ("Completed", "Failed", "Stopped")

    def report(self) -> str:
        lines = [f"seed {self.seed}", *(f"{count:8d}  {what}" for what, count in self.counts.most_common())]
        lines += [
            f"memory: {self.memory[0]} MB at the start, {self.memory[1]} MB at most",
            f"{len(self.violations)} violations",
        ]
        return "\n".join(lines)


def main() -> int:
    """Send spoilt requests; return 1 where something broke."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.states")
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    words = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="alfine-states-"))

    def say(line: str) -> None:
        print(line, flush=True)  # noqa: T201 - a report is printed

    say(f"seed {words.seed}, {words.requests} requests, in {folder}")
    states = States(World(folder), words.seed, say)
    try:
        states.run(words.requests)
    finally:
        with suppress(OSError):
            states.world.end()
        say(states.report())
    return 1 if states.violations else 0


if __name__ == "__main__":
    sys.exit(main())

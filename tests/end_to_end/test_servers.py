"""Several servers on one PostgreSQL database: killed, frozen and restarted, they lose no tuning job and start no training job twice."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from collections import Counter
from contextlib import ExitStack

import pytest

from alfine import Continuous
from alfine.api.job_words import job_request
from alfine.core.errors import NotFound
from alfine.jobs.home import Home
from alfine.runners.supervision import is_supervised
from tests.aws.conftest import Served
from tests.cli.conftest import until
from tests.store.silence import fall_silent

TRAIN = """
import os, time
with open(os.environ["DIARY"], "a") as diary:
    diary.write(os.environ["TRAINING_JOB_NAME"] + chr(10))
print("it waits", flush=True)
while not os.path.exists(os.environ["GO"]):
    time.sleep(0.01)
print("loss=1")
"""


class World:
    """A database, servers on it, and tuning jobs whose training jobs write down each of their starts and wait until they may end."""

    def __init__(self, folder, url, ending):
        self.folder, self.url, self.ending = folder, url, ending
        self.script = folder / "train.py"
        self.script.write_text(TRAIN)
        self.diary, self.go = folder / "diary", folder / "go"
        self.home = ending.enter_context(Home(folder / "client", store=url))

    def server(self, home):
        server = Served(self.folder / home)
        self.ending.callback(server.process.communicate)
        self.ending.callback(server.process.kill)
        return server

    def create(self, *names):
        variables = {"DIARY": str(self.diary), "GO": str(self.go)}
        words = {"metric": "loss", "strategy": "Random", "max_training_jobs": 3, "max_parallel": 2}
        for name in names:
            space = {"x": Continuous(0, 1)}
            self.home.service.create(
                job_request(name=name, space=space, script=self.script, environment=variables, **words)
            )

    @property
    def starts(self):
        return Counter(self.diary.read_text().split() if self.diary.exists() else ())

    def owners(self, *names):
        return {self.home.store.get(name).owner for name in names}

    def engine_of(self, server):
        return next((engine.id for engine in self.home.store.engines() if engine.url == server.url), None)

    def check_completed(self, *names):
        self.go.touch()
        until(lambda: all(self.home.service.get(name).ended for name in names), "ended")
        expected = {}
        for name in names:
            job, history = self.home.service.get(name), self.home.service.history(name)
            assert (job.status, history.launches) == ("Completed", 3)
            expected |= {each.name: 1 for each in history.jobs}
        assert {name: count for name, count in self.starts.items() if name.split("-")[0] in names} == expected


@pytest.fixture
def world(tmp_path, postgres_url, monkeypatch):
    monkeypatch.setenv("ALFINE_STORE", postgres_url)
    with ExitStack() as ending:
        yield World(tmp_path, postgres_url, ending)


def test_servers_of_one_machine_take_over_from_one_that_is_killed_and_one_that_is_frozen(world):
    killed = world.server("home")
    world.create("a", "b", "c", "d")
    until(lambda: len(world.starts) == 8, "all run")
    second = world.server("home")
    killed.process.kill()
    until(lambda: world.owners("a", "b", "c", "d") == {world.engine_of(second)}, "taken over")
    third = world.server("home")
    second.process.send_signal(signal.SIGSTOP)
    fall_silent(world.home.store, world.engine_of(second))
    until(lambda: world.owners("a", "b", "c", "d") == {world.engine_of(third)}, "taken over")
    second.process.send_signal(signal.SIGCONT)
    world.check_completed("a", "b", "c", "d")
    assert second.process.poll() is None


def forced(server, name):
    """Stop a tuning job by force at a server; return the names of what may still run."""
    request = urllib.request.Request(f"{server.url}/_alfine/tuning-jobs/{name}/forced-stop", data=b"{}", method="POST")
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["StillRunning"]


def test_a_server_of_another_machine_leaves_what_runs_there_until_it_is_back(world):
    """But a forced stop reaches what runs there, or names it where that machine has no server."""
    for home in ("first", "second"):
        (world.folder / home).mkdir()
        (world.folder / home / "alfine.toml").write_text('[s3]\nendpoint = "http://127.0.0.1:9"\n')
    first = world.server("first")
    world.create("a", "b", "c")
    until(lambda: len(world.starts) == 6, "all run")
    second = world.server("second")
    name = world.home.service.history("a").jobs[0].name
    until(lambda: world.home.service.log(name, lines=1).data == b"it waits\n", "the log is read over there")
    with urllib.request.urlopen(f"{second.url}/console/training-jobs/{name}") as page:
        assert "it waits" in page.read().decode()
    b, c = ([*(world.folder / "first" / "tuning-jobs" / name).glob(f"{name}-*")] for name in "bc")
    assert forced(second, "b") == []
    until(lambda: not any(is_supervised(str(folder)) for folder in b), "killed there")
    assert all(is_supervised(str(folder)) for folder in c)
    words = [sys.executable, "-m", "alfine", "serve", "--open", "--port", "0", "--home", str(world.folder / "third")]
    refused = subprocess.run(words, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "[s3] endpoint: is empty, so s3:// means the buckets in" in refused.stderr
    first.process.kill()
    fall_silent(world.home.store, world.owners("a").pop())
    assert sorted(forced(second, "c")) == sorted(folder.name for folder in c)
    assert {job.status for each in "bc" for job in world.home.service.history(each).jobs} == {"Stopped"}
    assert "may still run" in world.home.service.get("c").failure_reason
    until(lambda: world.owners("a") == {world.engine_of(second)}, "taken over")
    with pytest.raises(NotFound, match="lies on another machine .*: no server runs there at present"):
        world.home.service.log(name)
    with urllib.request.urlopen(f"{second.url}/console/training-jobs/{name}") as page:
        assert "lies on another machine" in page.read().decode()
    world.go.touch()
    back = world.server("first")
    said = next(line for line in back.process.stdout if "servers:" in line)
    assert f"{second.url} share the database" in said
    world.check_completed("a")

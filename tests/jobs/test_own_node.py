"""What a server does with training jobs of its own machine, and with those of another one that shares its database."""

from datetime import timedelta

import pytest

from alfine.core.errors import NotFound
from alfine.jobs.other_servers import OtherServers
from alfine.jobs.own_node import MARGIN, OwnNode
from alfine.runners.launch import Launch
from alfine.runners.protocol import LogPiece, Observation
from alfine.store.store import Store
from alfine.store.stored_keys import StoredKeys
from tests.store.silence import fall_silent

LEASH = timedelta(seconds=100)
SEEN = Observation(offset=5)
PIECE = LogPiece(data=b"log")


class Here:
    """The runner of this machine: it writes down what it is asked."""

    tells_news = True

    def __init__(self):
        self.asked = []

    def start(self, launch):
        self.asked.append(("start", launch.leash_seconds))

    def stop(self, launch):
        self.asked.append(("stop", launch.leash_seconds))

    def poll(self, launch, offset, counts):
        self.asked.append(("poll", launch.leash_seconds, offset, dict(counts)))
        return SEEN

    def log(self, launch, begin, most):
        self.asked.append(("log", begin, most))
        return PIECE

    def close(self):
        self.asked.append(("close",))


@pytest.fixture
def store(tmp_path):
    store = Store.at(tmp_path)
    yield store
    store.close()


@pytest.fixture
def runner():
    return Here()


@pytest.fixture
def own(store, runner):
    return OwnNode(runner, "here", store, LEASH, OtherServers(StoredKeys(store.database), "us-east-1"))


def launch(node):
    return Launch(tuning_job="job", name="job-001", node=node)


@pytest.mark.parametrize("node", ["here", None])
def test_one_of_its_own_is_run_here_on_a_leash(own, runner, node):
    mine = launch(node)
    own.start(mine)
    assert own.poll(mine, 3, {"loss": 2}) is SEEN
    own.stop(mine)
    assert own.log(mine, 1, 2) is PIECE
    own.close()
    assert runner.asked == [
        ("start", 100.0),
        ("poll", 100.0, 3, {"loss": 2}),
        ("stop", 100.0),
        ("log", 1, 2),
        ("close",),
    ]


def test_one_of_another_machine_is_neither_started_nor_stopped_here(own, runner):
    own.start(launch("there"))
    own.stop(launch("there"))
    assert runner.asked == []


def test_it_tells_news_where_its_runner_does(own, store):
    assert own.tells_news is True
    assert OwnNode(object(), "here", store, LEASH, None).tells_news is False


def test_one_of_another_machine_counts_as_lost_once_that_was_silent_beyond_the_leash(own, store):
    there = launch("there")
    assert own.poll(there, 3).exit.detail == "no server of its machine (there) has been heard of for an unknown time"
    store.beat("engine", "there", "http://127.0.0.1:1")
    assert own.poll(there, 3) == Observation(offset=3)
    fall_silent(store, span=LEASH + MARGIN - timedelta(seconds=30))
    assert own.poll(there, 3) == Observation(offset=3)
    fall_silent(store, span=LEASH + MARGIN + timedelta(seconds=1))
    lost = own.poll(there, 3)
    assert (lost.offset, lost.exit.cause) == (3, "lost")
    assert lost.exit.detail.startswith("no server of its machine (there) has been heard of for 2 min 4")


def test_the_log_of_one_of_another_machine_is_asked_for_from_a_server_there(own, store):
    away = "The log of job-001 lies on another machine (there): no server runs there at present."
    store.beat("elsewhere", "a third", "http://127.0.0.1:1")
    store.beat("without a server", "there")
    with pytest.raises(NotFound) as refused:
        own.log(launch("there"), 0, 10)
    assert str(refused.value) == away
    store.beat("engine", "there", "http://127.0.0.1:2")
    with pytest.raises(NotFound, match=r"\(there\): the server http://127.0.0.1:2 on its machine can't be asked"):
        own.log(launch("there"), 0, 10)

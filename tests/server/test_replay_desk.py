"""The desk of replays: a small one never waits for a large one, what nobody watches ends, results are kept."""

from __future__ import annotations

import itertools
import threading
import weakref

import pytest

from alfine.server import replay_desk
from alfine.server.replay_desk import MOST_OF_ONE, ReplayBusy, ReplayDesk, ReplayFailed, Watch

LONG = 60.0  # seconds: no test waits for it
ADA, BOB = Watch(owner="Ada", place=1), Watch(owner="Bob", place=1)


def endless(left: threading.Event, begun: threading.Event):
    """A replay that goes on until it is dropped."""
    begun.set()
    try:
        yield from itertools.count()
    finally:
        left.set()


def short(result, steps=3):
    yield from range(steps)
    return result


def failing():
    yield 1
    raise RuntimeError("no")


def wanted(key, steps, facts=3):
    return {key: (lambda: steps, facts)}


@pytest.fixture
def desk():
    return ReplayDesk()


@pytest.fixture
def left(desk):
    """Set when a large replay of Ada's, which is under way, has been dropped."""
    dropped, begun = threading.Event(), threading.Event()
    desk.ask(ADA, wanted("large", endless(dropped, begun), 10**9), LONG)
    assert begun.wait(LONG)
    yield dropped
    desk.ask(ADA, {}, LONG)


@pytest.mark.parametrize("watch", [BOB, Watch(owner="Ada", place=2)], ids=["another's", "one's own"])
def test_a_small_replay_is_there_while_a_large_one_goes_on(desk, left, watch):
    desk.ask(watch, wanted("small", short({"n": 1})), LONG)
    assert [state.result for state in desk.wait(["small"], LONG)] == [{"n": 1}]
    (large,) = desk.wait(["large"], 0)
    assert not large.ended
    assert not left.is_set()


def test_a_replay_that_nobody_watches_any_more_ends(desk, left):
    desk.ask(ADA, wanted("other", short({})), LONG)  # Ada's page shows something else now
    desk.wait(["other"], LONG)
    assert left.wait(LONG)


def test_a_replay_whose_page_is_left_ends_before_its_watch_runs_out(desk, left, monkeypatch):
    monkeypatch.setattr(replay_desk, "LEAVING_SECONDS", 0.0)
    desk.leave(ADA)
    assert left.wait(LONG / 4)


def test_a_replay_that_another_watches_goes_on(desk, left):
    desk.ask(BOB, wanted("large", iter(())), LONG)
    desk.ask(ADA, wanted("small", short({})), LONG)
    assert desk.wait(["small"], LONG)[0].ended
    assert not left.is_set()
    desk.ask(BOB, {}, LONG)


def test_a_watch_that_runs_out_ends_the_replay(desk):
    dropped, steps = threading.Event(), (number for number in itertools.count())
    weakref.finalize(steps, dropped.set)  # a replay that was dropped before its first step counts, too
    desk.ask(ADA, wanted("large", steps), 0.01)
    del steps
    assert dropped.wait(LONG)


def test_a_result_is_kept_for_whoever_asks_next(desk):
    assert desk.results("Ada", wanted("one", short({"n": 1}))) == [{"n": 1}]
    assert desk.results("Bob", wanted("one", failing())) == [{"n": 1}]


def test_a_replay_that_fails_is_told_and_harms_no_other(desk, caplog):
    with pytest.raises(ReplayFailed, match="log has the reason"):
        desk.results("Ada", {**wanted("bad", failing()), **wanted("good", short({"n": 2}))})
    assert "a replay failed" in caplog.text
    assert desk.results("Ada", wanted("good", iter(()))) == [{"n": 2}]


def test_nobody_has_more_than_a_number_under_way(desk, left):
    many = {number: (lambda: short({}), 3) for number in range(MOST_OF_ONE)}
    with pytest.raises(ReplayBusy):
        desk.ask(Watch(owner="Ada", place=2), many, LONG)
    assert len(desk.ask(BOB, many, LONG)) == MOST_OF_ONE

"""Tuning jobs that a server can't run at once: their code is gone, perhaps for a moment."""

import errno
import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa

from alfine import Continuous
from alfine.api.job_words import job_request
from alfine.core.read_spec import read_spec
from alfine.jobs import engine, failed_runs
from alfine.jobs.engine_pool import EnginePool
from alfine.jobs.home import Home
from alfine.jobs.lease_owner import new_owner
from alfine.jobs.ownership import Ownership
from alfine.jobs.standstill import standstill
from alfine.strategies.random import Random
from tests.cli.conftest import alfine_cli, until
from tests.store.damage import execute, refusing_to_give_back


@pytest.fixture
def home(tmp_path):
    with Home(tmp_path / "home") as opened:
        yield opened


@pytest.fixture
def engine_pool(home):
    engine_pool = EnginePool(home.engine())
    yield engine_pool
    engine_pool.leave(10)


def create(home, tmp_path):
    """A job whose script has been taken away since."""
    script = tmp_path / "train.py"
    script.write_text("print('loss=1')\n")
    words = {"metric": "loss", "strategy": "Random", "max_training_jobs": 2}
    home.service.create(job_request(name="gone", space={"x": Continuous(0, 1)}, script=script, **words))
    return script.rename(tmp_path / "away.py")


def test_it_goes_on_once_its_code_is_back(home, engine_pool, tmp_path):
    away = create(home, tmp_path)
    engine_pool.run("gone")
    assert home.service.get("gone").status == "InProgress"
    away.rename(tmp_path / "train.py")
    until(lambda: home.service.get("gone").status == "Completed", "completed")
    assert home.service.history("gone").launches == 2


def test_it_can_be_stopped_all_the_same(home, engine_pool, tmp_path):
    create(home, tmp_path)
    engine_pool.run("gone")
    home.service.request_stop("gone")
    until(lambda: home.service.get("gone").status == "Stopped", "stopped")


def test_a_fault_of_the_database_is_logged_and_the_job_goes_on_once_it_is_over(home, engine_pool, tmp_path, caplog):
    away = create(home, tmp_path)
    away.rename(tmp_path / "train.py")
    rename = "ALTER TABLE {} RENAME TO {}"
    execute(home.folder, rename.format("tuning_jobs", "lost"))
    engine_pool.run("gone")
    until(lambda: "the engine broke tuning_job=gone, trying again in 1 s" in caplog.text, "logged")
    assert "no such table: tuning_jobs" in caplog.text
    execute(home.folder, rename.format("lost", "tuning_jobs"))
    until(lambda: home.service.get("gone").status == "Completed", "completed")


def test_a_decision_for_which_there_is_too_little_memory_is_made_later(
    home, engine_pool, tmp_path, monkeypatch, caplog
):
    ask, failed = Random.ask, []

    def ask_with_little_memory(strategy, history):
        if failed:
            return ask(strategy, history)
        failed.append(MemoryError())
        raise failed[0]

    create(home, tmp_path).rename(tmp_path / "train.py")
    monkeypatch.setattr(Random, "ask", ask_with_little_memory)
    monkeypatch.setattr("alfine.jobs.engine_pool.FIRST_DELAY", 0.001)
    engine_pool.run("gone")
    until(lambda: home.service.get("gone").ended, "it has ended")
    assert home.service.get("gone").status == "Completed"
    assert "MemoryError" in caplog.text


def broken(monkeypatch, *errors):
    """Make the unpacking of code raise errors in turn; the returned list grows with each try."""
    tries = []

    def raise_it(*_, **__):
        tries.append(errors[len(tries) % len(errors)])
        raise tries[-1]

    monkeypatch.setattr("alfine.jobs.engine.programs_for", raise_it)
    monkeypatch.setattr("alfine.jobs.engine_pool.FIRST_DELAY", 0.001)
    return tries


def test_a_job_that_breaks_at_each_start_fails_with_the_reason_also_over_restarts(
    home, engine_pool, tmp_path, monkeypatch
):
    create(home, tmp_path).rename(tmp_path / "train.py")
    tries = broken(monkeypatch, TypeError("filter is an unexpected keyword"))
    for _ in range(3):  # an alfine of before failed as often, just now
        home.store.count_failed_run("gone", home.clock(), failed_runs.IN_A_ROW)
    engine_pool.run("gone")
    until(lambda: home.service.get("gone").status == "Failed", "failed")
    assert len(tries) == failed_runs.MOST_TRIES - 3
    assert home.service.get("gone").failure_reason == (
        "InternalServerError: alfine could not run this tuning job, 8 tries failed: TypeError: filter is an unexpected keyword."
    )
    assert "8 tries failed" in alfine_cli(home.folder, "describe", "gone").output


def test_failures_that_cannot_be_counted_are_logged_and_end_nothing(home, engine_pool, tmp_path, monkeypatch, caplog):
    create(home, tmp_path)
    broken(monkeypatch, TypeError("filter is an unexpected keyword"))
    refuse = (
        "CREATE TRIGGER refuse BEFORE UPDATE OF failed_tries ON tuning_jobs BEGIN SELECT RAISE(FAIL, 'refused'); END"
    )
    execute(home.folder, refuse)
    engine_pool.run("gone")
    until(lambda: "can't count the failures of tuning_job=gone" in caplog.text, "logged")
    execute(home.folder, "DROP TRIGGER refuse")
    until(lambda: home.service.get("gone").status == "Failed", "failed")


def test_failures_that_lie_far_apart_do_not_add_up(home, tmp_path):
    create(home, tmp_path)
    ago = home.clock() - 2 * failed_runs.IN_A_ROW
    assert [home.store.count_failed_run("gone", at, failed_runs.IN_A_ROW) for at in (ago, ago, home.clock())] == [
        1,
        2,
        1,
    ]


def test_what_may_come_back_is_waited_for_however_often_it_fails(home, engine_pool, tmp_path, monkeypatch):
    create(home, tmp_path).rename(tmp_path / "train.py")
    of_database = sa.exc.DataError("UPDATE", {}, ValueError("out of range"))
    tries = broken(monkeypatch, PermissionError(errno.EACCES, "the drive is locked"), of_database)
    monkeypatch.setattr("alfine.jobs.engine_pool.LONGEST_DELAY", 0.01)
    engine_pool.run("gone")
    until(lambda: len(tries) > 2 * failed_runs.MOST_TRIES, "tried again and again")
    assert home.service.get("gone").status == "InProgress"
    monkeypatch.undo()
    until(lambda: home.service.get("gone").status == "Completed", "completed")


def test_a_server_that_cannot_look_for_new_jobs_says_so_and_looks_again(home, engine_pool, tmp_path, caplog):
    engine_pool.run_all()
    execute(home.folder, "ALTER TABLE tuning_jobs RENAME TO lost")
    until(lambda: "can't look for new tuning jobs" in caplog.text, "logged")
    execute(home.folder, "ALTER TABLE lost RENAME TO tuning_jobs")
    create(home, tmp_path).rename(tmp_path / "train.py")
    until(lambda: home.service.get("gone").status == "Completed", "completed")


def test_a_new_job_that_cannot_be_offered_to_another_server_is_run_by_this_one(home, tmp_path):
    engine, other = home.engine(), Ownership(home.store, "another node")
    for number, ownership in enumerate((engine.ownership, other)):
        ownership.url = f"http://127.0.0.1:{number}"
        ownership.beat()
    pool = EnginePool(engine)
    for name in ("busy", "new"):
        words = {"metric": "loss", "strategy": "Random", "max_training_jobs": 1}
        home.service.create(job_request(name=name, space={"x": Continuous(0, 1)}, command=["true"], **words))
    engine.ownership.claim("busy")
    with refusing_to_give_back(home.folder):
        pool.run("new")
    until(lambda: home.service.get("new").ended, "it has ended")
    pool.leave(10)


def test_of_those_that_wait_two_are_opened_at_a_time_and_a_new_one_does_not_wait(home, engine_pool, monkeypatch):
    entered, may_go_on, programs_for = [], threading.Event(), engine.programs_for

    def held(spec, *arguments, **words):
        if spec.name.startswith("old"):
            entered.append(spec.name)
            may_go_on.wait()
        return programs_for(spec, *arguments, **words)

    def new(name):
        words = {"metric": "loss", "strategy": "Random", "max_training_jobs": 1}
        home.service.create(job_request(name=name, space={"x": Continuous(0, 1)}, command=["true"], **words))

    monkeypatch.setattr("alfine.jobs.engine.programs_for", held)
    monkeypatch.setattr("alfine.jobs.engine_pool.PATIENCE_SECONDS", 60.0)
    for number in range(4):
        new(f"old-{number}")
    engine_pool.run_all()
    until(lambda: len(entered) == 2, "two are being opened")
    new("fresh")
    engine_pool.run("fresh")
    until(lambda: home.service.get("fresh").ended, "the new one has ended")
    assert sorted(entered) == ["old-0", "old-1"]  # each in a thread of its own
    may_go_on.set()
    until(lambda: not home.store.unfinished(), "all have ended")


def test_as_long_as_it_runs_it_says_so_again_and_again(home, monkeypatch):
    monkeypatch.setattr("alfine.store.leases.HEARTBEAT_OF_SQLITE", timedelta(milliseconds=1))
    engine_pool = EnginePool(home.engine())
    engine_pool.run_all()
    first = home.store.engines()[0].seen_at
    until(lambda: home.store.engines()[0].seen_at > first, "heard again")
    engine_pool.leave(10)
    assert not home.store.engines()


def test_a_job_of_a_function_stands_still_while_only_a_server_has_tried_to_run_it(home):
    spec = read_spec(job_request(name="job", space={"x": Continuous(0, 1)}, function="module:name"))
    owner = new_owner()
    home.store.create(spec, home.clock())
    for url, stands_still in ((None, False), ("http://127.0.0.1:1", True)):
        home.store.beat(owner, "node", url)
        home.store.claim("job", owner, "node", lambda _: False)
        with home.store.reading() as connection:
            assert (standstill(connection, home.service.get("job"), spec) is not None) == stands_still


def test_who_runs_a_job_and_how_it_goes_on_when_nobody_does(home):
    command = read_spec(job_request(name="job", space={"x": Continuous(0, 1)}, command=["true"]))
    function = read_spec(job_request(name="job", space={"x": Continuous(0, 1)}, function="module:name"))
    home.store.create(command, home.clock())

    def told(spec):
        with home.store.reading() as connection:
            found = standstill(connection, home.service.get("job"), spec)
        return found and found.reason

    no_server = "Nobody runs this job: its home has no server. To go on, start `alfine serve`, or call `alfine tune` with its job file."
    of_function = (
        "Nobody runs this job: it tunes the Python function module:name. "
        "To go on, call alfine.tune with this function, name='job' and the same home."
    )
    owner = new_owner()
    host, _, started, place = owner.rsplit(":", 3)
    gone = f"{host}:{2**22 + 1}:{started}:{place}"  # a server whose process has ended: no process id is as large
    assert (told(command), told(function)) == (no_server, of_function)
    home.store.beat(gone, "node", "http://127.0.0.1:1")
    home.store.beat(f"{owner}0", "node", None)
    assert (told(command), told(function)) == (no_server, of_function)
    home.store.claim("job", owner, "node", lambda _: False)
    assert (told(command), told(function)) == (None, None)
    home.store.beat(owner, "node", "http://127.0.0.1:1")
    assert (told(command), told(function)) == (None, of_function)
    home.store.release("job", 1)
    assert (told(command), told(function)) == (None, of_function)
    home.store.force_end("job", home.clock(), "it hangs", None)
    assert (told(command), told(function)) == (None, None)

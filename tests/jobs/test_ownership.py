"""An engine that lost its tuning jobs while it was frozen or cut off lets go of them: it records, starts and stops nothing."""

import subprocess
import sys
from datetime import timedelta
from itertools import pairwise

import pytest

from alfine import Continuous
from alfine.api.job_words import job_request
from alfine.core.errors import Fenced, InUse, InvalidSpec, StorageFull
from alfine.jobs.home import Home
from alfine.jobs.lease_owner import is_alive, new_owner
from alfine.jobs.own_node import MARGIN
from alfine.jobs.ownership import MARGIN as MARGIN_OF_SILENCE
from alfine.jobs.ownership import Ownership
from alfine.store.placement import Placement
from alfine.store.store import Store
from tests.building import request
from tests.cli.conftest import until
from tests.store.damage import execute, refusing_to_give_back
from tests.store.silence import fall_silent

NEW_OWNER = "from alfine.jobs.lease_owner import new_owner; print(new_owner())"


@pytest.fixture
def homes(tmp_path, each_database):
    """Two alfines on one database and one folder of training jobs."""
    with Home(tmp_path / "home") as first, Home(tmp_path / "home") as second:
        yield first, second


def create(home, tmp_path):
    """A tuning job whose script writes each start of a training job into a file."""
    script = tmp_path / "train.py"
    script.write_text(
        f"import os, time\nopen({str(tmp_path / 'starts')!r}, 'a').write(os.environ['TRAINING_JOB_NAME'] + '\\n')\n"
        f"while not os.path.exists({str(tmp_path / 'go')!r}): time.sleep(0.01)\nprint('loss=1')\n"
    )
    words = {"metric": "loss", "strategy": "Random", "max_training_jobs": 3, "max_parallel": 2}
    home.service.create(job_request(name="job", space={"x": Continuous(0, 1)}, script=script, **words))


def starts(tmp_path):
    return sorted((tmp_path / "starts").read_text().split()) if (tmp_path / "starts").exists() else []


def test_an_engine_that_wakes_up_after_a_takeover_starts_and_stops_nothing(homes, tmp_path):
    first, second = (home.engine() for home in homes)
    create(homes[0], tmp_path)
    frozen = first.open("job")
    first.step(frozen)
    until(lambda: len(starts(tmp_path)) == 2, "both started")
    with pytest.raises(InUse, match="is being run by another alfine"):
        second.open("job")
    fall_silent(homes[0].store)
    run = second.open("job")
    second.step(run)
    homes[1].service.request_stop("job")
    with pytest.raises(Fenced):
        first.step(frozen)
    (tmp_path / "go").touch()
    second.close(run)
    second.run("job", grace_seconds=0)
    assert homes[0].service.get("job").status == "Stopped"
    names = [job.name for job in homes[0].service.history("job").jobs]
    assert starts(tmp_path) == sorted(names)


def test_what_was_read_of_a_log_is_not_read_again_by_the_next_engine(tmp_path):
    with Home(tmp_path) as home:
        home.service.create(request(command=["sh", "-c", "echo objective=1; exec sleep 60"]))
        first, second = home.engine(), home.engine()
        run = first.open("job")
        until(lambda: first.step(run) and run.history.job(1).reports, "its line is read")
        first.close(run)
        run = second.open("job")
        second.step(run)
        assert [report.value for report in run.history.job(1).reports] == [1.0]
        home.service.request_stop("job")
        second.run("job", grace_seconds=0)


def test_after_a_silence_an_engine_asks_before_it_acts(homes, tmp_path):
    now = [0.0]
    store = homes[0].store
    create(homes[0], tmp_path)
    first = Ownership(store, "node", lambda: now[0])
    engine = homes[0].engine()
    engine.ownership = first
    run = engine.open("job")
    now[0] += store.silence.total_seconds() / 2
    first.check(run)
    fall_silent(store)
    homes[1].engine().ownership.claim("job")
    first.check(run)  # nobody could have claimed it by the clock
    now[0] += store.silence.total_seconds()
    with pytest.raises(Fenced):
        first.check(run)
    assert first.claimable() == ()  # the others may have been cut off, too


def test_an_engine_that_leaves_hands_over_at_once(homes, tmp_path):
    create(homes[0], tmp_path)
    first, second = (home.engine().ownership for home in homes)
    with first.beating():
        first.claim("job")
        with pytest.raises(InUse):
            second.claim("job")
    assert [job.name for job in second.claimable()] == ["job"]
    assert second.claim("job") == 2


def test_a_heartbeat_that_fails_is_told_once_and_comes_again(tmp_path, caplog):
    store = Store.at(tmp_path)
    ownership = Ownership(store, "node", beat_seconds=0.01)
    with ownership.beating():
        until(store.engines, "beating")
        execute(tmp_path, "ALTER TABLE servers RENAME TO lost")
        until(lambda: "can't say in the store that this engine runs" in caplog.text, "told")
        execute(tmp_path, "ALTER TABLE lost RENAME TO servers")
        fall_silent(store)
        until(store.engines, "beating again")
    told = [each.getMessage() for each in caplog.records if "can't say in the store that this" in each.getMessage()]
    assert not [text for text, following in pairwise(told) if text == following]
    assert store.engines() == []
    store.close()


def test_an_engine_lives_as_long_as_its_process(tmp_path):
    mine = new_owner()
    assert is_alive(mine)
    host, pid, started, place = mine.rsplit(":", 3)
    assert not is_alive(f"{host}:{pid}:{int(started) + 1}:{place}")  # an earlier process had the same id
    waiting = subprocess.Popen([sys.executable, "-c", NEW_OWNER], stdout=subprocess.PIPE, text=True)
    other = waiting.stdout.readline().strip()  # it has ended, or is about to: nobody has read its exit code yet
    until(lambda: not is_alive(other), "its process has ended")
    waiting.communicate()


def test_what_could_not_be_given_back_is_given_back_with_a_later_heartbeat(tmp_path):
    with Home(tmp_path) as home:
        home.service.create(request(command=["true"]))
        ownership, other = Ownership(home.store, "node", beat_seconds=0.01), home.engine().ownership
        with ownership.beating():
            with refusing_to_give_back(tmp_path):
                with pytest.raises(StorageFull):
                    ownership.release("job", ownership.claim("job"))
                assert other.claimable() == []
            until(lambda: [job.name for job in other.claimable()] == ["job"], "given back")


def test_what_could_not_be_given_back_is_kept_once_it_is_claimed_again(tmp_path):
    with Home(tmp_path) as home:
        home.service.create(request(command=["true"]))
        ownership = Ownership(home.store, "node", beat_seconds=0.001)
        with refusing_to_give_back(tmp_path), pytest.raises(StorageFull):
            ownership.release("job", ownership.claim("job"))
        ownership.claim("job")
        with ownership.beating():
            for _ in range(2):
                fall_silent(home.store)
                until(home.store.engines, "a heartbeat")
            assert home.store.get("job").owner == ownership.engine


def test_servers_share_what_nobody_runs_and_offer_new_jobs_to_those_with_less_to_do(homes):
    first, second = (home.engine().ownership for home in homes)
    for number in range(5):
        homes[0].service.create(request(name=f"job-{number}", command=["true"]))
    assert first.share(first.claimable()) == 5  # it serves nobody, so it counts on nobody
    for ownership, url in ((first, "http://one"), (second, "http://two")):
        ownership.url = url
        ownership.beat()
    assert first.share(first.claimable()) == second.share(second.claimable()) == 3
    for number in range(3):
        first.claim(f"job-{number}")
    assert (first.share(first.claimable()), second.share(second.claimable())) == (0, 3)
    assert not second.leave_to_others("job-3")
    assert first.leave_to_others("job-3")
    assert [(job.name, job.is_new) for job in second.claimable()] == [("job-3", False), ("job-4", True)]


@pytest.fixture
def clocked(tmp_path):
    """An engine whose clock stands still, its home, and the clock, in a list; it owns one tuning job."""
    now = [100.0]
    with Home(tmp_path) as home:
        home.service.create(request(command=["true"]))
        engine = home.engine()
        engine.ownership = Ownership(home.store, "node", lambda: now[0])
        yield engine, home, now, engine.open("job")


def test_it_is_silent_two_seconds_before_others_may_take_over(clocked):
    engine, home, now, run = clocked
    patience = (home.store.silence - MARGIN_OF_SILENCE).total_seconds()
    assert patience == 28
    fall_silent(home.store)
    now[0] += patience
    engine.ownership.check(run)
    assert home.store.engines() == []  # it had no reason to say anything
    now[0] += 0.5
    engine.ownership.check(run)
    assert [each.node for each in home.store.engines()] == ["node"]


def test_after_a_silence_it_claims_nothing_for_two_heartbeats(clocked):
    engine, home, now, _ = clocked
    home.service.create(request(name="free", command=["true"]))

    def claimable():
        return [job.name for job in engine.ownership.claimable()]

    engine.ownership.beat()
    now[0] += 28
    engine.ownership.beat()  # in time
    assert claimable() == ["free"]
    now[0] += 28.5
    engine.ownership.beat()
    assert claimable() == []
    now[0] += 2 * home.store.heartbeat.total_seconds() - 0.5
    engine.ownership.beat()
    assert claimable() == []
    now[0] += 0.5
    assert claimable() == ["free"]


def test_a_claim_that_another_engine_has_is_refused_with_its_name(clocked):
    engine, home, *_ = clocked
    other = Ownership(home.store, "another node")
    told = f"tuning job job is being run by another alfine ({engine.ownership.engine}). Wait, or stop it."
    with pytest.raises(InUse) as refused:
        other.claim("job")
    assert str(refused.value) == told
    engine.ownership.release("job", 0)  # there is no claim of this epoch
    with pytest.raises(InUse):
        other.claim("job")
    engine.ownership.release("job", 1)
    assert other.claim("job") == 2


def test_blocks_that_say_that_it_runs_may_overlap(tmp_path):
    store = Store.at(tmp_path)
    ownership = Ownership(store, "node", beat_seconds=0.001)
    with ownership.beating():
        with ownership.beating():
            until(store.engines, "heard")
        fall_silent(store)
        until(store.engines, "heard again, since the first block is open")
    assert store.engines() == []
    with ownership.beating():
        until(store.engines, "heard once more")
    store.close()


def test_without_other_machines_no_training_job_runs_elsewhere(clocked):
    engine, home, _, run = clocked
    other = Ownership(home.store, "another node")
    other.url = "http://127.0.0.1:1"
    other.beat()
    engine.step(run)
    home.store.place("job", run.history.job(1).name, Placement(node="another node"))
    assert list(engine.ownership.elsewhere()) == []
    home.force_stop("job")


def test_an_engine_that_has_said_nothing_yet_takes_all_and_offers_nothing(homes):
    first, second = (home.engine().ownership for home in homes)
    for number in range(3):
        homes[0].service.create(request(name=f"job-{number}", command=["true"]))
    second.url = "http://two"
    second.beat()
    assert first.share(second.claimable()) == 3
    assert not first.leave_to_others("job-0")
    first.url = "http://one"
    assert first.share(second.claimable()) == 3
    assert not first.leave_to_others("job-0")
    first.beat()
    assert first.share(second.claimable()) == 2
    assert not first.leave_to_others("job-0")  # equally many


def test_of_two_servers_with_buckets_of_their_own_that_start_at_once_one_is_refused(tmp_path, postgres_url):
    with Home(tmp_path / "one", store=postgres_url) as one, Home(tmp_path / "two", store=postgres_url) as two:
        for home in (one, two):
            home.refuse_own_buckets()  # neither knows of the other
        one.announce("http://one")
        told = r"buckets in .*two, which another server of this database \(http://one\) doesn't have"
        with pytest.raises(InvalidSpec, match=told):
            two.announce("http://two")
        assert [server.url for server in one.store.engines()] == ["http://one"]


def test_a_training_job_of_a_silent_node_is_lost_once_its_leash_has_run_out(tmp_path, postgres_url):
    with Home(tmp_path / "one", store=postgres_url) as one, Home(tmp_path / "two", store=postgres_url) as two:
        create(one, tmp_path)
        first = one.engine()
        run = first.open("job")
        first.step(run)
        until(lambda: len(starts(tmp_path)) == 2, "both started")
        fall_silent(one.store)
        second = two.engine()
        taken = second.open("job")
        second.step(taken)
        assert [job.status for job in taken.history.running.values()] == ["InProgress"] * 2
        leash = timedelta(seconds=two.config.run.leash_seconds)
        fall_silent(one.store, span=leash + MARGIN)
        second.step(taken)
        ended = [job for job in two.service.history("job").jobs if job.status == "Failed"]
        assert len(ended) == 2
        assert "no server of its machine" in ended[0].failure_reason
        (tmp_path / "go").touch()
        second.close(taken)
        second.run("job")
    assert len(starts(tmp_path)) == len(set(starts(tmp_path))) == 3

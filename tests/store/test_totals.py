"""What a store counts for monitoring, on each database."""

import pytest

from alfine.core.facts import Ended, Launched, Started
from alfine.store.store import Store
from alfine.store.totals import reserved_training_jobs, totals
from tests.building import at, spec


@pytest.fixture
def store(database_url):
    store = Store(database_url)
    yield store
    store.close()


def counted(store):
    with store.reading() as connection:
        return totals(connection, store.silence)


def test_jobs_are_counted_by_status_and_those_that_wait(store):
    values = {"eta": 0.5, "depth": 1, "booster": "dart"}
    for name in ("a", "b"):
        job = store.create(spec(name=name, max_parallel=3), at(0)).id
        launched = [Launched(at=at(1), number=n, name=f"{name}-{n}", hyperparameters=values) for n in (1, 2)]
        store.record(job, 0, [*launched, Started(at=at(2), number=1)])
    store.record(job, 3, [Ended(at=at(3), number=1, status="Failed", objective=None, failure_reason="x")])
    store.finish("b", "Failed", at(4))
    found = counted(store)
    assert {status: count for status, count in found.tuning_jobs.items() if count} == {"InProgress": 1, "Failed": 1}
    assert {status: count for status, count in found.training_jobs.items() if count} == {"InProgress": 3, "Failed": 1}
    assert found.waiting_training_jobs == 2
    with store.reading() as connection:
        assert reserved_training_jobs(connection) == 3


def test_a_tuning_job_is_unowned_until_a_living_engine_claims_it(store):
    store.create(spec(), at(0))
    assert (counted(store).unowned_tuning_jobs, counted(store).engines) == (1, 0)
    assert store.claim("job", "engine", "here", lambda _: True) == 1
    found = counted(store)
    assert (found.unowned_tuning_jobs, found.engines) == (0, 1)
    assert 0 <= found.oldest_heartbeat_seconds < store.silence.total_seconds()
    store.leave("engine")
    assert counted(store).unowned_tuning_jobs == 1

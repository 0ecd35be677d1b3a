"""A node may remove the folders of training jobs whose ends are recorded, and of those that were deleted."""

from alfine.core.facts import Ended, Launched
from alfine.jobs.recorded_ends import recorded_ends
from alfine.store.store import Store
from tests.building import at, spec
from tests.store.damage import execute


def test_folders_go_of_what_has_ended_or_was_deleted_and_none_while_nobody_can_tell(tmp_path):
    store = Store.at(tmp_path)
    job = store.create(spec(max_parallel=3), at(0)).id
    values = {"eta": 0.5, "depth": 1, "booster": "dart"}
    launched = [Launched(at=at(1), number=n, name=f"job-{n}", hyperparameters=values) for n in (1, 2)]
    end = Ended(at=at(2), number=1, status="Failed", objective=None, failure_reason="x")
    store.record(job, 0, [*launched, end])
    over = [("job", "job-1"), ("job", "job-1.algo-2"), ("deleted", "deleted-1")]
    assert recorded_ends(store, [*over, ("job", "job-2"), ("job", "job-2.algo-2")]) == over
    execute(tmp_path, "ALTER TABLE training_jobs RENAME TO lost")
    assert recorded_ends(store, over) == []
    store.close()

"""What SQL answers is what the history would."""

import random

import pytest

from alfine import queries
from alfine.core.history import Launched
from alfine.criteria.plateau import NOTHING, counted, not_improving
from alfine.queries import Page
from alfine.store import Store, training_jobs
from tests.building import at, history, one_job, spec


@pytest.fixture(params=["Minimize", "Maximize"])
def recorded(tmp_path, request):
    """A store with a tuning job of 40 training jobs, some failed, many equal; and the same as a history."""
    store, past = Store.at(tmp_path), history(goal=request.param)
    job = store.create(spec(goal=request.param), at(0))
    draw = random.Random(3)
    for _ in range(40):
        objective = draw.choice([None, 1.0, 2.0, 3.0, draw.random() * 4])
        status = "Failed" if objective is None else draw.choice(["Completed", "Stopped"])
        facts = one_job(past, objective, status=status)
        for fact in facts:
            past.record(fact)
        store.record(job.id, len(past.facts) - len(facts), facts, texts=job.spec().space.to_text)
    running = one_job(past, None)[:1]
    store.record(job.id, len(past.facts), running, texts=job.spec().space.to_text)
    past.record(running[0])
    yield store, job, past
    store.close()


def test_counters_count_every_training_job_once(recorded):
    store, job, past = recorded
    with store.reading() as connection:
        counts = queries.counts(connection, [job.id, 99])
    statuses = [each.status for each in past.jobs]
    named = {"Completed": "Completed", "Stopped": "Stopped", "Failed": "NonRetryableError", "InProgress": "InProgress"}
    assert {status: counts[job.id].statuses[name] for status, name in named.items()} == {
        status: statuses.count(status) for status in named
    }
    assert counts[job.id].objectives == {
        status: [each.objective_status for each in past.jobs].count(status)
        for status in ("Succeeded", "Pending", "Failed")
    }
    assert sum(counts[99].statuses.values()) == 0


def test_the_best_is_the_incumbent(recorded):
    store, job, past = recorded
    with store.reading() as connection:
        assert queries.best(connection, job.id, minimise=past.sign > 0).number == past.incumbent.number


@pytest.mark.parametrize("cut", [0, 17, 40])
def test_the_count_of_objectives_that_do_not_improve_goes_on_from_any_fact(recorded, cut):
    store, job, past = recorded
    with store.reading() as connection:
        first = queries.objectives_after(connection, job.id, 0)[:cut]
        rest = queries.objectives_after(connection, job.id, first[-1][0] if first else 0)
    state = NOTHING
    for _, objective in [*first, *rest]:
        state = state if objective is None else counted(state, past.sign * objective)
    assert (len(first) + len(rest), state[1]) == (past.ended, not_improving(past))


@pytest.mark.parametrize("sort", ["name", "status", "number", "objective", "created_at"])
@pytest.mark.parametrize("descending", [False, True])
def test_pages_follow_each_other_without_gap_or_repeat(recorded, sort, descending):
    store, job, past = recorded
    seen, after = [], None
    with store.reading() as connection:
        while True:
            page = Page(sort, descending, 7, after)
            rows = queries.training_job_page(connection, page, [training_jobs.c.tuning_job == job.id])
            seen += rows
            if len(rows) < 7:
                break
            after = (getattr(rows[-1], sort), rows[-1].name)
    keys = [(getattr(row, sort), row.name) for row in seen]
    assert keys == sorted(keys, reverse=descending)
    wanted = [each for each in past.jobs if sort != "objective" or each.objective is not None]
    assert sorted(row.name for row in seen) == sorted(each.name for each in wanted)


def test_a_page_stays_where_it_is_while_training_jobs_come(recorded):
    store, job, past = recorded
    mine = [training_jobs.c.tuning_job == job.id]
    with store.reading() as connection:
        first = queries.training_job_page(connection, Page("name", descending=False, size=5), mine)
    early = Launched(at=past.now, number=42, name="job-0000", hyperparameters=past.spec.space.sample(past.rng(1)))
    store.record(job.id, len(past.facts), [early], texts=job.spec().space.to_text)
    with store.reading() as connection:
        after = (first[-1].name, first[-1].name)
        second = queries.training_job_page(connection, Page("name", descending=False, size=5, after=after), mine)
    assert [row.name for row in second] == [f"job-{number:03d}" for number in range(6, 11)]

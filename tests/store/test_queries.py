"""What SQL answers is what the history would."""

import math
import random
from dataclasses import replace
from functools import partial

import pytest
import sqlalchemy as sa

from alfine.core.facts import Launched
from alfine.core.read_spec import read_spec
from alfine.criteria.plateau import NOTHING, counted, not_improving
from alfine.store import metrics, queries
from alfine.store.conditions import TUNING_JOBS, has_tag
from alfine.store.counters import counters_of
from alfine.store.pages import Page, training_job_page, tuning_job_page
from alfine.store.records import Record
from alfine.store.schema import training_jobs, tuning_jobs
from alfine.store.store import Store
from alfine.store.training_times import recorded_at, training_times
from alfine.store.webhook_cursors import WebhookCursors
from tests.building import at, history, one_job, spec


@pytest.fixture(params=["Minimize", "Maximize"])
def recorded(database_url, request):
    """A store with a tuning job of 40 training jobs, some failed, many equal; and the same as a history."""
    store, past = Store(database_url), history(goal=request.param)
    job = store.create(spec(goal=request.param), at(0))
    draw = random.Random(3)
    for _ in range(40):
        objective = draw.choice([None, 1.0, 2.0, 3.0, draw.random() * 4, draw.choice([math.inf, -math.inf])])
        status = draw.choice(["Completed", "Failed"] if objective is None else ["Completed", "Stopped"])
        facts = one_job(past, objective, status=status)
        for fact in facts:
            past.record(fact)
        store.record(job.id, len(past.facts) - len(facts), facts, texts=job.spec().texts)
    running = one_job(past, None)[:1]
    store.record(job.id, len(past.facts), running, texts=job.spec().texts)
    past.record(running[0])
    yield store, job, past
    store.close()


def test_counters_count_every_training_job_once(recorded):
    store, job, past = recorded
    with store.reading() as connection:
        counts = counters_of(connection, [job.id, 99])
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


def test_a_failure_of_alfine_itself_is_counted_as_one_that_may_be_tried_again(recorded):
    store, job, past = recorded
    *begun, ended = one_job(past, None, status="Failed")
    failed = replace(ended, failure_reason="InternalServerError: its supervisor was killed")
    with store.reading() as connection:
        before = counters_of(connection, [job.id])[job.id].statuses
    store.record(job.id, len(past.facts), [*begun, failed])
    with store.reading() as connection:
        after = counters_of(connection, [job.id])[job.id].statuses
    assert after == {**before, "RetryableError": before["RetryableError"] + 1}


def test_a_training_job_that_has_not_begun_has_taken_no_time(database_url):
    store = Store(database_url)
    job = store.create(spec(), at(0))
    store.record(job.id, 0, one_job(history(), None)[:1], texts=job.spec().texts)
    with store.reading() as connection:
        (time,) = training_times(connection, job.id, at(60))
    assert (time.ended, time.running) == (0.0, 0.0)
    store.close()


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
            rows = training_job_page(connection, page, [training_jobs.c.tuning_job == job.id])
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
        first = training_job_page(connection, Page("name", descending=False, size=5), mine)
    early = Launched(at=past.now, number=42, name="job-0000", hyperparameters=past.spec.space.sample(past.rng(1)))
    store.record(job.id, len(past.facts), [early], texts=job.spec().texts)
    with store.reading() as connection:
        after = (first[-1].name, first[-1].name)
        second = training_job_page(connection, Page("name", descending=False, size=5, after=after), mine)
    assert [row.name for row in second] == [f"job-{number:03d}" for number in range(6, 11)]


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    store = Store.at(tmp_path_factory.mktemp("empty"))
    yield store
    store.close()


WITHIN = {"name": "a", "status": "Completed", "number": 3, "objective": 1.5}
OVERALL = {"name": "a", "status": "Completed", "created_at": at(3), "modified_at": at(3)}
FAILED = {"name": "a", "created_at": at(3)}  # with a status given, they are sorted by it as they are by name
LISTS = {
    "of one tuning job": (training_job_page, WITHIN, [training_jobs.c.tuning_job == 1]),
    "of all": (training_job_page, OVERALL, []),
    "of all that failed": (training_job_page, FAILED, [training_jobs.c.status == "Failed"]),
    "of tuning jobs": (tuning_job_page, OVERALL, []),
}
PAGES = [(which, sort) for which, (_, sorts, _) in LISTS.items() for sort in sorts]


@pytest.mark.parametrize(("which", "sort"), PAGES, ids=[f"{sort}-{which}" for which, sort in PAGES])
@pytest.mark.parametrize("descending", [False, True])
def test_an_index_leads_to_every_page(empty, which, sort, descending):
    """So that a page costs the same however many there are: nothing is sorted, and no row before the page is looked at."""
    function, sorts, conditions = LISTS[which]
    for after in (None, (sorts[sort], "a")):
        page = Page(sort, descending, 10, after)
        plan = plan_of(empty, partial(function, page=page, conditions=conditions))
        assert not [step for step in plan if "TEMP B-TREE" in step], plan
        assert not [step for step in plan if step.startswith("SCAN") and "INDEX" not in step], plan
        assert after is None or [step for step in plan if "<" in step or ">" in step], plan


@pytest.mark.parametrize("find", [queries.training_job_in_any_case, queries.tuning_job_id])
def test_an_index_leads_to_a_name_in_letters_of_any_case(empty, find):
    def look(connection):
        with pytest.raises(LookupError):
            find(connection, "Some-Name")

    plan = plan_of(empty, look)
    assert [step for step in plan if "_by_any_case" in step and "<expr>=?" in step], plan


def plan_of(store, ask):
    """SQLite's plan of the one query that `ask` makes of a connection."""
    asked = []
    with store.reading() as connection:
        sa.event.listen(connection, "before_cursor_execute", lambda *words: asked.append(words[2:4]))
        ask(connection)
        return [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {asked[0][0]}", asked[0][1])]


def test_a_tuning_job_that_stands_for_a_training_job_is_in_no_list(tmp_path):
    from alfine.core.single_training_job import tuning_job_of

    store = Store.at(tmp_path)
    asked = {"TrainingJobName": "lone", "AlgorithmSpecification": {"TrainingImage": "image"}}
    hooks = WebhookCursors(store.database)
    hooks.claim("https://example.org", "me", at(0), at(9), lambda _: True)
    job = store.create(read_spec(tuning_job_of(asked, at(0))), at(0))
    assert [behind.tuning_job for behind in hooks.behind("https://example.org")] == [job.id], "a webhook hears of it"
    with store.reading() as connection:
        assert tuning_job_page(connection, Page("name", descending=False, size=5), []) == []
        row = queries.training_job(connection, "lone")
        assert (row.status, row.listed, row.tuning_job_name[:6]) == ("InProgress", False, "@lone-")
        with pytest.raises(LookupError):
            queries.state(connection, row.tuning_job_name)
        assert connection.execute(sa.select(tuning_jobs.c.facts)).scalar() == 1
    store.close()


def test_a_tag_is_looked_for_in_its_own_job_alone(tmp_path):
    store = Store.at(tmp_path)
    for number, (name, words) in enumerate(
        {"one": {"team": "a"}, "two": {"team": "b", "cost": "a"}, "three": {}}.items()
    ):
        store.tag(store.create(spec(name=name), at(number)).id, 0, words)

    def named(*tag):
        query = sa.select(tuning_jobs.c.name).where(has_tag(TUNING_JOBS, *tag)).order_by(tuning_jobs.c.id)
        with store.reading() as connection:
            return connection.scalars(query).all()

    assert (named("team"), named("team", "a"), named("cost"), named("cost", "b")) == (
        ["one", "two"],
        ["one"],
        ["two"],
        [],
    )
    store.close()


def test_reported_values_are_those_of_their_own_training_job(tmp_path):
    store, past = Store.at(tmp_path), history()
    job = store.create(spec(), at(0))
    for reports in ([1.0, 2.0], [3.0], [4.0, 5.0, 6.0]):
        facts = one_job(past, reports[-1], reports=reports)
        store.record(job.id, store.get("job").facts, facts, texts=job.spec().texts)
        for fact in facts:
            past.record(fact)
    with store.reading() as connection:
        found = [metrics.reports(connection, job.id, number, 2) for number in (1, 2, 3)]
        name = past.spec.metric
        values = [metrics.metric_values(connection, job.id, number, name, (at(0), at(99))) for number in (1, 2, 3)]
    assert [[value for _, value in each] for each in values] == [[1.0, 2.0], [3.0], [4.0, 5.0, 6.0]]
    assert found == [{name: [(1, 1.0), (2, 2.0)]}, {name: [(1, 3.0)]}, {name: [(2, 5.0), (3, 6.0)]}]
    store.close()


def test_the_facts_of_an_imported_job_are_numbered_from_one(tmp_path):
    store, past = Store.at(tmp_path), history([1.0, 2.0])
    record = Record(spec=past.spec, created_at=at(0), ended_at=past.now, status="Completed", facts=tuple(past.facts))
    job = store.load(record)
    with store.reading() as connection:
        numbers = connection.execute(sa.select(training_jobs.c.created_fact, training_jobs.c.ended_fact)).all()
    assert (min(map(min, numbers)), max(map(max, numbers))) == (1, job.facts)
    store.close()


def test_a_tuning_job_was_changed_last_when_one_of_its_training_jobs_was(recorded):
    store, job, _ = recorded
    with store.reading() as connection:
        changed = [row.modified_at for row in queries.training_jobs_of(connection, job.id)]
        assert recorded_at(connection, job.id) == max(changed)


def test_the_latest_reasons_of_failures_are_those_of_the_tuning_job(recorded):
    store, job, past = recorded
    other, (launched, *ends) = store.create(spec(name="other"), at(0)), one_job(history(), None, status="Failed")
    store.record(other.id, 0, [replace(launched, name="other-001"), *ends], texts=other.spec().texts)
    failed = [each for each in past.jobs if each.status == "Failed"]
    with store.reading() as connection:
        found = queries.failure_reasons(connection, job.id, 3)
    assert found == [(each.name, each.failure_reason) for each in failed[:-4:-1]]

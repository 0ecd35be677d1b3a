"""The tables of training jobs and tuning jobs, by SQL, are what sorting and filtering in Python would make of them."""

import json
import random
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from alfine.core import cost
from alfine.core.history import History
from alfine.core.read_spec import read_spec
from alfine.core.verdict import Outlook, Verdict
from alfine.store.schema import tuning_jobs
from alfine.store.store import Store
from alfine.store.training_job_table import Comparison, TableColumn, TableSelection, TrainingJobTable
from alfine.store.tuning_job_table import TuningJobSelection, selected_tuning_jobs, tuning_job_count
from tests.building import at, history, one_job, several, spec

NUMBER = TableColumn("number", "number", numeric=True)
OBJECTIVE = TableColumn("objective", "objective", numeric=True)
DURATION = TableColumn("duration", "duration", numeric=True)
ETA = TableColumn("eta", "hyperparameter", numeric=True, hyperparameter="eta")


@pytest.fixture
def store(database_url):
    opened = Store(database_url)
    yield opened
    opened.close()


def recorded(store, name, objectives, goal="Minimize"):
    """Record a tuning job whose training jobs have these objectives; None is one that failed. Return its id and its jobs."""
    past = history(goal=goal)
    job = store.create(spec(goal=goal, name=name), at(0))
    for objective in objectives:
        launched, *facts = one_job(past, objective, status="Completed" if objective is not None else "Failed")
        facts.insert(0, replace(launched, name=f"{name}-{launched.number:03d}"))
        for fact in facts:
            past.record(fact)
        store.record(job.id, len(past.facts) - len(facts), facts, texts=job.spec().texts)
    return job.id, past.jobs


def test_training_jobs_are_sorted_filtered_and_placed(store):
    draw = random.Random(2)
    job, jobs = recorded(store, "a", [None if draw.random() < 0.2 else round(draw.random(), 1) for _ in range(40)])
    eta = {each.number: each.hyperparameters["eta"] for each in jobs}
    with store.reading() as connection:
        table = TrainingJobTable(connection, job, at(10_000))
        for descending in (False, True):
            found = table.numbers(TableSelection(sort=ETA, descending=descending))
            assert found == sorted(eta, key=eta.__getitem__, reverse=descending)
            sign = -1 if descending else 1
            ranked = sorted(jobs, key=lambda each: (each.objective is None, sign * (each.objective or 0), each.number))
            selection = TableSelection(sort=OBJECTIVE, descending=descending)
            assert table.numbers(selection) == [each.number for each in ranked]
            assert [row.number for row in table.page(selection, 7, 14)] == [each.number for each in ranked[14:21]]
            place = table.place(selection, ranked[3].name)
            assert place == (4, 40, ranked[2].name, ranked[4].name)
        half = sorted(eta.values())[20]
        for operator, chosen in (("<", {n for n in eta if eta[n] < half}), (">=", {n for n in eta if eta[n] >= half})):
            selection = TableSelection(sort=NUMBER, comparisons=[Comparison(ETA, operator, half)])
            assert set(table.numbers(selection)) == chosen
            assert table.count(selection) == len(chosen)
        failed = [each.number for each in jobs if each.objective is None]
        assert table.numbers(TableSelection(sort=NUMBER, statuses=["Failed"])) == failed
        assert table.numbers(TableSelection(sort=NUMBER, texts=["IT BROKE"])) == failed
        assert table.numbers(TableSelection(sort=NUMBER, texts=["IT_BROKE"])) == []
        text = str(eta[5])
        assert 5 in table.numbers(TableSelection(sort=NUMBER, texts=[text]))
        assert table.numbers(TableSelection(sort=NUMBER, texts=["100 %_x"])) == []
        assert table.place(TableSelection(sort=NUMBER, texts=["nothing"]), jobs[0].name) is None
        assert sorted(table.numbers(TableSelection(sort=DURATION))) == [each.number for each in jobs]


def test_tuning_jobs_are_found_by_texts_and_tags_and_sorted(store):
    best = {"low": [3.0, 1.0], "high": [2.0, 9.0, None], "none": []}
    ids = {
        name: recorded(store, name, values, goal="Maximize" if name == "high" else "Minimize")[0]
        for name, values in best.items()
    }
    store.tag(ids["low"], 0, {"alfine:price-per-hour": "0.5"})
    store.tag(ids["high"], 0, {"team": "Vision", "alfine:seed": "7"})
    with store.reading() as connection:

        def names(**words):
            selection = TuningJobSelection(**words)
            found = [job.name for job in selected_tuning_jobs(connection, selection, 9, 0, at(0) + timedelta(hours=1))]
            assert tuning_job_count(connection, selection) == len(found)
            return found

        assert names(sort="best") == ["high", "low", "none"]
        assert names(sort="best", descending=False) == ["low", "high", "none"]
        assert names(sort="training_jobs") == ["high", "low", "none"]
        assert names(sort="name", descending=False) == ["high", "low", "none"]
        for sort in ("created", "changed", "status", "duration", "verdict"):
            assert sorted(names(sort=sort)) == ["high", "low", "none"]
        assert names(sort="cost") == ["low", "high", "none"]  # only one has a price
        assert names(sort="cost", descending=False) == ["low", "high", "none"]
        assert names(tags=[("team", None)]) == names(tags=[("team", "Vision")]) == names(texts=["vision"]) == ["high"]
        assert names(texts=["O", "w"]) == ["low"]
        assert names(texts=["seed"]) == names(tags=[("team", "other")]) == names(statuses=["Failed"]) == []


def test_tuning_jobs_are_sorted_by_their_cost_and_by_what_ended_them(store):
    """The costs are those of core/cost.py: training time, times instances, times the price."""
    money = {"price_per_hour": 1.0}
    asked = {
        "parts": read_spec(several({}, {"instances": 4}, name="parts", **money)),
        "two": spec(name="two", instances=2, **money),
        "one": spec(name="one", price_per_hour=0.1),
        "free": spec(name="free"),
        "idle": spec(name="idle", **money),
    }
    seconds = {"parts": [2.0], "two": [2.0, 1.0], "one": [5.0], "free": [100.0], "idle": []}
    spent = {}
    for name, each in asked.items():
        job, past = store.create(each, at(0)), History(each, at(0))
        for number, took in enumerate(seconds[name]):
            facts = one_job(past, 1.0, seconds=took, definition="b" if each.parts else None)
            facts[0] = replace(facts[0], name=f"{name}-{number}")
            for fact in facts:
                past.record(fact)
            store.record(job.id, len(past.facts) - len(facts), facts, texts=job.spec().texts)
        spent[name] = cost.spent(past).money
    with store.database.writing() as connection:
        for name, criterion in (("one", "MaxCost"), ("two", "ConvergenceDetected")):
            values = {
                "verdict": json.dumps(
                    Verdict(outlook=Outlook.STOP, criterion=criterion, sentence="It ended.").as_dict()
                ),
                "ended_at": at(9),
            }
            connection.execute(sa.update(tuning_jobs).where(tuning_jobs.c.name == name).values(values))
    with store.reading() as connection:

        def names(sort, *, descending):
            selection = TuningJobSelection(sort=sort, descending=descending)
            return [job.name for job in selected_tuning_jobs(connection, selection, 9, 0, at(100))]

        assert spent["parts"] > spent["two"] > spent["one"]
        assert names("cost", descending=True) == ["parts", "two", "one", "free", "idle"]
        assert names("cost", descending=False) == ["one", "two", "parts", "free", "idle"]
        assert names("verdict", descending=False) == ["two", "one", "idle", "free", "parts"]

"""The table of training jobs: filtered, sorted and cut into pages by the server, with its whole state in the address."""

import csv
import html
import io
import json
import re
from urllib.parse import urlencode

import pytest

import alfine
from alfine import Categorical, Continuous, Integer

SPACE = {
    "lr": Continuous(0.001, 1),
    "batch": Integer(1, 4),
    "booster": Categorical(["gbtree", "dart", "bad"]),
    'a "b': Integer(1, 9),
}


def program(values):
    if values["booster"] == "bad":
        raise ValueError("<i>no</i> such booster")
    return values["lr"] + values["batch"]


@pytest.fixture(scope="module")
def rows(served, sagemaker):
    """The training jobs of «table», by number: what AWS's clients are told."""
    words = {"metric": "loss", "strategy": "Random", "max_training_jobs": 56, "max_parallel": 4, "progress": False}
    alfine.tune(program, SPACE, name="table", home=served.home, seed=1, **words)
    listed = sagemaker.get_paginator("list_training_jobs_for_hyper_parameter_tuning_job")
    pages = listed.paginate(HyperParameterTuningJobName="table", SortBy="CreationTime", SortOrder="Ascending")
    return dict(enumerate((row for page in pages for row in page["TrainingJobSummaries"]), 1))


@pytest.fixture
def numbers(visitor, rows):
    """Return the numbers that the table shows with a query, page after page."""

    def shown(query):
        found, address = [], f"/console/tuning-jobs/table/training-jobs?{query}"
        while address:
            page = visitor.get(address.replace(" ", "%20").replace("<", "%3C").replace(">", "%3E").replace('"', "%22"))
            assert page.status == 200, page.text
            body = page.body.partition('<tbody id="rows"')[2].partition("</tbody>")[0]
            found += [int(number) for number in re.findall(r'title="[^"]*">(\d+)</a></th>', body)]
            following = re.search(r'href="(\?[^"]*)" rel="next"', page.body)
            address = following and f"/console/tuning-jobs/table/training-jobs{html.unescape(following[1])}"
        return found

    return shown


def value(row, name):
    return row["TunedHyperParameters"][name]


def test_conditions_on_hyperparameters_the_objective_and_texts_choose_rows(numbers, rows):
    def chosen(condition):
        return [number for number, row in rows.items() if condition(row)][::-1]

    assert numbers("") == [*range(56, 0, -1)]
    assert numbers("filter=lr<0.5 batch>=3") == chosen(
        lambda row: float(value(row, "lr")) < 0.5 and int(value(row, "batch")) >= 3
    )
    assert numbers("filter=0.2<lr<=0.4") == chosen(lambda row: 0.2 < float(value(row, "lr")) <= 0.4)
    assert numbers("filter=booster=DART") == chosen(lambda row: value(row, "booster") == "dart")
    assert numbers("filter=loss<2.5") == chosen(
        lambda row: row.get("FinalHyperParameterTuningJobObjectiveMetric", {"Value": 9})["Value"] < 2.5
    )
    failed = chosen(lambda row: row["TrainingJobStatus"] == "Failed")
    assert numbers("status=Failed") == numbers("filter=status=failed") == numbers('filter="such booster"') == failed
    assert failed
    assert numbers("filter=gbtr") == chosen(lambda row: value(row, "booster") == "gbtree")
    # Texts are looked for in values and reasons, not in names of hyperparameters.
    assert numbers("filter=booster") == failed
    assert numbers("filter=batch=2&status=Completed&sort=lr") == sorted(
        (n for n, row in rows.items() if row["TrainingJobStatus"] == "Completed" and value(row, "batch") == "2"),
        key=lambda number: float(value(rows[number], "lr")),
    )


def test_any_column_sorts_and_what_has_no_value_comes_last(numbers, rows):
    def by(key, *, reverse=False):
        return sorted(rows, key=lambda number: key(rows[number]), reverse=reverse)

    assert numbers("sort=lr") == by(lambda row: float(value(row, "lr")))
    assert numbers("sort=lr&order=descending") == by(lambda row: float(value(row, "lr")), reverse=True)
    assert numbers("sort=booster") == by(lambda row: value(row, "booster"))
    assert numbers("sort=a+%22b") == by(lambda row: int(value(row, 'a "b')))
    for order in ("ascending", "descending"):
        found = numbers(f"sort=objective&order={order}")
        objectives = [rows[number].get("FinalHyperParameterTuningJobObjectiveMetric") for number in found]
        values = [each["Value"] for each in objectives if each]
        assert objectives[len(values) :] == [None] * (56 - len(values))
        assert values == sorted(values, reverse=order == "descending")
    assert sorted(numbers("sort=duration")) == sorted(numbers("sort=reason")) == [*range(1, 57)]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("size<0.1", "«size» isn't a column. Columns: number, objective, status,"),
        ("batc<3", "«batc» isn't a column. Did you mean batch?"),
        ("lr<small", "«lr < small»: small isn't a number."),
        ("booster<dart", "«booster < dart»: booster has texts, not numbers. Use = or !=."),
        ("lr<", "«lr <» isn't understood. A condition is like learning_rate<0.1"),
        ("<", "«<» has nothing to compare."),
        ('lr<0.5 "', "A quotation mark isn't closed."),
        ("started<2026", "«started» can be sorted, but not compared."),
        (" ".join("abcdefghijklmnopqrstuvw"), "more than 20 conditions and texts"),
    ],
)
def test_a_filter_that_isnt_understood_is_told_and_nothing_is_lost(visitor, rows, typed, said):
    query = urlencode({"filter": typed, "status": "Completed", "sort": "lr", "column": "batch"})
    page = visitor.get(f"/console/tuning-jobs/table/training-jobs?{query}")
    assert page.status == 422
    assert said in page.text
    assert f'value="{html.escape(typed)}"'.replace("&quot;", "&#34;") in page.body
    assert '<option value="Completed" selected>' in page.body
    assert '<input type="hidden" name="sort" value="lr">' in page.body
    assert '<input type="hidden" name="column" value="batch">' in page.body
    assert '<tr id="row-' in page.body  # the rest of the filter holds


def test_columns_are_chosen_and_stay_chosen(visitor, rows):
    page = visitor.get("/console/tuning-jobs/table/training-jobs?column=lr&column=name&column=nonsense&sort=lr")
    heads = re.findall(r'<th scope="col"[^>]*><a href="([^"]*)">([^<]*)', page.body)
    assert [label for _, label in heads] == ["No.", "loss", "Status", "lr", "Name"]
    assert all("column=lr&amp;column=name" in link for link, _ in heads)
    assert 'aria-sort="ascending"' in page.body
    assert "<i>no</i>" not in visitor.get("/console/tuning-jobs/table/training-jobs?column=reason").body


def test_downloads_have_the_rows_that_match_in_their_order(visitor, rows):
    query = "filter=lr%3C0.5&status=Completed&sort=lr&order=descending"
    table = [*csv.DictReader(io.StringIO(visitor.get(f"/console/tuning-jobs/table/table.csv?{query}").body))]
    completed = [row for row in rows.values() if row["TrainingJobStatus"] == "Completed"]
    expected = [row for row in completed if float(value(row, "lr")) < 0.5]
    expected.sort(key=lambda row: -float(value(row, "lr")))
    assert [row["name"] for row in table] == [row["TrainingJobName"] for row in expected]
    as_json = json.loads(visitor.get(f"/console/tuning-jobs/table/table.json?{query}").body)
    assert [row["name"] for row in as_json] == [row["name"] for row in table]
    assert len(json.loads(visitor.get("/console/tuning-jobs/table/table.json").body)) == 56
    assert visitor.get("/console/tuning-jobs/table/table.csv?filter=nothing%3C1").status == 422


def test_the_overview_has_the_best_and_the_newest_and_leads_to_all(visitor, rows):
    page = visitor.get("/console/tuning-jobs/table")
    table = page.body.partition('<section id="training-jobs"')[2]
    assert len(re.findall(r'<tr id="best-', table)) == len(re.findall(r'<tr id="newest-', table)) == 5
    assert '<a href="/console/tuning-jobs/table/training-jobs">All 56 training jobs</a>' in table

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
from alfine.api.job_words import job_request
from tests.aws.conftest import until

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


LEAVES = """
import os, pathlib, sys
model = pathlib.Path(os.environ["SM_MODEL_DIR"])
(model / "sub").mkdir()
(model / "sub" / "<b>.bin").write_bytes(b"\\x00weights")
(model / "leak").symlink_to("/etc/passwd")
pathlib.Path(os.environ["SM_OUTPUT_DATA_DIR"], "table.csv").write_text("a,b")
for number in range(3000):
    print(f"line {number}", "<i>NaN</i> here" if number % 1000 == 7 else "")
print("loss=1")
"""


@pytest.fixture(scope="module")
def left(served, sagemaker, tmp_path_factory):
    """The path of the page of a training job that has left files and a log."""
    script = tmp_path_factory.mktemp("code") / "train.py"
    script.write_text(LEAVES)
    words = {"script": script, "metric": "loss", "max_training_jobs": 1}
    sagemaker.create_hyper_parameter_tuning_job(**job_request(name="left", space={"lr": Continuous(0, 1)}, **words))
    name = until(sagemaker, "left")["BestTrainingJob"]["TrainingJobName"]
    return f"/console/training-jobs/{name}"


def test_a_log_is_searched_from_match_to_match_and_downloaded(visitor, left):
    page, seen = visitor.get(f"{left}/log?find=nan%3C%2FI"), []
    while True:
        assert page.body.count("&lt;i&gt;<mark") == page.body.count("&lt;/i</mark>") >= 1
        assert re.search(rf"Line {len(seen) + 1} of 3 with nan", page.text)
        seen.append(re.search(r'line (\d+) &lt;i&gt;<mark id="match" class="current">', page.body)[1])
        following = re.search(r'href="(\?[^"#]*)#match" rel="next"', page.body)
        if not following:
            break
        page = visitor.get(f"{left}/log{html.unescape(following[1])}")
    assert seen == ["7", "1007", "2007"]
    assert "No line has nothing" in visitor.get(f"{left}/log?find=nothing").text
    log = visitor.get(f"{left}/log/file")
    assert log.body.splitlines()[:3001] == [
        *(f"line {n} {'<i>NaN</i> here' * (n % 1000 == 7)}" for n in range(3000)),
        "loss=1",
    ]
    assert log.headers["Content-Disposition"].startswith("attachment; ")
    assert visitor.get(f"{left}/log?find=x&at=-1").status == 422


def test_files_are_listed_and_downloaded_and_no_name_leads_elsewhere(visitor, left):
    page = visitor.get(left)
    assert re.search(r"Model 1 file, 8 bytes sub/<b>\.bin 8 bytes Output 1 file, 3 bytes table\.csv 3 bytes", page.text)
    (address,) = re.findall(r'href="([^"]*/files/model[^"]*)"', page.body)
    file = visitor.get(html.unescape(address))
    assert file.body == "\x00weights"
    assert file.headers["Content-Disposition"] == "attachment; filename*=UTF-8''%3Cb%3E.bin"
    assert file.headers["Content-Type"] == "application/octet-stream"
    for path in ("leak", "../../../.alfine/log", "sub/../../../../.alfine/log", "/etc/passwd", "sub", "", "x%00"):
        answer = visitor.get(f"{left}/files/model?path={path}")
        assert answer.status == 404, path
    assert visitor.get(f"{left}/files/models?path=x").status == 422

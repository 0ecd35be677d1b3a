"""What the pages show, read without scripts."""

import json
import re
import urllib.request

import pytest

from alfine import (
    AllOf,
    BestObjectiveNotImproving,
    Continuous,
    ConvergenceDetected,
    Integer,
    Shadow,
    TargetObjectiveMetricValue,
)
from alfine.api.job_words import job_request
from tests.aws.conftest import until
from tests.aws.test_conditions import tagged
from tests.store.damage import execute

SPACE = {"x": Continuous(0, 1), "n": Integer(1, 9)}


@pytest.fixture(scope="module")
def ended(served, sagemaker, script):
    """A job that its criteria ended."""
    criteria = [
        BestObjectiveNotImproving(40),
        ConvergenceDetected(),
        Shadow(BestObjectiveNotImproving(3)),
        AllOf(BestObjectiveNotImproving(3), TargetObjectiveMetricValue(9)),
    ]
    request = job_request(
        name="ended",
        space=SPACE,
        script=script,
        metric="loss",
        strategy="Random",
        max_training_jobs=30,
        max_parallel=2,
        seed=3,
        criteria=criteria,
        price_per_hour=3600,
    )
    sagemaker.create_hyper_parameter_tuning_job(**request)
    until(sagemaker, "ended")
    return "/console/tuning-jobs/ended"


def test_a_tracked_job_links_to_its_runs_and_says_what_its_tracker_was_not_told(served, visitor, ended):
    row = "(SELECT id FROM tuning_jobs WHERE name = 'ended'), 1, 'Completed'"
    columns = "INSERT INTO tracked (tuning_job, fact, status, tracker, place, failure, failing_since) VALUES"
    execute(served.home, f"{columns} ({row}, 'mlflow', 'https://mlflow.example/#/runs/1', NULL, NULL)")
    execute(served.home, f"{columns} ({row}, 'wandb', NULL, 'It hasn''t answered for 30 s.', 0)")
    page = visitor.get(ended)
    assert '<a href="https://mlflow.example/#/runs/1"' in page.body
    assert "In wandb: nothing yet. Not told since" in page.text
    assert "It hasn't answered for 30 s." in page.text
    execute(served.home, "DELETE FROM tracked")


def test_events_tell_what_happened_the_newest_first_page_by_page(visitor, ended, sagemaker):
    newest = visitor.get(f"{ended}/history")
    job = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName="ended")
    first, *_ = re.findall(r"<tr [^>]*>\s*<td[^>]*>.*?</tr>", newest.body, re.DOTALL)
    assert "the tuning job" in first
    assert "Completed" in first
    pages = [newest.text]
    while older := re.search(r'href="([^"]*before=\d+)"', newest.body):
        newest = visitor.get(older[1])
        pages.append(newest.text)
    told = " ".join(pages)
    counts = job["TrainingJobStatusCounters"]
    assert told.count("Launched x ") == counts["Completed"] + counts["Stopped"] > 4
    assert told.count("Completed objective") == counts["Completed"]
    assert "the tuning job Created" in pages[-1]
    assert visitor.get(f"{ended}/history?before=first").text == pages[0]


@pytest.mark.parametrize("path", ["", "/training-jobs", "/history", "the list", "a training job"])
def test_only_parts_that_changed_are_sent_to_a_script_that_says_what_it_has(visitor, ended, path):
    rows = re.search(r'href="(/console/training-jobs/[^"?]+)', visitor.get(f"{ended}/training-jobs").body)
    address = {"the list": "/console/", "a training job": rows[1]}.get(path, f"{ended}{path}")
    whole = visitor.get(address).body
    has = re.findall(r'<(\w+)[^>]*? id="([^"]+)" data-digest="(\w+)"', whole)
    same = visitor.get(address, **{"x-alfine-has": " ".join(digest for *_, digest in has)}).body
    assert re.findall(r'<(\w+) id="([^"]+)" data-same></\1>', same) == [(tag, name) for tag, name, _ in has]
    assert len(same) < len(whole) / 3
    live = re.findall(r' id="([^"]+)"[^>]* data-live(?! data-keyed)', whole)
    assert {*live} <= {name for _, name, _ in has} | {"count", "pages"}
    (tag, name, _), *others = reversed(has)
    but_one = visitor.get(address, **{"x-alfine-has": " ".join(digest for *_, digest in others)}).body
    assert re.findall(r' id="([^"]+)" data-digest="\w+"', but_one) == [name]
    piece = re.search(rf'<{tag}[^>]*? id="{name}" data-digest="\w+".*?</{tag}>', but_one, re.DOTALL)[0]
    assert piece in whole


def test_a_browser_is_led_to_the_list_and_aws_clients_are_not(served, visitor, sagemaker):
    assert visitor.get("/").url == "/console/"
    assert "<h1>Tuning jobs" in visitor.get("/console/tuning-jobs").body
    assert sagemaker.list_hyper_parameter_tuning_jobs()["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert served.client("s3").list_buckets()["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_a_bucket_called_console_works_as_any_other(served):
    s3 = served.client("s3")
    s3.create_bucket(Bucket="console")
    s3.put_object(Bucket="console", Key="tuning-jobs/x", Body=b"body")
    assert s3.get_object(Bucket="console", Key="tuning-jobs/x")["Body"].read() == b"body"
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "console", "Key": "tuning-jobs/x"})
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == b"body"


@pytest.fixture(scope="module")
def conditional(served, sagemaker, script):
    """A job whose hyperparameters aren't all choices everywhere."""
    words = {"script": script, "metric": "loss", "strategy": "Random", "max_training_jobs": 12, "seed": 3}
    rules = {"requires": "x if n at-least 5", "forbid": "n is 2", "start_with": "n=7 x=0.25"}
    asked = tagged(job_request(name="conditional", space=SPACE, **words), **rules)
    sagemaker.create_hyper_parameter_tuning_job(**asked)
    until(sagemaker, "conditional")
    return "/console/tuning-jobs/conditional"


def test_a_conditional_hyperparameter_is_drawn_where_it_was_a_choice(visitor, conditional, sagemaker):
    page = visitor.get(conditional)
    assert page.status == 200
    slices = visitor.get(f"{conditional}/figures/slices.svg").body
    assert "x if n &gt;= 5" in slices
    listed = sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(
        HyperParameterTuningJobName="conditional", MaxResults=100
    )
    tuned = [each["TunedHyperParameters"] for each in listed["TrainingJobSummaries"]]
    with_x = sum("x" in each for each in tuned)
    assert 0 < with_x < 12
    view = json.loads(visitor.get(f"{conditional}/figures/slices.json").body)
    dots = [
        max(len(layer["data"]["values"]) for layer in panel["layer"] if layer["mark"]["type"] == "point")
        for panel in view["concat"]
    ]
    assert sorted(dots) == [with_x, 12]
    assert slices.count("<circle") > with_x + 12  # the best has a mark of its own, too


def test_what_tags_say_of_the_space_is_told(visitor, conditional):
    text = visitor.get(conditional).text
    for words in ("conditions x n >= 5", "forbidden n = 2", "start with n 7 x 0.25"):
        assert words in text


def test_a_page_says_how_many_hyperparameters_it_doesnt_draw(served, sagemaker, visitor, tmp_path):
    script, space = tmp_path / "train.py", {f"h{number}": Continuous(0, 1) for number in range(27)}
    script.write_text("print('loss=1')")
    words = {"script": script, "metric": "loss", "strategy": "Random", "max_training_jobs": 3}
    sagemaker.create_hyper_parameter_tuning_job(**job_request(name="many", space=space, **words))
    until(sagemaker, "many")
    figure = json.loads(visitor.get("/console/tuning-jobs/many/figures/slices.json").body)
    assert len(figure["concat"]) == 24
    assert "3 more hyperparameters aren't shown." in figure["title"]["subtitle"]


def test_going_back_in_a_log_tears_no_line(served, sagemaker, visitor, tmp_path):
    script = tmp_path / "train.py"
    script.write_text("print('loss=1'); print(*(f'line {i} ' + i % 90 * 'y' for i in range(4_000)), sep='\\n')")
    words = {"script": script, "metric": "loss", "strategy": "Random", "max_training_jobs": 1}
    sagemaker.create_hyper_parameter_tuning_job(**job_request(name="back", space=SPACE, **words))
    job = until(sagemaker, "back")["BestTrainingJob"]["TrainingJobName"]
    path, pages = f"/console/training-jobs/{job}/log", []
    page = visitor.get(path)
    while later := re.search(r'href="(\?begin=\d+)" rel="next"', page.body):
        page = visitor.get(path + later[1])
    while True:
        pages.insert(0, re.search(r"<pre.*?>(.*?)</pre>", page.body, re.DOTALL)[1])
        earlier = re.search(r'href="(\?begin=\d+)" rel="prev"', page.body)
        if not earlier:
            break
        page = visitor.get(path + earlier[1])
    lines = [line.partition(" y")[0] for page in pages for line in page.splitlines()]
    assert len(pages) > 2
    assert [line.strip() for line in lines] == ["loss=1", *(f"line {i}" for i in range(4_000))]


def test_the_list_says_why_each_job_ended(visitor, ended):
    text = visitor.get("/console/").text
    assert re.search(r"ended Completed 2 of 2 met.* of 30 .*loss ↓.* USD", text)


def test_the_list_is_filtered_by_name_and_status(visitor, ended):
    assert "/console/tuning-jobs/ended" in visitor.get("/console/?name=NDE&status=Completed").body
    assert "No tuning job matches" in visitor.get("/console/?status=Failed").text
    assert "No tuning job matches" in visitor.get("/console/?name=other").text


def test_the_list_is_searched_by_tags_sorted_and_draws_the_course_of_the_best(visitor, ended, conditional, sagemaker):
    arn = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName="ended")[
        "HyperParameterTuningJobArn"
    ]
    sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "team", "Value": "vision"}])

    def names(query):
        return re.findall(r'<tr id="job-([^"]+)"', visitor.get(f"/console/?{query}").body)

    assert names("filter=team%3Dvision") == names("filter=VISION+end") == ["ended"]
    assert names("filter=team%3Daudio") == []
    both = [name for name in names("sort=name") if name in ("conditional", "ended")]
    assert both == ["conditional", "ended"]
    assert names("sort=training_jobs&filter=team%3D") == ["ended"]
    for sort in ("cost", "verdict"):
        head = re.search(r'<th scope="col"[^>]*aria-sort="\w+">.*?</th>', visitor.get(f"/console/?sort={sort}").body)
        assert f"sort={sort}&amp;order=" in head[0]
    page = visitor.get("/console/?filter=ended&sort=best")
    assert re.search(r'<svg class="sparkline".*aria-label="Best so far over \d+ results: [\d.]+ to [\d.]+"', page.body)
    assert 'aria-sort="descending"' in page.body


def test_a_long_list_has_pages(served, sagemaker, visitor, make):
    for number in range(27):
        request = make(f"page-{number:02d}", static={"wait": 0}, max_training_jobs=1)
        sagemaker.create_hyper_parameter_tuning_job(**request)
    first = visitor.get("/console/?name=page-")
    (further,) = re.findall(r'href="(\?[^"]+)" rel="next"', first.body)
    second = visitor.get(f"/console/{further.replace('&amp;', '&')}")
    names = [re.findall(r'class="name" href="[^"]*/(page-\d\d)"', page.body) for page in (first, second)]
    assert names == [[f"page-{n:02d}" for n in range(26, 1, -1)], ["page-01", "page-00"]]


def test_a_job_shows_every_criterion_with_its_sentence_and_numbers(visitor, ended):
    text = visitor.get(ended).text
    assert re.search(r"AllOf ended the job \d+ % \d of 2 met", text)
    assert re.search(r"BestObjectiveNotImproving \d+ % \d+ of 40 training jobs in a row.* limit 40", text)
    assert re.search(r"ConvergenceDetected \d+ % .*finished \d+ remaining \d+ probability of improvement", text)
    assert re.search(r"Shadow\(BestObjectiveNotImproving\) observer .*Would have ended the job after", text)
    assert re.search(r"MaxNumberOfTrainingJobs \d+ % \d+ of at most 30 training jobs", text)


def test_a_job_shows_its_best_its_counters_and_what_was_saved(visitor, ended, sagemaker):
    best = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName="ended")["BestTrainingJob"]
    page = visitor.get(ended)
    assert best["TrainingJobName"] in page.body
    assert f"{best['FinalHyperParameterTuningJobObjectiveMetric']['Value']:.6g}" in page.text
    assert re.search(r"Training time saved [\d.]+ s \d+ training jobs not launched, cost [\d.]+", page.text)


def test_a_warm_started_job_says_with_what_it_began(visitor, ended, sagemaker, script):
    parents = {"warm_start": "ended", "warm_start_type": "TransferLearning"}
    request = job_request(name="warm", space=SPACE, script=script, metric="loss", max_training_jobs=1, **parents)
    sagemaker.create_hyper_parameter_tuning_job(**request)
    until(sagemaker, "warm")
    page = visitor.get("/console/tuning-jobs/warm")
    assert re.search(
        r"Warm start \(TransferLearning\) from ended ?\. All \d+ objectives of the parents say where to begin\.",
        page.text,
    )
    assert '<a href="/console/tuning-jobs/ended">ended</a>' in page.body
    assert "Warm start" not in visitor.get(ended).text


def test_a_figure_has_a_dot_for_each_training_job_that_leads_to_it(visitor, ended, sagemaker):
    rows = sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(
        HyperParameterTuningJobName="ended", MaxResults=100
    )
    names = {row["TrainingJobName"] for row in rows["TrainingJobSummaries"]}
    wide, narrow = re.findall(r'<svg class="figure".*?</svg>', visitor.get(ended).body, re.DOTALL)
    assert 'aria-label="Best of ' in wide
    assert "Shadow(BestObjectiveNotImproving): " in wide  # where it would have ended the job
    linked = re.findall(r'href="/console/training-jobs/([^"]+)"', wide)
    assert len(set(linked)) > 2
    assert set(linked) <= names
    assert "href" not in narrow
    assert narrow.count("<circle") == wide.count("<circle")


def test_training_jobs_are_sorted_by_their_objective(visitor, ended):
    found = {}
    for order in ("ascending", "descending"):
        table = visitor.get(f"{ended}/training-jobs?sort=objective&order={order}").body.partition("<tbody")[2]
        found[order] = [float(each) for each in re.findall(r'<td class="right value"[^>]*>([\d.]+)', table)]
    assert found["ascending"] == sorted(found["ascending"])
    assert found["descending"] == sorted(found["descending"], reverse=True)
    assert len(found["ascending"]) >= 4


def test_a_training_job_shows_what_it_was_given_its_metrics_and_its_log(visitor, ended):
    (name, *_) = re.findall(r'href="/console/training-jobs/([^"]+)"', visitor.get(ended).body)
    page = visitor.get(f"/console/training-jobs/{name}")
    assert re.search(r"Metrics loss objective last [\d.]+", page.text)
    assert re.search(r"Result loss [\d.]+ Hyperparameters x [\d.]+ n \d", page.text)
    assert re.search(r"Starting .*Training .*Completed", page.text)
    assert re.search(r'<pre class="log"[^>]*>loss=[\d.]+\n', page.body)
    log = visitor.get(f"/console/training-jobs/{name}/log")
    assert re.search(r">loss=[\d.]+\n", log.body)


def test_a_long_log_has_pages_of_whole_lines(served, sagemaker, visitor, tmp_path):
    script = tmp_path / "long.py"
    script.write_text("for n in range(20000): print('line', n, '<b>', '\\x1b[31mred\\x1b[0m')\nprint('loss=1')\n")
    request = job_request(name="long-log", space=SPACE, script=script, metric="loss", max_training_jobs=1)
    sagemaker.create_hyper_parameter_tuning_job(**request)
    until(sagemaker, "long-log")
    (name, *_) = re.findall(
        r'href="/console/training-jobs/([^"/]+)"', visitor.get("/console/tuning-jobs/long-log").body
    )
    path, lines = f"/console/training-jobs/{name}/log", []
    while path:
        page = visitor.get(path)
        lines += re.search(r'<pre class="log"[^>]*>(.*?)</pre>', page.body, re.DOTALL)[1].splitlines()
        later = re.search(r'href="(\?begin=\d+)" rel="next"', page.body)
        path = later and f"/console/training-jobs/{name}/log{later[1]}"
    assert lines == [*(f"line {n} &lt;b&gt; red" for n in range(20000)), "loss=1"]


@pytest.mark.parametrize(
    "path", ["tuning-jobs/nobody", "training-jobs/nobody", "training-jobs/nobody/log", "nowhere", "static/../app.py"]
)
def test_what_isnt_there_is_a_404_in_words(visitor, path):
    page = visitor.get(f"/console/{path}")
    assert page.status == 404
    assert "Not found" in page.text
    assert "Amazon" not in page.text
    assert "nobody" in page.text or "There is no such page." in page.text


@pytest.mark.parametrize("query", ["?page=x", "?page=0", "?page=99999999999999999999"])
def test_a_place_in_a_list_that_isnt_one_is_refused_in_words(visitor, ended, query):
    for path in ("/console/", f"{ended}/training-jobs"):
        page = visitor.get(path + query)
        assert page.status == 422
        assert "isn't the number of a page" in page.text


def test_a_job_tells_what_is_the_matter_with_its_space(served, sagemaker, visitor, tmp_path):
    program = tmp_path / "constant.py"
    program.write_text("print('loss=0.5')\n")
    request = job_request(
        name="flat", space=SPACE, script=program, metric="loss", strategy="Random", max_training_jobs=25, max_parallel=2
    )
    sagemaker.create_hyper_parameter_tuning_job(**request)
    until(sagemaker, "flat")
    text = visitor.get("/console/tuning-jobs/flat").text
    assert "Search space The first 25 objectives are all 0.5: does training use its hyperparameters?" in text
    assert "alfine propose" not in text


def test_a_fault_of_alfine_is_a_page_that_says_so(served, visitor):
    assert visitor.get("/console/").status == 200
    execute(served.home, "ALTER TABLE tuning_jobs RENAME TO lost")
    try:
        answer = visitor.get("/console/")
    finally:
        execute(served.home, "ALTER TABLE lost RENAME TO tuning_jobs")
    assert answer.status == 500
    assert "alfine could not answer this request. The server's log has the reason." in answer.text
    assert visitor.get("/console/").status == 200

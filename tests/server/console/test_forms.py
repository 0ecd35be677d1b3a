"""Forms change what runs, with the checks and the words of `alfine change`; replays judge the record."""

import html
import json
import re
import shlex

import pytest

from alfine import (
    AllOf,
    BestObjectiveNotImproving,
    Continuous,
    ConvergenceDetected,
    MaxCost,
    TargetObjectiveMetricValue,
)
from alfine.api.job_file import read_job_file
from alfine.api.job_words import job_request
from alfine.cli.words_of_request import words_of
from alfine.jobs.home import Home
from alfine.server.console.change_form import form_fields
from tests.aws.conftest import until
from tests.building import spec
from tests.server.console.test_pages import SPACE


@pytest.fixture
def running(served, sagemaker, make):
    """A function of a name and words: makes a job whose training jobs take their time; it's stopped in the end."""
    names = []

    def running(name, **words):
        sagemaker.create_hyper_parameter_tuning_job(**make(name, static={"wait": 60}, max_training_jobs=40, **words))
        names.append(name)
        return name

    yield running
    for name in names:
        try:
            sagemaker.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
        except sagemaker.exceptions.ClientError:  # it has ended
            continue
        until(sagemaker, name, "Stopped", leaves=False)


@pytest.fixture(scope="module")
def long(served, sagemaker, script):
    """A job that runs all the time."""
    request = job_request(
        name="long",
        space=SPACE,
        script=script,
        metric="loss",
        max_training_jobs=40,
        max_parallel=2,
        static={"wait": 60},
    )
    sagemaker.create_hyper_parameter_tuning_job(**request)
    yield "long"
    sagemaker.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName="long")
    until(sagemaker, "long", "Stopped", leaves=False)


def asked(sagemaker, name):
    found = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    return found["HyperParameterTuningJobConfig"]


def test_limits_of_a_running_job_are_changed_and_its_page_tells(visitor, sagemaker, running):
    name = running("limits")
    page = visitor.submit(
        f"/console/tuning-jobs/{name}/change",
        f"/tuning-jobs/{name}/change",
        {"max_training_jobs": "50", "max_parallel": "3", "max_runtime_seconds": "5000"},
    )
    assert page.url == f"/console/tuning-jobs/{name}"
    assert asked(sagemaker, name)["ResourceLimits"] == {
        "MaxNumberOfTrainingJobs": 50,
        "MaxParallelTrainingJobs": 3,
        "MaxRuntimeInSeconds": 5000,
    }
    assert re.search(
        r"Changes .*Maximum training jobs: 40 → 50 Parallel training jobs: 2 → 3 Maximum runtime: not set → 1 h 23 min",
        page.text,
    )


def test_a_change_is_carried_out_by_whoever_runs_the_job(visitor, sagemaker, running):
    """More at once: one more is launched, though none has ended."""
    name = running("carried-out", max_parallel=1)
    visitor.submit(f"/console/tuning-jobs/{name}/change", f"/tuning-jobs/{name}/change", {"max_parallel": "2"})
    for _ in range(400):
        counters = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
        if counters["TrainingJobStatusCounters"]["InProgress"] == 2:
            return
    raise AssertionError(counters)


def test_criteria_are_changed_and_those_that_the_form_doesnt_touch_stay(visitor, sagemaker, running):
    kept = AllOf(BestObjectiveNotImproving(5), TargetObjectiveMetricValue(0.5))
    name = running("criteria", criteria=[BestObjectiveNotImproving(20, strict=True), kept], price_per_hour=2.0)
    fields = {"patience": "12", "convergence": "on", "delta": "0.1", "target": "0.25"}
    page = visitor.submit(f"/console/tuning-jobs/{name}/change", f"/tuning-jobs/{name}/change", fields)
    assert page.status == 200
    criteria = asked(sagemaker, name)["TuningJobCompletionCriteria"]
    assert criteria["TargetObjectiveMetricValue"] == 0.25
    assert criteria["BestObjectiveNotImproving"] == {"MaxNumberOfTrainingJobsNotImproving": 12}
    assert criteria["ConvergenceDetected"] == {"CompleteOnConvergence": "Enabled"}
    form = visitor.get(f"/console/tuning-jobs/{name}/change").body
    assert 'name="delta" inputmode="decimal" value="0.1"' in form
    assert 'name="strict" checked' in form
    assert "AllOf(BestObjectiveNotImproving 5, TargetObjectiveMetricValue 0.5)" in form
    visitor.submit(
        f"/console/tuning-jobs/{name}/change",
        f"/tuning-jobs/{name}/change",
        {"others": "MaxCost 25", "target": "", "at_end": "drain", "repeats": "best=2 times=3"},
    )
    form = visitor.get(f"/console/tuning-jobs/{name}/change").body
    assert '<option value="drain" selected>' in form
    assert 'name="repeats" value="best=2 times=3"' in form
    assert "Re-runs of the best: not set → best=2 times=3" in visitor.get(f"/console/tuning-jobs/{name}").text
    assert ">MaxCost 25</textarea>" in form
    fields = {"repeats": "", "price_per_hour": "4.5"}
    page = visitor.submit(f"/console/tuning-jobs/{name}/change", f"/tuning-jobs/{name}/change", fields)
    assert "Price per instance hour: 2 → 4.5 Re-runs of the best: best=2 times=3 → removed" in page.text
    fields = {"price_per_hour": "0", "patience": "", "others": ""}  # what belonged to it may stay filled in
    page = visitor.submit(f"/console/tuning-jobs/{name}/change", f"/tuning-jobs/{name}/change", fields)
    assert "Price per instance hour: 4.5 → 0" in page.text
    assert "TargetObjectiveMetricValue" not in asked(sagemaker, name)["TuningJobCompletionCriteria"]


def test_of_two_criteria_of_a_kind_the_form_loses_none():
    fields = form_fields(spec(criteria=[BestObjectiveNotImproving(5), BestObjectiveNotImproving(20, strict=True)]))
    shown = fields["patience"], fields["strict"], fields["others"]
    assert shown == ("5", "", "BestObjectiveNotImproving 20 strict=true")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "the job already has these settings."),
        ({"max_training_jobs": ""}, "Maximum training jobs: a limit can be changed, but not removed."),
        ({"max_training_jobs": "many"}, "Maximum training jobs: 'many' must be a whole number."),
        ({"max_parallel": "0"}, "Parallel training jobs: '0' must be more than 0."),
        ({"max_runtime_seconds": "nan"}, "Maximum runtime: 'nan' must be a number."),
        (
            {"patience": "2"},
            "BestObjectiveNotImproving: max_number_of_training_jobs_not_improving 2 must be a whole number from 3 on.",
        ),
        ({"convergence": "on", "delta": "7"}, "delta 7 must be a number above 0 and below 1."),
        ({"others": "BestObjectiveNotImprovin 5"}, "Did you mean BestObjectiveNotImproving?"),
        ({"others": "MaxCost 5"}, "price"),
        ({"repeats": "often"}, "'often' must be as «best=3 times=5»"),
        ({"price_per_hour": "-2"}, "Price per instance hour: '-2' must be 0 or more."),
        ({"delta": "0.1"}, "ConvergenceDetected delta: this setting belongs to «Stop on convergence»."),
        (
            {"strict": "on"},
            "«Count any improvement» belongs to a number of training jobs without improvement. Give that number, too.",
        ),
        ({"at_end": "explode"}, "'explode' isn't one of stop, drain, contenders."),
        ({"target": "x", "patience": "y"}, "TargetObjectiveMetricValue: 'x' must be a number."),
    ],
    ids=str,
)
def test_what_doesnt_work_is_told_and_the_form_keeps_what_was_filled_in(visitor, sagemaker, long, fields, said):
    before = asked(sagemaker, long)
    page = visitor.submit(f"/console/tuning-jobs/{long}/change", f"/tuning-jobs/{long}/change", fields)
    assert page.status == 422
    assert said in page.text
    for value in fields.values():
        assert f'value="{value}"' in page.body or f">{value}<" in page.body or value in ("on", "explode")
    assert asked(sagemaker, long) == before


def test_an_ended_job_goes_on(visitor, sagemaker, make):
    sagemaker.create_hyper_parameter_tuning_job(**make("extended", max_training_jobs=2, max_parallel=1))
    until(sagemaker, "extended")
    path, action = "/console/tuning-jobs/extended/change", "/tuning-jobs/extended/change"
    assert "Continue extended" in visitor.get(path).text
    refused = visitor.submit(path, action, {"max_parallel": "2"})
    assert refused.status == 422
    assert "it would end again at once. MaxNumberOfTrainingJobs" in refused.text
    assert visitor.submit(path, action, {"max_training_jobs": "5"}).status == 200
    told = until(sagemaker, "extended")
    assert told["HyperParameterTuningJobStatus"] == "Completed"
    assert told["TrainingJobStatusCounters"]["Completed"] == 5


def test_a_job_and_a_training_job_are_stopped_by_their_buttons(visitor, sagemaker, running):
    name = running("stopped", max_parallel=1)
    path = f"/console/tuning-jobs/{name}"
    while not (found := re.findall(r'href="/console(/training-jobs/[^"/]+)"', visitor.get(path).body)):
        continue
    (one,) = set(found)
    page = visitor.submit(f"/console{one}", f"{one}/stop")
    assert page.url == f"/console{one}"
    while "Stopped" not in (text := visitor.get(f"/console{one}").text):
        continue
    assert "Stopped by the user" in text
    visitor.submit(path, f"/tuning-jobs/{name}/stop")
    assert until(sagemaker, name, "Stopped", leaves=False)
    assert re.search(r"Stopped StopRequested\. .*Changes .*Stop requested", visitor.get(path).text)
    again = visitor.post(f"/console/tuning-jobs/{name}/stop", {"token": _token(visitor)})
    assert again.status == 409
    assert "has already ended" in again.text


def test_a_job_is_stopped_by_force(visitor, sagemaker, running):
    name = running("forced", max_parallel=1)
    page = visitor.post(f"/console/tuning-jobs/{name}/force-stop", {"token": _token(visitor, name)})
    assert page.url == f"/console/tuning-jobs/{name}"
    assert "The user stopped the tuning job by force." in page.text
    assert until(sagemaker, name)["HyperParameterTuningJobStatus"] == "Stopped"


def _token(visitor, name="stopped"):
    return re.search(r'name="token" value="([^"]+)"', visitor.get(f"/console/tuning-jobs/{name}/change").body)[1]


def replayed(visitor, path):
    """The page once all replays have ended; without scripts it loads itself again until then."""
    while "under way" in (page := visitor.get(path)).text:
        assert "http-equiv" in page.body
    return page


def test_a_replay_says_when_each_criterion_would_have_ended_it_what_it_saves_and_misses(visitor, sagemaker, script):
    request = job_request(
        name="record", space=SPACE, script=script, metric="loss", strategy="Random", max_training_jobs=12, seed=1
    )
    sagemaker.create_hyper_parameter_tuning_job(**request)
    until(sagemaker, "record")
    path = "/console/tuning-jobs/record/replay"
    assert "ConvergenceDetected" in visitor.get(path).text
    text = replayed(visitor, f"{path}?criteria=BestObjectiveNotImproving+3%0ATargetObjectiveMetricValue+-5").text
    assert "As recorded: 12 training jobs" in text
    alone = re.search(
        r"BestObjectiveNotImproving 3 after .*, by BestObjectiveNotImproving .* (\d+) (\d+) % .* of training (\d+) training jobs",
        text,
    )
    assert int(alone[1]) + int(alone[3]) == 12
    assert re.search(
        r"MetricValue -5 after [\d.]+ s, by MaxNumberOfTrainingJobs .* 12 100 % [\d.]+ s of training nothing [\d.]+ nothing",
        text,
    )
    assert (
        "all together not before the end of the record"
        in replayed(visitor, f"{path}?criteria=TargetObjectiveMetricValue+-5%0AMaxNumberOfTrainingJobs+40").text
    )
    assert "all together" in text
    assert re.search(r"the job's own after .*, by MaxNumberOfTrainingJobs", replayed(visitor, f"{path}?criteria=").text)
    sent = replayed(visitor, f"{path}?use=MaxNumberOfTrainingJobs&MaxNumberOfTrainingJobs.0=5&criteria=")
    assert re.search(r"MaxNumberOfTrainingJobs 5 after .* 7 training jobs", sent.text)
    assert ">MaxNumberOfTrainingJobs 5: 5" in sent.body  # its mark on the curve
    refused = replayed(visitor, f"{path}?use=MaxNumberOfTrainingJobs&MaxNumberOfTrainingJobs.0=many")
    assert (refused.status, "training jobs: 'many' must be a number." in refused.text) == (422, True)


@pytest.mark.parametrize(
    ("criteria", "said"),
    [
        ("Nonsense", "'Nonsense' isn't one."),
        ("%0A".join(["ConvergenceDetected"] * 9), "9 criteria; at most 8"),
        ("MaxCost+3", "price"),
    ],
)
def test_criteria_that_cant_be_replayed_are_told(visitor, long, criteria, said):
    page = visitor.get(f"/console/tuning-jobs/{long}/replay?criteria={criteria}")
    assert page.status == 422
    assert said in page.text


def own_tags(sagemaker, arn):
    """The tags without those of the request's settings."""
    return [tag for tag in sagemaker.list_tags(ResourceArn=arn)["Tags"] if not tag["Key"].startswith("alfine:")]


def test_note_and_tags_are_written_for_people_and_tags_are_those_of_aws(visitor, sagemaker, long):
    arn = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=long)["HyperParameterTuningJobArn"]
    sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "draft", "Value": "yes"}])
    path = f"/tuning-jobs/{long}/notes"
    page = visitor.submit(
        f"/console{path}", path, {"note": "<b>Too narrow</b>\r\nsaid Ada", "tags": "team=vision\npaper"}
    )
    assert page.url == f"/console/tuning-jobs/{long}"
    assert "&lt;b&gt;Too narrow&lt;/b&gt;\nsaid Ada" in page.body
    assert "team=vision" in page.text
    tags = [{"Key": "paper", "Value": ""}, {"Key": "team", "Value": "vision"}]
    assert own_tags(sagemaker, arn) == tags
    for wrong, said in (
        ({"tags": "alfine:seed=3"}, "setting of alfine"),
        ({"tags": "aws:x"}, "AWS keeps"),
        ({"tags": "a=#"}, "at most 256"),
        ({"tags": "\n".join(map(str, range(51)))}, "at most 50 tags"),
        ({"note": 4001 * "n"}, "4001 characters"),
    ):
        page = visitor.submit(f"/console{path}", path, wrong)
        assert (page.status, said in page.text) == (422, True), page.text
    assert own_tags(sagemaker, arn) == tags
    visitor.submit(f"/console{path}", path, {"note": "", "tags": ""})
    assert "Add a note or tags" in visitor.get(f"/console/tuning-jobs/{long}").text


def test_what_a_form_says_of_a_job_asks_for_that_job(visitor, sagemaker, running):
    """Sent as it came, a form changes nothing, whatever criteria the job has."""
    criteria = [
        ConvergenceDetected(0.02, 0.1, 0.1),
        BestObjectiveNotImproving(9, strict=True),
        AllOf(MaxCost(3), TargetObjectiveMetricValue(-0.125)),
    ]
    name = running("as-it-came", criteria=criteria, price_per_hour=1.5, max_runtime_seconds=7775)
    page = visitor.submit(f"/console/tuning-jobs/{name}/change", f"/tuning-jobs/{name}/change")
    assert "already has these settings" in page.text


ROWS = {
    "hyperparameter-0": "x",
    "min-0": "0",
    "max-0": "1",
    "hyperparameter-1": "opt",
    "kind-1": "categories",
    "values-1": "sgd, 'a, b', 3",
    "requires-1": "x > 0.5",
}


def send_new(visitor, fields, do="check", path="/new"):
    return visitor.submit(f"/console{path}", f"{path}#outcome", {**fields, "do": do})


@pytest.mark.parametrize(
    ("fields", "at", "said"),
    [
        ({"script": "nowhere.py"}, "script", "nowhere.py"),
        ({"script": "", "command": "sh 'a"}, "command", "quotation"),
        ({"max_training_jobs": "many"}, "max_training_jobs", "must be a whole number from 1 on"),
        ({"min-0": "2"}, "row-0", "must be below"),
        ({"min-0": ""}, "row-0", "needs min and max"),
        ({"hyperparameter-0": "opt"}, "row-1", "a row of its own already"),
        ({"hyperparameter-0": ""}, "row-0", "Give the hyperparameter a name"),
        ({"values-1": "[", "requires-1": ""}, "row-1", "separated by commas"),
        ({"patience": "0"}, "patience", "from 3 on"),
        ({"others": "MaxCots 3"}, "others", "Did you mean MaxCost?"),
        ({"more": "statik: {}"}, "more", "Did you mean static?"),
        ({"more": "metric: acc"}, "more", "has a field of its own"),
        ({"more": "a: [", "name": "#"}, "more", "isn't YAML"),
        ({"more": "channels: {train: /nowhere/at/all}"}, "more", "/nowhere/at/all"),
    ],
)
def test_what_is_wrong_with_a_new_job_stands_beside_its_field(visitor, script, fields, at, said):
    page = send_new(visitor, {"script": str(script), "metric": "loss", **ROWS, **fields}, "create")
    assert page.status == 422
    beside = re.search(rf'id="fault-{at}">(.*?)</small>', page.body)
    assert beside, page.text
    assert said in html.unescape(beside[1])
    assert f'href="#at-{at}"' in page.body
    assert f'id="at-{at}"' in page.body


def test_rows_are_added_and_removed_and_a_checked_job_is_created_once(visitor, sagemaker, script):
    fields = {
        "name": "formed",
        "script": str(script),
        "metric": "loss",
        **ROWS,
        "max_training_jobs": "2",
        "more": "static: {n: 1}",
    }
    grown = send_new(visitor, fields, "add")
    assert (grown.status, grown.body.count('name="min-')) == (200, 3)
    assert send_new(visitor, fields, "remove-0").body.count('name="hyperparameter-0" value="opt"') == 1
    checked = send_new(visitor, {**fields, "patience": "40"})
    assert "The job can be created" in checked.text
    assert "BestObjectiveNotImproving: It can't end this job early" in checked.text
    assert "values: [sgd, 'a, b', 3]" in checked.text
    with pytest.raises(sagemaker.exceptions.ClientError):
        sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName="formed")
    wasted = {**fields, "others": "Deadline 2020-01-01T00:00+00:00"}
    assert "it would be wasted" in send_new(visitor, wasted, "create").text
    assert send_new(visitor, fields, "create").url == "/console/tuning-jobs/formed"
    until(sagemaker, "formed")
    again = send_new(visitor, fields, "create")
    assert (again.status, "already exists" in again.text) == (422, True)


def test_a_command_has_a_field_and_several_algorithms_a_section_each(visitor, sagemaker):
    def pasted(page):
        return html.unescape(re.search(r"<textarea[^>]*>(.*?)</textarea>", page.body, re.DOTALL)[1])

    fields = {**ROWS, "name": "by-command", "command": "sh -c 'echo loss=1' a", "metric": "loss"}
    fields |= {"max_training_jobs": "2", "more": "static: {n: 1}"}
    again = send_new(visitor, {"text": pasted(send_new(visitor, fields, "file"))}, "form", "/new/file").body
    assert f'name="command" value="{html.escape(fields["command"]).replace("&#x27;", "&#39;")}"' in again

    def press(page, do, fields=None):
        return visitor.go_on(page, "/new#outcome", {**(fields or {}), "do": do})

    several = send_new(visitor, fields, "definitions")
    text = pasted(press(several, "file"))
    assert text.count("echo loss=1") == text.count("opt:") == text.count("n: 1") == 2
    third = press(press(several, "add-definition"), "d2-add")
    assert (third.status, third.body.count('name="d2-min-')) == (200, 3)
    two = press(press(third, "remove-definition-2"), "d1-remove-1")
    wrong = {"d0-definition": "second", "d1-min-0": "x", "d1-more": "statik: {}"}
    faulty = press(two, "check", wrong)
    assert "Two algorithms have this name" in re.search(r'id="fault-d1-definition">(.*?)<', faulty.body)[1]
    faulty = press(two, "create", {**wrong, "d0-definition": "first"})
    assert faulty.status == 422
    for at, said in (("row-0", "must be a number"), ("more", "Did you mean static?")):
        assert said in html.unescape(re.search(rf'id="fault-d1-{at}">(.*?)</small>', faulty.body)[1])
        assert f'href="#at-d1-{at}"' in faulty.body
        assert f'id="at-d1-{at}"' in faulty.body
    assert 'id="fault-d1-definition"' in press(two, "check", {"d1-definition": "no name"}).body
    checked = press(two, "check", {"d1-definition": "other"})
    assert "The job can be created" in checked.text
    assert press(checked, "create").url == "/console/tuning-jobs/by-command"
    until(sagemaker, "by-command")
    clone = visitor.get("/console/new?clone=by-command")
    assert ('name="name" value="by-command-2"' in clone.body, "<textarea" in clone.body) == (True, True)
    assert press(clone, "create").url == "/console/tuning-jobs/by-command-2"
    until(sagemaker, "by-command-2")
    first, again = (
        sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)["TrainingJobDefinitions"]
        for name in ("by-command", "by-command-2")
    )
    assert [each["DefinitionName"] for each in first] == ["first", "other"]
    assert first == again


def test_a_pasted_job_file_is_read_as_alfine_create_reads_it(visitor, sagemaker, script, make):
    def send(text, do="check"):
        return send_new(visitor, {"text": text}, do, "/new/file")

    assert "job:1:8 isn't YAML" in send("a: [1, ").text.replace(": isn't", " isn't")
    assert "script: is missing" in send("space: {x: {min: 0, max: 1}}").text
    assert "yperParameterTuningJobConfig" in send('{"HyperParameterTuningJobName": "a"}').text
    text = (
        f"script: {script}\nmetric: loss\nspace: {{x: {{min: 0, max: 1.0}}}}\nstatic: {{n: 1}}\nmax_training_jobs: 1\n"
    )
    assert "The job can be created" in send(text).text
    form = send(text, "form").body
    assert f'name="script" value="{script}"' in form
    assert 'name="hyperparameter-0" value="x"' in form
    assert "static: {n: 1}" in form
    assert re.fullmatch(r"/console/tuning-jobs/job-[0-9]{4}-[0-9]{6}", send(text, "create").url)
    page = send(json.dumps(make("pasted", max_training_jobs=1)), "create")
    assert page.url == "/console/tuning-jobs/pasted"
    until(sagemaker, "pasted")


def test_a_job_is_cloned_and_code_asks_for_it_again(visitor, served, sagemaker, make, monkeypatch, tmp_path):  # noqa: PLR0917
    request = make(
        "original",
        criteria=[BestObjectiveNotImproving(9, strict=True), MaxCost(3)],
        max_training_jobs=1,
        price_per_hour=2,
    )
    sagemaker.create_hyper_parameter_tuning_job(**request)
    until(sagemaker, "original")
    form = visitor.get("/console/new?clone=original")
    for mark in (
        'value="original-2"',
        '<option value="Minimize" selected>',
        'name="patience" value="9"',
        'name="strict" checked',
        "MaxCost 3",
        'name="price_per_hour" value="2"',
    ):
        assert mark in form.body, mark
    assert "No problem of its search space was found" in visitor.get("/console/new?propose=original").text
    page = visitor.get("/console/tuning-jobs/original/configuration").body
    titles, texts = (
        [html.unescape(text) for text in re.findall(pattern, page, re.DOTALL)]
        for pattern in (r"<summary>(.*?)</summary>", r'<pre class="log" id="text.*?>(.*?)</pre>')
    )
    codes = dict(zip(titles, texts, strict=True))
    assert [*codes] == ["Job file (YAML)", "Python", "boto3", "AWS CLI"]
    (tmp_path / "job.yaml").write_text(codes["Job file (YAML)"])
    asked = read_job_file(tmp_path / "job.yaml").request
    assert words_of(asked) == words_of({**request, "HyperParameterTuningJobName": "original-again"})
    environment = {
        "AWS_ENDPOINT_URL": served.url,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "any",
        "AWS_SECRET_ACCESS_KEY": "any",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    exec(codes["boto3"], {})
    until(sagemaker, "original-again")
    command = shlex.split(codes["AWS CLI"])
    assert command[:3] == ["aws", "sagemaker", "create-hyper-parameter-tuning-job"]
    assert json.loads(command[-1]) == {**request, "HyperParameterTuningJobName": "original-again"}


def test_a_job_of_a_function_is_cloned_where_it_can_be(visitor, served, sagemaker, make):
    with Home(served.home) as home:
        words = {"space": {"x": Continuous(0, 1)}, "function": "mine:objective", "max_training_jobs": 1}
        home.service.create(job_request(name="of-a-function", **words), function=len)
    page = visitor.get("/console/new?clone=of-a-function")
    assert (
        page.status,
        "only a Python program can run it"
        in page.text.replace("which only a Python program can run:", "only a Python program can run it"),
    ) == (422, True)
    assert "from mine import objective" in visitor.get("/console/tuning-jobs/of-a-function/configuration").text
    visitor.submit("/console/tuning-jobs/of-a-function", "/tuning-jobs/of-a-function/stop")


def test_a_job_with_an_image_is_cloned_in_fields_and_loses_nothing(visitor, served, sagemaker, make):
    """Its image, output, instances and retries have fields; what has none stays with the form, which says so."""
    names = ("imaged", "two-imaged")
    others = {"EnableInterContainerTrafficEncryption": True, "RoleArn": "arn:aws:iam::111122223333:role/a"}
    request = make(names[0], max_training_jobs=1)
    definition = request["TrainingJobDefinition"] | others
    definition["AlgorithmSpecification"]["TrainingImage"] = "acme/train:1"
    definition["OutputDataConfig"] = {"S3OutputPath": f"file://{served.home}/models"}
    definition["RetryStrategy"] = {"MaximumRetryAttempts": 2}
    definition["ResourceConfig"] = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30}
    config = dict(request["HyperParameterTuningJobConfig"])
    own = {"HyperParameterRanges": config.pop("ParameterRanges")}
    own["TuningObjective"] = config.pop("HyperParameterTuningJobObjective")
    parts = [{**definition, **own, "DefinitionName": name} for name in ("first", "second")]
    several = {"HyperParameterTuningJobConfig": config, "TrainingJobDefinitions": parts}
    with Home(served.home) as home:  # no engine runs them
        for asked in (
            {**request, "TrainingJobDefinition": definition},
            {"HyperParameterTuningJobName": names[1], **several},
        ):
            home.service.create(asked)
            home.service.request_stop(asked["HyperParameterTuningJobName"])

    def described(name):
        return sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)

    for name, prefix in zip(names, ("", "d1-"), strict=True):
        form = visitor.get(f"/console/new?clone={name}")
        fields = {"image": "acme/train:1", "output_path": f"file://{served.home}/models", "retries": "2"}
        for field, value in {**fields, "instance_type": "ml.m5.large"}.items():
            assert f'name="{prefix}{field}" value="{value}"' in form.body
        assert "the form has no field for" in form.text.lower()
        assert "ResourceConfig.VolumeSizeInGB" in form.text
        clone = visitor.go_on(form, "/new#outcome", {"do": "create", f"{prefix}image": "acme/train:2", "anyway": "on"})
        assert clone.url == f"/console/tuning-jobs/{name}-2", clone.text
        (was, *_), (cloned, *_) = (
            (told.get("TrainingJobDefinitions") or [told["TrainingJobDefinition"]])[::-1]
            for told in map(described, (name, f"{name}-2"))
        )
        was["AlgorithmSpecification"]["TrainingImage"] = "acme/train:2"
        for each in (was, cloned):
            each.pop("HyperParameterRanges", None)  # which writes numbers of its own: 0.0 for 0
        assert cloned == was

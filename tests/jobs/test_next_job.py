"""From a search space that is too narrow to the next job, by every face: Python, the command line, the console, the live view."""

import io
import json

import pytest
from click.testing import CliRunner
from rich.console import Console

import alfine
from alfine import Continuous
from alfine.api.live_view import LiveView
from alfine.cli import main
from alfine.jobs.home import Home
from alfine.surrogate.parent_evidence import prior

SPACE = {"a": Continuous(0.5, 1.5), "b": Continuous(0.5, 1.5)}
WORDS = {"metric": "loss", "max_training_jobs": 26, "progress": False, "seed": 1}


def objective(hyperparameters):
    return (hyperparameters["a"] - 2.0) ** 2 + (hyperparameters["b"] - 0.9) ** 2


@pytest.fixture(scope="module")
def narrow(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    return home, alfine.tune(objective, SPACE, name="narrow", home=home, **WORDS)


def run(home, *words):
    result = CliRunner().invoke(main, ["--home", str(home), *words], env={"COLUMNS": "80"}, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_python_has_the_remarks_and_the_words_for_the_next_job(narrow):
    home, job = narrow
    (remark,) = job.space_remarks
    assert remark.kind == "AtEdge"
    assert job.proposed() == {
        "space": {**SPACE, "a": Continuous(0.5, 2.0)},
        "warm_start": "narrow",
        "warm_start_type": "IdenticalDataAndAlgorithm",
    }
    wider = alfine.tune(objective, **job.proposed(), name="wider", home=home, **{**WORDS, "max_training_jobs": 8})
    assert wider.best.objective < job.best.objective - 0.1
    assert len(prior(wider.history)[1]) == 26


def test_describe_tells_it_and_propose_writes_the_job(narrow, tmp_path):
    home, _ = narrow
    told = json.loads(run(home, "describe", "narrow", "--json"))["Alfine"]["Space"]
    assert [(each["Kind"], each["HyperParameter"]) for each in told] == [("AtEdge", "a")]
    assert told[0]["Ranges"] == {"a": {"MinValue": "0.5", "MaxValue": "2.0"}}
    shown = " ".join(run(home, "describe", "narrow").split())
    assert "lie at the upper end of a (1.5)" in shown
    assert "alfine propose narrow" in shown
    file = tmp_path / "wider.json"
    told = " ".join(run(home, "propose", "narrow", "--output", str(file)).split())
    assert "alfine.tune(objective, {'a': Continuous(0.5, 2.0)" in told  # it runs a Python function
    assert "warm_start='narrow', …)" in told
    request = json.loads(file.read_text())
    assert request["HyperParameterTuningJobName"] == "narrow-2"
    ranges = request["HyperParameterTuningJobConfig"]["ParameterRanges"]["ContinuousParameterRanges"]
    assert {each["Name"]: each["MaxValue"] for each in ranges} == {"a": "2.0", "b": "1.5"}
    with Home(home) as opened:  # the store takes it: parents, ranges and all
        assert opened.service.create(request, lambda *_: 0.0).spec().parents == ("narrow",)


def test_a_log_says_it_once(narrow):
    home, _ = narrow
    text = io.StringIO()
    with Home(home) as opened, LiveView(Console(file=text, width=80)) as view:
        described = opened.service.describe("narrow")
        view.show_description(
            {**described, "TrainingJobStatusCounters": {**described["TrainingJobStatusCounters"], "Completed": 25}}
        )
        view.show_description(described)
    assert text.getvalue().count("lie at the upper end of a") == 1


def test_where_there_is_nothing_to_propose_it_is_said(tmp_path):
    job = alfine.tune(objective, SPACE, name="short", home=tmp_path, **{**WORDS, "max_training_jobs": 3})
    assert job.space_remarks == ()
    assert job.proposed() == {}
    assert "No problem of its search space was found." in run(tmp_path, "propose", "short")
    result = CliRunner().invoke(main, ["--home", str(tmp_path), "propose", "short", "-o", str(tmp_path / "x.json")])
    assert result.exit_code == 2
    assert "nothing to propose" in result.output
    assert not (tmp_path / "x.json").exists()


def test_a_function_gets_the_hyperparameters_that_are_fixed(tmp_path):
    given = []
    words = {**WORDS, "max_training_jobs": 1, "static": {"b": 0.9, "kind": "x"}}
    alfine.tune(lambda h: given.append(h) or 1.0, {"a": SPACE["a"]}, name="fixed", home=tmp_path, **words)
    assert {**given[0], "a": 0} == {"a": 0, "b": 0.9, "kind": "x"}


def test_a_script_of_a_job_is_run_again_from_the_file(tmp_path):
    script = tmp_path / "flat.py"
    script.write_text("print('loss=1')\n")
    words = {**WORDS, "strategy": "Random", "max_parallel": 2}
    space = {"depth": alfine.Integer(3, 12)}
    alfine.tune(script, space, name="less", home=tmp_path, **{**words, "max_training_jobs": 9})
    assert "9 of only 10 combinations" not in run(tmp_path, "propose", "less")  # the budget is smaller than the space
    alfine.tune(script, space, name="few", home=tmp_path, **{**words, "max_training_jobs": None})
    told = run(tmp_path, "propose", "few", "-o", str(tmp_path / "wider.json"))
    assert "of only 10 combinations have been launched" in told.replace("\n", " ")
    assert "alfine propose few --name more --output more.json" in run(tmp_path, "propose", "few", "--name", "more")
    assert f"alfine tune {tmp_path}/wider.json" in told.replace("\n", "")
    ranges = json.loads((tmp_path / "wider.json").read_text())["HyperParameterTuningJobConfig"]["ParameterRanges"]
    assert ranges["IntegerParameterRanges"][0]["MaxValue"] == "17"

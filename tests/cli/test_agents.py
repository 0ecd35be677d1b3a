"""The tools of `alfine mcp`, as an agent uses them; tests/integrations/test_mcp.py asks them by the protocol."""

from importlib.util import find_spec

import pytest

import alfine
from alfine.cli import main
from alfine.cli.agents.tools import CHANGING, READING, JobTools
from alfine.cli.job_access import LocalJobs
from alfine.core.errors import AlfineError, InvalidSpec, MissingExtra
from alfine.jobs.home import Home


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    alfine.tune(
        lambda hyperparameters: hyperparameters["x"],
        {"x": alfine.Integer(1, 50)},
        strategy="Random",
        max_training_jobs=5,
        name="job",
        home=folder,
        progress=False,
    )
    return folder


@pytest.fixture
def tools(home, tmp_path):
    (tmp_path / "train.py").write_text("print('loss=1')")
    with Home(home) as opened:
        jobs = LocalJobs(opened)
        yield JobTools(jobs, lambda name: f"Nobody runs {name}.", lambda file: jobs.create(file.request), tmp_path)


def test_each_tool_says_what_it_does(tools):
    for name in (*READING, *CHANGING):
        assert getattr(tools, name).__doc__.strip().endswith((".", ")."))


def test_it_lists_describes_and_says_why_it_ended(tools):
    assert tools.list_jobs().startswith("job: Completed, 5 training jobs, best objective ")
    assert tools.list_jobs(status="Failed").startswith("There are no tuning jobs in ")
    assert "5 of at most 5: 5 completed" in tools.describe_job("job")
    why = tools.why_does_it_go_on("job")
    assert why.startswith("It has ended (Completed) by MaxNumberOfTrainingJobs: 5 of at most 5 training jobs launched")
    assert "- MaxNumberOfTrainingJobs (met): " in why
    assert "Completed" in tools.watch_job("job")
    assert "saves" in tools.replay("job", ["BestObjectiveNotImproving 3"])


def test_the_best_comes_first(tools):
    objectives = [
        float(row.partition("objective ")[2].partition(",")[0]) for row in tools.training_jobs("job").splitlines()
    ]
    assert objectives == sorted(objectives)
    assert f"objective {objectives[0]:g}," in tools.best("job")


def test_it_stops_nothing_and_lets_nothing_go_on_without_confirmation(tools):
    assert tools.stop_job("job") == "job has ended already (Completed)."
    assert tools.change_job("job", max_training_jobs=9).startswith("Nothing was changed. job has ended (Completed)")
    job = {"script": "train.py", "metric": "loss", "space": {"x": {"min": 0.0, "max": 1.0}}, "max_training_jobs": 3}
    assert tools.create_job(job, name="new") == "Created new. Nobody runs new. Follow it with watch_job."
    assert tools.stop_job("new").startswith("Nothing was stopped. 0 training jobs of new would be stopped")
    assert tools.change_job("new", max_training_jobs=7) == "Changed max_training_jobs of new. Nobody runs new."
    assert tools.stop_job("new", confirm=True).startswith("new is stopping")
    assert "max_parallel 1" in tools.check_job(job) or "1 at a time" in tools.check_job(job)


@pytest.mark.parametrize(
    ("tool", "arguments", "message"),
    [
        ("create_job", {"job": {"script": "absent.py", "space": {"x": {"min": 0, "max": 1}}}}, "absent.py"),
        ("check_job", {"job": {"script": "train.py", "spce": {}}}, "Did you mean space?"),
        ("create_job", {"job": {}, "folder": "elsewhere"}, "folder: 'elsewhere' must be the absolute path of a folder"),
        ("change_job", {"name": "job"}, "job: nothing to change: give at least one of criteria, "),
        ("list_jobs", {"limit": 0}, "limit: 0 must be a whole number from 1 to 500."),
        ("log", {"training_job": "nobody"}, "nobody"),
        (
            "replay",
            {"name": "job", "criteria": ["BestObjectveNotImproving 3"]},
            "Did you mean BestObjectiveNotImproving",
        ),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(tools, tool, arguments, message):
    with pytest.raises(AlfineError) as error:
        getattr(tools, tool)(**arguments)
    assert message in str(error.value)


def test_figures_of_a_server_elsewhere_are_in_its_console():
    class Remote:
        where = "https://tuner.example"

    with pytest.raises(InvalidSpec, match="console of https://tuner.example"):
        JobTools(Remote(), str, print, None).figure("job")


@pytest.mark.skipif(find_spec("mcp") is not None, reason="the SDK is installed")
def test_without_the_sdk_it_says_how_to_install_it(tmp_path):
    with pytest.raises(MissingExtra, match=r"pip install 'alfine\[mcp\]'"):
        main(["--home", str(tmp_path), "mcp"], standalone_mode=False)

"""The commands that read a home: list, describe, training-jobs, logs, export, replay; and how all of them fail."""

import csv
import io
import json
import re
import subprocess
import sys

import pytest
from click.testing import CliRunner
from rich.console import Console

import alfine
from alfine.cli import COMMANDS, main
from alfine.cli.job_report import outcome
from alfine.cli.list_table import table_of
from alfine.cli.replay import replayed
from alfine.core.facts import Launched, Started
from alfine.core.wording import money
from alfine.jobs.analysis.replay_report import replay_report
from tests.building import at, history
from tests.missing import package

from .conftest import alfine_cli, environment


def read_json(home, *words):
    result = alfine_cli(home, *words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


# -- help and errors -----------------------------------------------------------------------------------------------------


def test_help_lists_every_command_and_imports_nothing_heavy():
    code = "import sys, alfine.cli; alfine.cli.main(['--help'], standalone_mode=False); print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment())
    shown, modules = run.stdout.rsplit("\n", 2)[:2]
    assert all(name in shown for name in COMMANDS)
    assert not {"numpy", "sqlalchemy", "rich", "scipy", "botocore", "yaml"} & set(modules.split())


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_examples(name):
    result = CliRunner().invoke(main, [name, "--help"])
    assert result.exit_code == 0
    assert any(line.strip() == "Examples:" for line in result.stdout.splitlines())  # not run into what follows it
    assert max(map(len, result.stdout.splitlines())) <= 80


@pytest.mark.parametrize("name", ["describe", "training-jobs", "logs", "stop", "delete", "export", "report", "replay"])
def test_an_unknown_job_is_one_sentence_and_exit_code_1(recorded, name):
    result = alfine_cli(recorded, name, "nothing")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: There is no ")
    assert result.stderr.count("\n") == 1


def test_an_unknown_job_with_a_name_like_a_known_one_is_said_to_be_a_slip(recorded):
    said = alfine_cli(recorded, "describe", "goood").stderr
    assert said == "error: There is no tuning job called goood. Did you mean good?\n"


def test_with_json_an_error_is_json_too(recorded):
    result = alfine_cli(recorded, "describe", "nothing", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stderr)["Error"]["Code"] == "ResourceNotFound"
    assert json.loads(alfine_cli(recorded, "describe", "--json").stderr)["Error"]["Code"] == "MissingParameter"


def test_wrong_usage_is_exit_code_2(recorded):
    assert alfine_cli(recorded, "describe").exit_code == 2
    assert alfine_cli(recorded, "tuen").exit_code == 2


def test_a_home_that_is_not_there_is_named_and_not_made(tmp_path):
    result = alfine_cli(tmp_path / "none", "describe", "x")
    assert result.exit_code == 1
    assert str(tmp_path / "none") in result.stderr
    assert not (tmp_path / "none").exists()


def test_a_home_that_is_no_database_is_one_sentence(tmp_path):
    (tmp_path / "alfine.db").write_bytes(b"not a database, by any means" * 100)
    result = alfine_cli(tmp_path, "list")
    assert result.exit_code == 1
    assert "can't be opened" in result.stderr


def test_home_is_taken_before_the_command_after_it_or_from_the_environment(recorded, tmp_path):
    def names(*words, **env):
        result = CliRunner(env=env).invoke(main, [*words, "--json"])
        return [
            row["HyperParameterTuningJobName"] for row in json.loads(result.stdout)["HyperParameterTuningJobSummaries"]
        ]

    wrong, right = str(tmp_path / "wrong"), str(recorded)
    assert names("--home", right, "list", ALFINE_HOME=wrong) == ["function", "good"]
    assert names("--home", wrong, "list", "--home", right) == ["function", "good"]
    assert names("list", ALFINE_HOME=right) == ["function", "good"]
    assert names("list", ALFINE_HOME=wrong) == []


# -- reading -------------------------------------------------------------------------------------------------------------


def test_list_has_a_row_a_job(recorded):
    lines = alfine_cli(recorded, "list").stdout.splitlines()
    assert lines[0].split() == ["Name", "Status", "Jobs", "Best", "Ended", "by", "Created"]
    assert lines[2].split()[:4] == ["good", "Completed", "8", "loss"]
    assert len(lines) == 3


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ((), ["function", "good"]),
        (("--reverse",), ["good", "function"]),
        (("--sort", "training-jobs", "--limit", "1"), ["good"]),
        (("--name", "OO"), ["good"]),
        (("--status", "failed"), []),
        (("--status", "failed", "--status", "completed", "--sort", "name"), ["function", "good"]),
        (("--tag", "team"), []),
    ],
)
def test_list_is_filtered_sorted_and_cut(recorded, words, names):
    rows = read_json(recorded, "list", *words)["HyperParameterTuningJobSummaries"]
    assert [row["HyperParameterTuningJobName"] for row in rows] == names


def test_list_says_when_it_leaves_out_all_or_some(recorded):
    assert alfine_cli(recorded, "list", "--name", "x").stdout == f"No tuning job in {recorded} is like that.\n"
    assert "1 of 2 tuning jobs" in alfine_cli(recorded, "list", "--limit", "1").stderr


@pytest.mark.parametrize(("width", "columns"), [(200, 6), (80, 5), (100, 6)])
def test_the_table_of_list_fits_a_terminal_without_a_broken_word(width, columns):
    row = {
        "HyperParameterTuningJobName": "a-name-of-thirty-two-characters-",
        "HyperParameterTuningJobStatus": "InProgress",
        "CreationTime": "2026-11-29T23:26:00+00:00",
        "HyperParameterTuningEndTime": "2026-11-29T23:27:00+00:00",
        "TrainingJobStatusCounters": {"Completed": 12345},
        "BestObjective": -1.23457e-09,
        "MetricName": "validation:rmse",
        "Verdict": {"criterion": "MaxNumberOfTrainingJobs"},
    }
    table = table_of([row], width)
    screen = Console(file=io.StringIO(), width=width)
    screen.print(table)
    lines = screen.file.getvalue().splitlines()
    assert (len(table.columns), max(map(len, lines)) <= width) == (columns, True)
    assert "a-name-of-thirty-two-characters-" in lines[1]
    assert columns < 6 or {"MaxNumberOf", "MaxNumberOfTrainingJobs"} & set(lines[1].split())


def test_describe_answers_with_the_fields_of_amt(recorded):
    described = read_json(recorded, "describe", "good")
    assert described["HyperParameterTuningJobStatus"] == "Completed"
    assert described["TrainingJobStatusCounters"]["Completed"] == 8
    assert described["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]["MetricName"] == "loss"


def test_describe_shows_why_it_ended_and_what_it_cost(recorded):
    shown = alfine_cli(recorded, "describe", "good").stdout
    assert "good  Completed by MaxNumberOfTrainingJobs" in shown
    assert "8 of at most 8: 8 completed" in shown
    assert "20 min 00 s of compute time, cost 0.17 USD" in shown
    assert "0.0 to 1.0  continuous" in shown
    assert not any(line.endswith(" ") for line in shown.splitlines())


def test_training_jobs_are_filtered_sorted_and_cut(recorded):
    rows = read_json(recorded, "training-jobs", "good", "--sort", "objective", "--limit", "3")["TrainingJobSummaries"]
    values = [row["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] for row in rows]
    assert values == sorted(values)
    assert len(values) == 3
    assert read_json(recorded, "training-jobs", "good", "--status", "failed")["TrainingJobSummaries"] == []
    table = alfine_cli(recorded, "training-jobs", "good").stdout.splitlines()
    assert [line.split()[0] for line in table] == ["No.", *"12345678"]


def test_logs_are_found_by_training_job_by_number_and_by_best(recorded):
    best = read_json(recorded, "describe", "good")["BestTrainingJob"]["TrainingJobName"]
    by_name = alfine_cli(recorded, "logs", best).stdout
    assert by_name.startswith("starting\nepoch 0: loss=1.")
    assert alfine_cli(recorded, "logs", "good", "--best").stdout == by_name
    assert alfine_cli(recorded, "logs", "good", "--number", str(int(best.split("-")[1]))).stdout == by_name
    assert alfine_cli(recorded, "logs", best, "--follow").stdout == by_name


@pytest.mark.parametrize(("lines", "count"), [(0, 0), (1, 1), (3, 3), (50, 4)])
def test_logs_gives_the_last_lines(recorded, lines, count):
    shown = alfine_cli(recorded, "logs", "good", "--number", "1", "--lines", str(lines)).stdout
    everything = alfine_cli(recorded, "logs", "good", "--number", "1").stdout
    assert everything.endswith(shown)
    assert len(shown.splitlines()) == count


def test_logs_says_what_is_not_there(recorded):
    assert (
        "has no training job number 99: it has 8 training jobs."
        in alfine_cli(recorded, "logs", "good", "--number", "99").stderr
    )
    assert "ran a Python function" in alfine_cli(recorded, "logs", "function").stderr
    assert alfine_cli(recorded, "logs", "good", "--number", "1", "--best").exit_code == 2


def test_export_writes_csv_json_and_parquet(recorded, tmp_path):
    rows = list(csv.DictReader(alfine_cli(recorded, "export", "good").stdout.splitlines()))
    assert [row["number"] for row in rows] == list("12345678")
    assert [row["x"] for row in read_json(recorded, "export", "good")] == [float(row["x"]) for row in rows]
    target = tmp_path / "good.json"
    assert alfine_cli(recorded, "export", "good", "--output", str(target)).exit_code == 0
    assert len(json.loads(target.read_text())) == 8
    result = alfine_cli(recorded, "export", "good", "--output", str(tmp_path / "good.parquet"))
    assert result.exit_code == 0 or "pip install 'alfine[parquet]'" in result.stderr


def test_report_writes_one_page_without_anything_from_elsewhere(recorded, tmp_path):
    target = tmp_path / "good.html"
    arguments = ("report", "good", "--criterion", "MaxNumberOfTrainingJobs 4", "--output", str(target))
    assert alfine_cli(recorded, *arguments).exit_code == 0
    page = target.read_text()
    assert page.count("<svg") >= 6
    assert "MaxNumberOfTrainingJobs limit=4: 4" in page
    assert not re.search(r"(src|href)=[\"']?(https?:)?//", page)
    assert "'Nothing' isn't one" in alfine_cli(recorded, "report", "good", "--criterion", "Nothing").stderr


@pytest.fixture(scope="module")
def conditional(tmp_path_factory):
    """A home with a job whose hyperparameters aren't all choices everywhere; the first training job has but one."""
    home = tmp_path_factory.mktemp("conditional")
    space = {
        "kind": alfine.Categorical(["plain", "deep"]),
        "depth": alfine.Integer(1, 9, requires={"kind": "deep"}),
        "rate": alfine.Continuous(0, 1, requires={"kind": "deep"}),
    }
    words = {"forbid": "depth > 8", "start_with": {"kind": "plain"}, "max_training_jobs": 9, "seed": 1}
    alfine.tune(lambda hp: float(hp.get("depth", 4)), space, name="job", home=home, strategy="Random", **words)
    return home


def test_describe_says_when_hyperparameters_are_choices_and_what_is_never_tried(conditional):
    shown = alfine_cli(conditional, "describe", "job").stdout
    for words in (
        "depth  1 to 9       integer, Linear (Auto), if kind = deep",
        "forbidden     depth > 8",
        "starts with   kind=plain",
    ):
        assert words in shown, shown
    told = read_json(conditional, "describe", "job")["Alfine"]
    assert told["Conditions"] == {"depth": "kind = deep", "rate": "kind = deep"}
    assert (told["Forbidden"], told["StartWith"]) == (["depth > 8"], [{"kind": "plain"}])


def test_what_auto_scaling_chose_is_said(tmp_path):
    wide = {
        "lr": alfine.Continuous(1e-5, 1e-1),
        "n": alfine.Integer(1, 64),
        "x": alfine.Continuous(0, 1, scaling="Linear"),
    }
    alfine.tune(lambda hp: hp["x"], wide, name="wide", home=tmp_path, strategy="Random", max_training_jobs=1)
    shown = alfine_cli(tmp_path, "describe", "wide").stdout
    for words in ("1e-05 to 0.1  continuous, Logarithmic (Auto)", "1 to 64       integer, Linear (Auto)"):
        assert words in shown, shown
    assert re.search(r"x +0 to 1 +continuous, Linear *\n", shown), shown
    assert read_json(tmp_path, "describe", "wide")["Alfine"]["AutoScaling"] == {"lr": "Logarithmic", "n": "Linear"}


def test_list_knows_tags(conditional):
    assert alfine_cli(conditional, "note", "job", "--tag", "team=vision").exit_code == 0
    for tag, found in (("team", 1), ("team=vision", 1), ("team=tables", 0), ("paper", 0)):
        assert len(read_json(conditional, "list", "--tag", tag)["HyperParameterTuningJobSummaries"]) == found


def test_every_exported_row_has_every_column_in_the_order_of_the_space(conditional, tmp_path):
    rows = list(csv.DictReader(alfine_cli(conditional, "export", "job").stdout.splitlines()))
    assert list(rows[0])[5:8] == ["kind", "depth", "rate"]
    assert all((row["depth"] == "") == (row["kind"] == "plain") for row in rows)
    assert {row["kind"] for row in rows} == {"plain", "deep"}
    assert read_json(conditional, "export", "job")[0]["depth"] is None
    parquet = package("pyarrow.parquet")
    alfine_cli(conditional, "export", "job", "--output", str(tmp_path / "job.parquet"))
    assert parquet.read_table(tmp_path / "job.parquet").column("depth").null_count < 9


def test_replay_tries_each_criterion_alone_and_all_together(recorded):
    words = [
        "replay",
        "good",
        "--criterion",
        "TargetObjectiveMetricValue 9",
        "--criterion",
        "BestObjectiveNotImproving 3",
    ]
    rows = read_json(recorded, *words)["Replays"]
    assert [len(row["Criteria"]) for row in rows] == [1, 1, 2]
    assert rows[0]["Verdict"]["criterion"] == "TargetObjectiveMetricValue"
    assert rows[0]["SavedTrainingJobs"] == 8 - rows[0]["TrainingJobs"] > 0
    assert rows[0]["SavedMoney"] == pytest.approx(rows[0]["SavedTrainingSeconds"] / 3600 * 0.5)
    shown = alfine_cli(recorded, *words).stdout
    assert "all together" in shown
    assert "as good as the record" in shown
    assert f"takes  {rows[0]['TrainingSeconds']:.1f} s of training time, cost {money(rows[0]['Money'])}" in shown


def test_a_replay_of_a_running_job_counts_its_time_as_the_record_does():
    past = history([1.0, 2.0])
    for number, second in ((3, 3), (4, 5)):
        past.record(Launched(at=at(second), number=number, name=f"job-{number}", hyperparameters={}))
        past.record(Started(at=at(second), number=number))
    line, _, table = replayed("job", replay_report(past, ["TargetObjectiveMetricValue 0"]))
    assert line.startswith("job as recorded so far: 4 training jobs, 2 still running, 4.0 s of training time")
    assert "4.0 s of training time" in list(table.columns[1].cells)[1].plain


def test_describe_of_a_running_job_forecasts_its_end_in_training_jobs_time_and_money(tmp_path):
    class Crash(Exception):
        pass

    def until_15(job):
        if job.history.ended >= 15:
            raise Crash

    words = {"name": "running", "strategy": "Random", "max_training_jobs": 60, "price_per_hour": 7200.0}
    space = {"x": alfine.Continuous(0, 1)}
    with pytest.raises(Crash):
        alfine.tune(lambda hp: 1 + hp["x"], space, home=tmp_path, seed=1, progress=until_15, **words)
    told = read_json(tmp_path, "describe", "running")["Alfine"]["Forecast"]
    shown = alfine_cli(tmp_path, "describe", "running").stdout
    (line,) = [line for line in shown.splitlines() if line.startswith("forecast")]
    assert f"ends after {round(told['TrainingJobs']['Middle'])} more training jobs, in " in line
    low, middle, high = (money(told["Money"][key]) for key in ("Low", "Middle", "High"))
    assert f", for {middle} ({low} to {high}), likely by MaxNumberOfTrainingJobs (100 %)" in line
    assert "the remaining 45 would gain about" in line
    described = read_json(tmp_path, "describe", "running")
    described["ConsumedResources"]["RuntimeInSeconds"] = 0  # whole seconds, as AWS has them
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(*outcome(described))
    assert " in less than 1 s" in console.export_text()


def test_replay_refuses_what_is_no_criterion(recorded):
    result = alfine_cli(recorded, "replay", "good", "--criterion", "Nope 3")
    assert result.exit_code == 2
    assert "'Nope' isn't one. Known: TargetObjectiveMetricValue" in result.stderr


# -- metrics-test --------------------------------------------------------------------------------------------------------

LOG = "start\nepoch 1 loss=0.5\nepoch 2 loss=nan\nepoch 3 loss=0.25\n"


def metrics_test(*words, log=LOG):
    return CliRunner().invoke(main, ["metrics-test", *words], input=log)


def test_metrics_test_shows_each_match_with_its_line():
    result = metrics_test(r"loss=(\S+)")
    assert [line.split()[:2] for line in result.stdout.splitlines()] == [["2", "0.5"], ["4", "0.25"]]
    assert "note: metric printed nan 1 time" in result.stderr
    assert "2 values; the last one, 0.25" in result.stderr


def test_metrics_test_shows_the_nearest_lines_when_nothing_matches(tmp_path):
    (tmp_path / "log").write_text(LOG)
    result = metrics_test("loss: ([0-9.]+)", str(tmp_path / "log"))
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "Similar lines:\n  epoch 3 loss=0.25" in result.stderr


def test_metrics_test_explains_a_bad_regex():
    result = metrics_test("loss=([0-9.+")
    assert result.exit_code == 2
    assert "doesn't compile" in result.stderr
    assert "captures nothing" in metrics_test("loss=[0-9.]+").stderr


def test_metrics_test_speaks_json():
    found = json.loads(metrics_test("loss=([0-9.]+)", "--json").stdout)
    assert [match["LineNumber"] for match in found["Matches"]] == [2, 4]

"""The commands against a server, signed, as on a home; and what becomes of a job that is created without being run."""

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request

import pytest
from click.testing import CliRunner

from alfine.cli import main
from alfine.cli.remote_jobs import RemoteJobs
from alfine.core.errors import InvalidSpec
from alfine.jobs.home import Home
from tests.aws.conftest import Served
from tests.aws.test_keys import key_of
from tests.cli.conftest import JOB, Folder, environment, until

DATA = """
import argparse, os
parser = argparse.ArgumentParser()
parser.add_argument("--x", type=float)
args, _ = parser.parse_known_args()
here = os.path.dirname(os.path.abspath(__file__))
print("with", open(f"{os.environ['SM_CHANNEL_TRAIN']}/deep/data.csv").read(), open(f"{here}/helper.txt").read())
print(f"loss={args.x}")
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    key = key_of(home)
    server = Served(home, signed=True)
    yield server, key
    server.end()


@pytest.fixture
def alfine(served, monkeypatch):
    """A command against the server, in this process."""
    server, (id_, secret) = served
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ALFINE_ENDPOINT", server.url)
    monkeypatch.setenv("ALFINE_ACCESS_KEY_ID", id_)
    monkeypatch.setenv("ALFINE_SECRET_ACCESS_KEY", secret)

    def run(*words, code=0):
        result = CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)
        assert result.exit_code == code, result.output
        return result

    return run


@pytest.mark.parametrize("where", ["--upload", "--no-upload"])
def test_a_job_is_created_watched_read_and_deleted_on_a_server(alfine, folder, where):
    name = f"far{where.replace('-', '')}"
    (folder.path / "train.py").write_text(DATA)
    (folder.path / "helper.txt").write_text("a helper")
    (folder.path / "data" / "deep").mkdir(parents=True)
    (folder.path / "data" / "deep" / "data.csv").write_text("its data")
    job = folder.job(JOB + f"name: {name}\nchannels: {{train: data}}\n")
    created = alfine("create", job, where)
    assert f"Created {name}" in created.stdout
    assert ("sourcedir.tar.gz" in created.stderr) is (where == "--upload")

    lines = [json.loads(line) for line in alfine("watch", name, "--json").stdout.splitlines()]
    assert lines[-1]["HyperParameterTuningJobStatus"] == "Completed"
    assert len({json.dumps({**line, "ConsumedResources": 0}) for line in lines}) == len(lines)
    assert "Completed" in alfine("watch", name).stdout

    described = json.loads(alfine("describe", name, "--json").stdout)
    assert described["Alfine"]["Verdict"]["criterion"] == "MaxNumberOfTrainingJobs"
    assert name in alfine("list").stdout
    same = ("list", "--name", name.upper(), "--sort", "best", "--limit", "1", "--json")
    assert json.loads(alfine(*same, "--status", "completed").stdout)["HyperParameterTuningJobSummaries"][0][
        "BestObjective"
    ]
    assert json.loads(alfine(*same, "--tag", "team=none").stdout)["HyperParameterTuningJobSummaries"] == []
    rows = json.loads(alfine("training-jobs", name, "--json").stdout)["TrainingJobSummaries"]
    assert [row["TrainingJobStatus"] for row in rows] == ["Completed"] * 4
    log = alfine("logs", name, "--number", "2").output
    assert "with its data a helper" in log
    assert rows[1]["TrainingJobName"] in log
    assert alfine("logs", name, "--best", "--lines", "1").stdout.startswith("loss=")
    assert "loss=" in alfine("logs", rows[0]["TrainingJobName"], "--follow").stdout

    told = json.loads(alfine("replay", name, "--criterion", "MaxNumberOfTrainingJobs 2", "--json").stdout)
    assert told["Recorded"]["TrainingJobs"] == 4
    assert [row["TrainingJobs"] for row in told["Replays"]] == [2]
    assert "4 training jobs" in alfine("replay", name).stdout
    assert "'Nothing' isn't one" in alfine("replay", name, "--criterion", "Nothing", code=2).output
    table = alfine("export", name).stdout.splitlines()
    assert len(table) == 5
    assert table[0].startswith("number,name,status,objective")
    assert len(json.loads(alfine("export", name, "--json").stdout)) == 4
    report = folder.path / "report.html"
    alfine("report", name, "--output", str(report))
    assert name in report.read_text()

    assert "Its files are kept in http" in alfine("delete", name, "--yes").stdout
    assert name not in alfine("list").stdout
    alfine("describe", name, code=1)


def test_a_job_on_a_server_is_stopped(alfine, folder):
    job = folder.job(JOB + f"name: stopped\nstatic: {{wait-for: {folder.path / 'never'}}}\n")
    alfine("create", job)
    assert "Stopped" in alfine("stop", "stopped", "--wait").stdout
    assert "already ended" in alfine("stop", "stopped", code=2).output
    alfine("watch", "stopped", code=130)


def test_a_job_on_a_server_is_stopped_by_force(alfine, folder):
    job = folder.job(JOB + f"name: forced\nstatic: {{wait-for: {folder.path / 'never'}}}\n")
    alfine("create", job, "--no-upload")
    until(lambda: "InProgress" in alfine("training-jobs", "forced").stdout, "one runs")
    answer = json.loads(alfine("stop", "--force", "--yes", "--json", "forced").stdout)
    assert answer == {
        "HyperParameterTuningJobName": "forced",
        "HyperParameterTuningJobStatus": "Stopped",
        "StillRunning": [],
    }
    assert "already ended" in alfine("stop", "--force", "--yes", "forced", code=2).output
    alfine("delete", "--yes", "forced")


def test_ctrl_c_ends_the_watching_and_not_the_job(alfine, folder, served):
    marker = folder.path / "go"
    job = folder.job(JOB + f"name: watched\nstatic: {{wait-for: {marker}}}\n")
    alfine("create", job)
    argv = [sys.executable, "-m", "alfine", "watch", "watched", "--json"]
    pipe = subprocess.PIPE
    watching = subprocess.Popen(argv, stdout=pipe, stderr=pipe, text=True, env=environment())
    assert json.loads(watching.stdout.readline())["HyperParameterTuningJobStatus"] == "InProgress"
    watching.send_signal(signal.SIGINT)
    _, said = watching.communicate(timeout=40)
    assert (watching.returncode, "watched runs on" in said) == (130, True), said
    marker.touch()
    alfine("watch", "watched")


def test_what_a_server_refuses_is_told_as_at_home(alfine, folder, monkeypatch, served):
    assert "There is no" in alfine("logs", "nobody", code=1).output
    alfine("describe", "nobody", code=1)
    alfine("stop", "nobody", code=1)
    wrong = folder.job(JOB.replace("max: 1.0", "max: -1.0"))
    alfine("create", wrong, code=2)
    (folder.path / "train.py").unlink()
    assert "there is no" in alfine("create", folder.job(), code=2).output
    assert "doesn't exist." in alfine("create", folder.job(JOB + "channels: {a: gone}\n"), "--upload", code=2).output
    told = alfine("create", folder.job(JOB + "static: {x: 3}\n"), "--json", code=2)
    assert [each["Path"] for each in json.loads(told.stderr)["Error"]["Faults"]] == ["static.x"]
    told = alfine("create", folder.job(JOB + "max_runtime_seconds: 5\n"), code=2)
    assert (
        "max_runtime_seconds: AWS's rules, which a server checks, don't allow '5': Member must have value"
        in told.stderr
    )
    told = alfine("create", folder.job(JOB + "warm_start: [runs.csv]\n"), code=2)
    assert "warm_start: file://" in told.output
    assert "is a table of results, which a server doesn't accept as a parent" in told.output.replace("\n", " ")
    monkeypatch.setenv("ALFINE_SECRET_ACCESS_KEY", "wrong")
    assert "signature" in alfine("list", code=1).output
    monkeypatch.delenv("ALFINE_SECRET_ACCESS_KEY")
    refused = " ".join(alfine("list", code=1).output.split())
    assert "security token" in refused
    assert 'No access key is set here. On the server\'s machine: eval "$(alfine client)"' in refused
    monkeypatch.setenv("ALFINE_HOME", str(served[0].home))  # its own server: the key lies there
    alfine("list")


def test_a_job_on_a_server_is_changed_and_goes_on_there(alfine, folder):
    alfine("create", folder.job(JOB + "name: changing\n"))
    alfine("watch", "changing")
    told = alfine("change", "changing", "--max-training-jobs", 7, "--criterion", "TargetObjectiveMetricValue -9")
    assert "Changed changing." in told.stdout
    alfine("watch", "changing")
    described = json.loads(alfine("describe", "changing", "--json").stdout)
    assert described["TrainingJobStatusCounters"]["Completed"] == 7
    assert "TargetObjectiveMetricValue" in [each["criterion"] for each in described["Alfine"]["Verdicts"]]
    told = alfine("change", "changing", "--max-training-jobs", 5, code=2)
    assert "would end again at once. MaxNumberOfTrainingJobs: 7 training jobs launched (the limit is 5)" in told.stderr
    assert "'Nothing' isn't one" in alfine("change", "changing", "--criterion", "Nothing", code=2).stderr
    assert "There is no tuning job" in alfine("change", "nobody", "--max-training-jobs", 5, code=1).stderr
    told = alfine("change", "changing2", "--max-training-jobs", 5, code=1).stderr
    assert "There is no tuning job called changing2. Did you mean changing?" in told


@pytest.mark.parametrize(
    "words",
    [
        {"max_training_jobs": "many"},
        {"max_parallel": 0},
        {"max_runtime_seconds": []},
        {"early_stopping": 3},
        {"at_end": {"a": 1}},
        {"price_per_hour": "dear"},
        {"repeats": [1, 2]},
        {"criteria": 7},
        {"criteria": [{"a": 1}]},
        {"max_trials": 3},
        {},
    ],
)
def test_changes_that_are_none_are_refused_with_a_reason(alfine, folder, served, words):
    folder.job(JOB + "name: unchanged\n")
    if "unchanged" not in alfine("list").stdout:
        alfine("create", folder.path / "job.yaml")
        alfine("watch", "unchanged")
    with pytest.raises(InvalidSpec):
        RemoteJobs(served[0].url).change("unchanged", **words)


def test_a_note_and_tags_are_written_on_a_server(alfine, folder):
    folder.job(JOB + "name: noted\n")
    alfine("create", folder.path / "job.yaml")
    alfine("note", "noted", "Too wide.", "--tag", "team=vision", "--tag", "paper")
    answer = alfine("note", "noted", "--untag", "paper", "--json").stdout
    assert json.loads(answer) == {"Note": "Too wide.", "Tags": {"team": "vision"}}
    (row,) = [
        row for row in json.loads(alfine("list", "--json").stdout)["HyperParameterTuningJobSummaries"] if "Note" in row
    ]
    assert (row["HyperParameterTuningJobName"], row["Note"], row["Tags"]) == ("noted", "Too wide.", {"team": "vision"})
    assert "setting of alfine" in alfine("note", "noted", "--tag", "alfine:seed=1", code=2).output
    alfine("watch", "noted")


def test_the_servers_region_is_found_out(alfine, folder, monkeypatch):
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    job = folder.job(JOB + "name: regional\n")
    assert "s3://sagemaker-us-east-1-" in alfine("create", job, "--upload").stderr
    alfine("watch", "regional")


def test_an_endpoint_must_be_one(alfine, tmp_path):
    assert "must be a URL" in alfine("list", "--endpoint", "somewhere", code=2).output
    assert "no alfine server answers at" in alfine("list", "--endpoint", "http://127.0.0.1:1", code=1).output
    assert "can't be combined" in alfine("list", "--endpoint", "http://127.0.0.1:1", "--home", tmp_path, code=2).output


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("tuning-jobs", 400),
        ("training-jobs/x/log?lines=1", 400),
        ("tuning-jobs/x/changes", 400),
    ],
)
def test_alfines_own_documents_are_guarded_too(served, path, wanted):
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(f"{served[0].url}/_alfine/{path}")
    assert (error.value.code, b"MissingAuthenticationToken" in error.value.read()) == (wanted, True)
    error.value.close()


def test_a_job_created_at_home_is_run_by_the_server_of_that_home_or_by_tune(folder: Folder):
    assert "alfine serve" in folder.run("create", str(folder.job(JOB + "name: first\n"))).output
    assert folder.recorded("first").status == "InProgress"
    assert folder.running("first") == 0
    server = Served(folder.home)
    try:
        until(lambda: folder.recorded("first").ended, "ended by a server that was started later")
        folder.run("create", str(folder.job(JOB + "name: second\n")))
        until(lambda: folder.recorded("second").ended, "ended by a server that ran already")
    finally:
        server.end()
    job = folder.job(JOB + "name: third\n")
    folder.run("create", str(job))
    assert "already exists" in folder.run("create", str(job)).output
    assert folder.run("tune", str(job)).exit_code == 0
    with Home(folder.home) as home:
        assert {job.status for job in home.store.list()} == {"Completed"}

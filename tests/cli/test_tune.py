"""alfine tune, stop and delete, as a user meets them: real processes, real signals."""

import json
import os
import pty
import shlex
import signal

import pytest

import alfine

from .conftest import JOB, environment, until

WAITING = JOB + "max_parallel: 2\nstatic: {wait-for: GATE}\n"


def waiting(folder):
    """A job file whose training jobs wait until `open_gate`."""
    return folder.job(WAITING.replace("GATE", str(folder.path / "gate")))


def open_gate(folder):
    (folder.path / "gate").touch()


# -- to the end ----------------------------------------------------------------------------------------------------------


def test_tune_runs_to_the_end_and_tells_why_what_and_at_what_cost(folder):
    job = folder.job(JOB + "max_runtime_seconds: 3600\nprice_per_hour: 0.23\n")
    result = folder.run("tune", str(job), "--max-parallel", "4")
    assert result.exit_code == 0
    assert (
        "cost: at most 4 h 00 min of compute time (1 h 00 min runtime x 4 parallel x 1 instance), cost 0.92 USD at 0.23 USD per instance hour"
        in result.stderr
    )
    assert "the best so far (x=" in result.stderr
    assert "4 of 4 training jobs ended after" in result.stderr
    assert "job  Completed by MaxNumberOfTrainingJobs" in result.stdout
    assert "4 of at most 4: 4 completed" in result.stdout


def test_tune_says_when_nothing_bounds_the_cost_and_quiet_leaves_the_progress_out(folder):
    result = folder.run("tune", str(folder.job()), "--max-training-jobs", "1", "--quiet")
    assert "cost: not limited. Set a maximum runtime" in result.stderr
    assert "best so far" not in result.stderr


def test_json_is_the_describe_document_and_nothing_else(folder):
    result = folder.run(
        "tune", str(folder.job()), "--max-training-jobs", "2", "--criterion", "TargetObjectiveMetricValue 99", "--json"
    )
    assert result.stderr == ""
    described = json.loads(result.stdout)
    assert described["HyperParameterTuningJobStatus"] == "Completed"
    assert described["Alfine"]["Verdict"]["criterion"] == "TargetObjectiveMetricValue"


def test_a_job_whose_training_jobs_all_fail_is_exit_code_1_with_the_reason(folder):
    (folder.path / "train.py").write_text("raise SystemExit('no such column: y')\n")
    result = folder.run("tune", str(folder.job()), "--max-training-jobs", "9")
    assert result.exit_code == 1
    assert "job  Failed by NoTrainingJobSucceeded" in result.stdout
    assert "no such column: y" in result.stdout


def test_several_algorithms_share_a_job_and_each_is_tried(folder):
    several = """\
metric: loss
definitions:
  good: {command: [sh, -c, "echo loss=1"], space: {x: {min: 0.0, max: 1.0}}}
  better: {command: [sh, -c, "echo loss=0"], space: {y: {min: 0.0, max: 1.0}}}
max_training_jobs: 6
"""
    result = folder.run("tune", str(folder.job(several)), "--json")
    assert result.exit_code == 0, result.output
    described = json.loads(result.stdout)
    assert described["BestTrainingJob"]["TrainingJobDefinitionName"] == "better"
    listed = folder.run("training-jobs", "job").stdout
    assert "good" in listed
    assert "better" in listed


def test_an_ended_job_is_not_run_again(folder):
    job = str(folder.job())
    folder.run("tune", job, "--max-training-jobs", "1")
    result = folder.run("tune", job, "--max-training-jobs", "1")
    assert result.exit_code == 1
    assert "alfine delete job" in result.stderr
    assert folder.run("tune", job, "--max-training-jobs", "1", "--name", "again").exit_code == 0


# -- what can't run ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (JOB.replace("train.py", "nothing.py"), "error: script: there is no file "),
        (JOB + "channels: {train: nowhere}", "error: channels.train: there is nothing at "),
        (JOB + "static: {x: 1}", "error: static.x: this hyperparameter also has a range."),
        (JOB + "metrics: {acc: 'acc=[0-9]+'}", "error: metrics.acc: regex 'acc=[0-9]+' has no group."),
        (JOB.replace("Random", "Grid"), "error: space: Grid takes categorical ranges only"),
        (JOB.replace("Random", "Hyperband"), "error: max_resource: is missing: how many values"),
        (JOB + "name: under_score", "error: name: 'under_score' isn't a name."),
        (JOB + "max_job: 3", "error: max_job: isn't known. Did you mean max_training_jobs?"),
    ],
)
def test_a_job_that_cannot_run_is_refused_before_anything_is_kept(folder, text, said):
    result = folder.run("tune", str(folder.job(text)))
    assert result.exit_code == 2
    assert said in result.stderr
    assert "Traceback" not in result.stderr
    assert (
        not folder.home.exists()
        or json.loads(folder.run("list", "--json").stdout)["HyperParameterTuningJobSummaries"] == []
    )


def test_every_fault_has_a_line_of_its_own(folder):
    result = folder.run("tune", str(folder.job(JOB + "goal: up\nwarm: 3")))
    assert [line.split()[:2] for line in result.stderr.splitlines()] == [["error:", "goal:"], ["error:", "warm:"]]
    as_json = folder.run("tune", str(folder.path / "job.yaml"), "--json")
    assert [fault["Path"] for fault in json.loads(as_json.stderr)["Error"]["Faults"]] == ["goal", "warm"]


# -- dry run -------------------------------------------------------------------------------------------------------------


def test_a_dry_run_shows_what_is_read_and_keeps_nothing(folder):
    result = folder.run("tune", str(folder.job(JOB + "metrics: {acc: 'acc=([0-9.]+)'}")), "--dry-run")
    assert result.exit_code == 0
    assert "train.py --x 0." in result.stdout
    assert "loss  the objective: 3 values, the last 0." in result.stdout
    assert "line 2" in result.stdout
    assert "acc  a metric: no value; 'acc=([0-9.]+)' matches no line" in result.stdout
    assert "epoch 2: loss=" in result.stdout.split("similar lines:")[1]
    assert "4 training jobs x" in result.stdout
    assert not folder.home.exists()


def test_a_dry_run_runs_where_the_home_says(folder):
    folder.home.mkdir()
    (folder.home / "alfine.toml").write_text("[run]\nrequirements = 'perhaps'\n")
    result = folder.run("tune", str(folder.job()), "--dry-run")
    assert (result.exit_code, result.stderr.count("'perhaps' isn't one of install, ignore")) == (2, 1)
    (folder.home / "alfine.toml").write_text("[prices.per_hour]\nlocal = 3\n")
    priced = JOB + "criteria: [MaxCost 1]\n"
    result = folder.run("tune", str(folder.job(priced)), "--dry-run")
    assert result.exit_code == 0, result.stderr
    assert folder.run("list").stdout == f"There are no tuning jobs in {folder.home}.\n"


def test_a_dry_run_whose_objective_is_not_found_is_exit_code_1(folder):
    result = folder.run("tune", str(folder.job(JOB.replace("metric: loss", "metric: auc"))), "--dry-run", "--json")
    assert result.exit_code == 1
    (metric,) = json.loads(result.stdout)["Metrics"]
    assert metric["Matches"] == []
    assert metric["NearestLines"]


def test_a_dry_run_of_a_script_that_fails_says_how(folder):
    (folder.path / "train.py").write_text("raise SystemExit(3)\n")
    result = folder.run("tune", str(folder.job()), "--dry-run")
    assert result.exit_code == 1
    assert "AlgorithmError: exit code: 3" in result.stdout


# -- interrupted ---------------------------------------------------------------------------------------------------------


def test_ctrl_c_stops_the_job_and_its_training_jobs(folder):
    process = folder.start("tune", str(waiting(folder)))
    until(lambda: folder.running() == 2, "two training jobs run")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=40)
    assert process.returncode == 130
    assert "Stopping 2 training jobs (Ctrl-C again to end them at once)" in err
    assert "job  Stopped by StopRequested" in out
    assert "2 stopped" in out
    assert folder.recorded().status == "Stopped"
    going_on = err.splitlines()[-1].removeprefix("To go on with it: alfine ")
    open_gate(folder)
    result = folder.run(*shlex.split(going_on))
    assert result.exit_code == 0, result.output
    assert "job  Completed by MaxNumberOfTrainingJobs" in result.stdout


def test_a_second_ctrl_c_ends_training_jobs_that_will_not_go(folder):
    stubborn = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    (folder.path / "train.py").write_text(stubborn + (folder.path / "train.py").read_text())
    waiting(folder).write_text((folder.path / "job.yaml").read_text().replace("grace_seconds: 5", "grace_seconds: 600"))
    process = folder.start("tune", str(folder.path / "job.yaml"))
    until(
        lambda: sum(b"starting" in log.read_bytes() for log in folder.home.rglob(".alfine/log")) == 2,
        "two training jobs run and ignore SIGTERM",
    )
    process.send_signal(signal.SIGINT)
    until(lambda: folder.recorded().status == "Stopping", "the first Ctrl-C is heard")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=40)
    assert process.returncode == 130
    assert "Ending 2 training jobs at once" in err


def test_after_sigkill_the_same_command_goes_on_with_the_job(folder):
    process = folder.start("tune", str(waiting(folder)))
    until(lambda: folder.running() == 2, "two training jobs run")
    process.kill()
    process.communicate()
    open_gate(folder)
    result = folder.run("tune", str(folder.path / "job.yaml"))
    assert result.exit_code == 0
    assert "Resuming job after 2 training jobs" in result.stderr
    assert "4 of at most 4: 4 completed" in result.stdout


def test_another_request_does_not_go_on_with_an_interrupted_job(folder):
    process = folder.start("tune", str(waiting(folder)))
    until(lambda: folder.running() == 2, "two training jobs run")
    process.kill()
    process.communicate()
    result = folder.run("tune", str(folder.path / "job.yaml"), "--max-training-jobs", "9")
    assert result.exit_code == 1
    assert "but had other settings: max_training_jobs is 9 and was 4. To resume it" in result.stderr
    stopped = folder.run("stop", "job")  # nobody runs it: carried out here
    assert stopped.exit_code == 0
    assert "job  Stopped by StopRequested" in stopped.stdout


def test_sigterm_leaves_the_training_jobs_running(folder):
    process = folder.start("tune", str(waiting(folder)))
    until(lambda: folder.running() == 2, "two training jobs run")
    process.terminate()
    _, err = process.communicate(timeout=40)
    assert process.returncode == 128 + signal.SIGTERM
    assert "2 training jobs still run" in err
    assert folder.recorded().status == "InProgress"
    open_gate(folder)
    assert "4 of at most 4: 4 completed" in folder.run("tune", str(folder.path / "job.yaml")).stdout


def test_stop_asks_the_process_that_runs_the_job_and_delete_forgets_it(folder):
    process = folder.start("tune", str(waiting(folder)))
    until(lambda: folder.running() == 2, "two training jobs run")
    refused = folder.run("delete", "job", "--yes")
    assert refused.exit_code == 1
    assert "Stop it first: alfine stop job --wait" in refused.stderr
    result = folder.run("stop", "job", "--wait")
    assert result.exit_code == 0
    assert "Asked the process that runs job to stop it. Waiting for its end." in result.stderr
    assert "job  Stopped by StopRequested" in result.stdout
    process.communicate(timeout=40)
    assert process.returncode == 130
    assert "already ended (Stopped)" in folder.run("stop", "job").stderr
    assert folder.run("delete", "job").exit_code == 2  # nobody to ask
    assert folder.run("delete", "job", "--yes").exit_code == 0
    assert not (folder.home / "tuning-jobs" / "job").exists()


def test_the_live_view_gives_the_terminal_back_after_ctrl_c(folder):
    pid, terminal = pty.fork()
    if pid == 0:
        env = {**environment(), "TERM": "xterm", "COLUMNS": "80", "LINES": "24"}
        argv = [os.sys.executable, "-m", "alfine", "--home", str(folder.home), "tune", str(waiting(folder))]
        os.execvpe(argv[0], argv, env)
    screen = b""

    def shows(text: bytes) -> bool:
        nonlocal screen
        try:
            screen += os.read(terminal, 1 << 16)
        except OSError:  # its other end is closed
            return True
        return text in screen

    until(lambda: shows(b"2 running"), "the live view")
    os.write(terminal, b"\x03")
    until(lambda: shows(b"Stopped"), "the summary")
    until(lambda: shows(b"no such text, so until the end"), "the end")
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 130
    assert b"MaxNumberOfTrainingJobs" in screen
    assert screen.rfind(b"\x1b[?25h") > screen.rfind(b"\x1b[?25l") > 0  # the cursor is shown again


def test_a_job_whose_script_is_gone_does_not_go_on(folder):
    assert folder.run("tune", str(folder.job())).exit_code == 0
    (folder.path / "train.py").unlink()
    result = folder.run("change", "job", "--max-training-jobs", "6")
    assert (result.exit_code, "script: there is no file" in result.stderr) == (2, True)
    assert folder.recorded().ended


def test_a_job_that_another_process_runs_is_watched_not_tuned(folder):
    folder.start("tune", str(waiting(folder)))
    until(lambda: folder.running() == 2, "two training jobs run")
    result = folder.run("tune", str(folder.path / "job.yaml"))
    assert (result.exit_code, "is being run by another alfine" in result.stderr) == (1, True)
    assert "To follow it: alfine watch job" in result.stderr
    assert "interrupted" not in result.stderr
    open_gate(folder)


def test_a_changed_job_of_a_function_says_who_goes_on_with_it(folder):
    words = {"name": "python", "strategy": "Random", "home": folder.home, "progress": False}
    alfine.tune(lambda hp: hp["x"], {"x": alfine.Continuous(0, 1)}, max_training_jobs=2, **words)
    result = folder.run("change", "python", "--max-training-jobs", "3")
    assert "call alfine.tune with" in result.stderr
    assert "name='python'" in result.stderr


def test_files_that_were_kept_outlive_a_later_job_of_the_same_name(folder):
    folder.run("tune", str(folder.job()))
    kept = {path.name for path in (folder.home / "tuning-jobs" / "job").iterdir()}
    assert folder.run("delete", "job", "--yes", "--keep-files").exit_code == 0
    folder.run("tune", str(folder.job()))
    assert folder.run("delete", "job", "--yes").exit_code == 0
    assert {path.name for path in (folder.home / "tuning-jobs" / "job").iterdir()} == kept
    assert len(kept) == 4


def test_change_without_a_change_says_what_it_needs(folder):
    result = folder.run("change", "job")
    assert (result.exit_code, "Nothing to change. Give an option" in result.stderr) == (2, True)
    assert (
        "'never' is not one of 'stop', 'drain', 'contenders'" in folder.run("change", "job", "--at-end", "never").stderr
    )


def test_a_job_that_ended_is_changed_and_goes_on_here(folder):
    job = str(folder.job(JOB))
    assert folder.run("tune", job, "--quiet").exit_code == 0
    refused = folder.run("change", "job", "--max-training-jobs", "3")
    assert refused.exit_code == 2
    assert "would end again at once" in refused.output
    result = folder.run(
        "change", "job", "--max-training-jobs", "6", "--criterion", "TargetObjectiveMetricValue -9", "--json"
    )
    assert result.exit_code == 0, result.output
    described = json.loads(result.stdout)
    assert described["HyperParameterTuningJobStatus"] == "Completed"
    assert described["TrainingJobStatusCounters"]["Completed"] == 6
    assert [each["criterion"] for each in described["Alfine"]["Verdicts"]].count("TargetObjectiveMetricValue") == 1
    assert len(described["Alfine"]["Changes"]) == 1

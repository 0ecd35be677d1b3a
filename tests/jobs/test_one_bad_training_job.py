"""Law 9: a training job with which nothing can be done ends as Failed with the reason; its tuning job goes on, stops and is deleted."""

import io
import tarfile
import threading
from contextlib import contextmanager

import pytest

import alfine
from alfine.api.job_words import job_request
from alfine.jobs.engine_pool import EnginePool
from alfine.jobs.home import Home
from alfine.runners.process import ProcessRunner
from alfine.runners.storage.locations import BucketsUnreachable
from alfine.store import queries
from tests.cli.conftest import until
from tests.store.damage import execute

HARM = """
import argparse, json, os, shutil, time
from pathlib import Path
p = argparse.ArgumentParser(); p.add_argument("--harm"); p.add_argument("--wait", type=float, default=0)
a, _ = p.parse_known_args()
print("loss=1", flush=True)
ml = Path(os.environ["SAGEMAKER_BASE_DIR"]); folder = ml.parent.parent; control = folder / ".alfine"
if a.harm == "deep and large model":
    (ml / "model" / "a").write_bytes(bytes(1 << 21))
if a.harm.startswith("deep"):
    os.chdir(ml / "model")
    for _ in range(100):
        os.mkdir("d" * 100); os.chdir("d" * 100)
if a.harm == "garbled process.json":
    (control / "process.json").write_text('{"started_at": "noon", "pid": "self", "identity": 5}')
if a.harm == "nested process.json":
    (control / "process.json").write_text("[" * 100000)
if a.harm == "removed folder":
    os.chdir("/"); shutil.rmtree(folder)
if a.harm == "removed control folder":
    shutil.rmtree(control)
if a.harm == "a file as control folder":
    shutil.rmtree(control); control.write_text("")
if a.harm == "a folder as log":
    (control / "log").unlink(); (control / "log").mkdir()
time.sleep(a.wait)
"""


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "train.py"
    path.write_text(HARM)
    return path


@pytest.fixture
def home(tmp_path):
    with Home(tmp_path / "home") as home:
        yield home


@contextmanager
def served(home):
    """Run the home's tuning jobs in threads, as `alfine serve` does."""
    pool = EnginePool(home.engine())
    pool.run_all()
    yield pool
    pool.leave(10)


def ended(home, name="job"):
    until(lambda: home.service.get(name).ended, f"{name} has ended")
    return home.service.get(name)


def created(home, script, *harms, wait=0.3, output="", **words):
    """Create a tuning job of plain processes: one training job for each harm."""
    space = {"harm": alfine.Categorical(harms)}
    words = {"metric": "loss", "strategy": "Grid", "max_training_jobs": len(harms), "max_parallel": 2, **words}
    asked = job_request(name="job", space=space, script=script, **words)
    asked["Tags"] = [*asked.get("Tags", ()), {"Key": "alfine:runner", "Value": "process"}]
    definition = asked["TrainingJobDefinition"]
    definition["StaticHyperParameters"]["wait"] = str(wait)
    if output:
        definition["OutputDataConfig"]["S3OutputPath"] = output
    home.service.create(asked)


def jobs(home):
    return home.store.history("job").jobs


HARMED = {
    "deep model": "/opt/ml/model has more than 64 folders inside each other.",
    "deep and large model": "/opt/ml/model has more than 64 folders inside each other.",
    "garbled process.json": "'noon' isn't an instant",
    "nested process.json": "RecursionError",
    "removed folder": "folder was removed while it ran",
    "removed control folder": "folder was removed while it ran",
    "a file as control folder": "NotADirectoryError",
    "a folder as log": "IsADirectoryError",
}
"""What a training job does to its own folder, and what its FailureReason says."""


def test_bad_training_jobs_end_as_failed_and_harm_no_other(home, script):
    """All at once: each is tried again for some seconds before it fails."""
    created(home, script, "none", *HARMED, max_parallel=1 + len(HARMED))
    with served(home):
        assert ended(home).status == "Completed"
    by_harm = {job.hyperparameters["harm"]: job for job in jobs(home)}
    assert by_harm.pop("none").status == "Completed"
    assert {harm: job.status for harm, job in by_harm.items()} == dict.fromkeys(HARMED, "Failed")
    assert {harm: job.failure_reason for harm, job in by_harm.items() if HARMED[harm] not in job.failure_reason} == {}
    home.service.delete("job")
    assert not (home.jobs_folder / "job").exists()


def run(home, name="job"):
    history = home.store.history(name)
    return len(history.running) == 2 and all(job.reports for job in history.running.values())


def test_stop_works_although_the_script_is_gone_while_training_jobs_run(home, script):
    created(home, script, "none", "no", wait=300)
    with served(home):
        until(lambda: run(home), "both run")
    script.unlink()
    with served(home):
        home.service.request_stop("job")
        assert ended(home).status == "Stopped"
    assert [job.status for job in jobs(home)] == ["Stopped", "Stopped"]


def test_stop_works_although_a_runner_cannot_be_told(home, script, monkeypatch):
    created(home, script, "none", "no", wait=300)
    with served(home):
        until(lambda: run(home), "both run")
        tell, refused = ProcessRunner.stop, []

        def refuse_the_first(self, launch):
            if "-001-" in launch.name:
                refused.append(launch)
                if launch.grace_seconds > 0:
                    raise OSError("the launcher doesn't answer")
            tell(self, launch)

        monkeypatch.setattr(ProcessRunner, "stop", refuse_the_first)
        home.service.request_stop("job")
        assert ended(home).status == "Stopped"
    assert [job.status for job in jobs(home)] == ["Failed", "Stopped"]
    assert 2 < len(refused) < 10
    assert "the launcher doesn't answer" in jobs(home)[0].failure_reason


def archive(path, member):
    with tarfile.open(path, "w:gz") as packed:
        code = tarfile.TarInfo("train.py")
        code.size = len(HARM)
        packed.addfile(code, io.BytesIO(HARM.encode()))
        packed.addfile(member)
    return path


def special(name, kind, target=""):
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


@pytest.mark.parametrize(
    "member",
    [
        tarfile.TarInfo("../out"),
        special("null", tarfile.CHRTYPE),
        special("link", tarfile.SYMTYPE, "/etc/passwd"),
        special("hard", tarfile.LNKTYPE, "../../../../etc/passwd"),
        tarfile.TarInfo("n" * 300),
    ],
    ids=["..", "device", "link", "hard link", "long name"],
)
def test_a_refused_code_archive_fails_the_training_jobs(home, tmp_path, script, member):
    asked = job_request(
        name="job", space={"x": alfine.Continuous(0, 1)}, script=script, metric="loss", strategy="Random", max_training_jobs=1
    )  # fmt: skip
    code = archive(tmp_path / "code.tar.gz", member)
    asked["TrainingJobDefinition"]["StaticHyperParameters"]["sagemaker_submit_directory"] = str(code)
    home.service.create(asked)
    with served(home):
        ended(home)
    only = jobs(home)[0]
    assert only.status == "Failed"
    assert "can't be unpacked" in only.failure_reason
    home.service.delete("job")


class Away:
    """The buckets of a home, which can't be reached."""

    def __init__(self, buckets):
        self._buckets, self.asked = buckets, threading.Event()

    def __getattr__(self, name):
        return getattr(self._buckets, name)

    def put(self, uri, file):
        self.asked.set()
        raise BucketsUnreachable("the buckets can't be reached")


def test_stop_works_while_the_buckets_are_away_and_the_others_go_on_until_then(home, script):
    object.__setattr__(home.machine, "buckets", Away(home.machine.buckets))
    created(home, script, "none", "no", output="s3://models/out")
    with served(home):
        assert home.machine.buckets.asked.wait(30)
        assert not home.service.get("job").ended
        home.service.request_stop("job")
        assert ended(home).status == "Stopped"
    reasons = [job.failure_reason for job in jobs(home)]
    assert all("the buckets can't be reached" in reason for reason in reasons)


def test_a_training_job_that_cannot_be_prepared_fails_alone(home, script, monkeypatch):
    start, tries = ProcessRunner.start, []

    def refuse_the_first(self, launch):
        if "-001-" in launch.name:
            tries.append(launch)
            raise NotADirectoryError(f"{launch.folder} can't be laid out")
        start(self, launch)

    monkeypatch.setattr(ProcessRunner, "start", refuse_the_first)
    created(home, script, "none", "no", max_parallel=1)
    with served(home):
        assert ended(home).status == "Completed"
    assert [job.status for job in jobs(home)] == ["Failed", "Completed"]
    assert len(tries) == 5


def test_tries_are_counted_over_restarts(tmp_path, script):
    """A training job on which each process of alfine fails once, and then dies."""
    with Home(tmp_path / "home") as home:
        created(home, script, "garbled process.json", wait=300)
        with served(home):
            until(lambda: failed_tries(home) > 0, "the first try has failed")
        home.engine().runners["process"].close()
    for _ in range(5):
        with Home(tmp_path / "home") as home:
            before, engine = failed_tries(home), home.engine()
            run = engine.open("job")
            engine.step(run)
            engine.close(run)
            [job] = jobs(home)
            if job.status == "Failed":
                break
            assert failed_tries(home) == before + 1
            if before == 3:  # the process that failed for the fifth time dies before it has recorded the end
                home.store.count_failed_tries(job.name, 5)
    assert before == 5
    assert "5 tries failed" in job.failure_reason


def test_tries_before_one_that_succeeds_are_forgotten_also_after_a_restart(home, script):
    created(home, script, "none", wait=300)
    engine = home.engine()
    run = engine.open("job")
    until(lambda: engine.step(run) and [job for job in jobs(home) if job.reports], "it runs")
    [job] = jobs(home)
    process = home.jobs_folder / "job" / job.name / ".alfine" / "process.json"
    text = process.read_text()
    process.write_text('{"started_at": "noon", "pid": "self", "identity": 5}')
    until(lambda: engine.step(run) and failed_tries(home) > 0, "a try has failed")
    process.write_text(text)
    until(lambda: engine.step(run) and failed_tries(home) == 0, "a try has succeeded")
    engine.close(run)
    home.force_stop("job")


def test_tries_that_cannot_be_recorded_are_counted_all_the_same(home, script, caplog):
    refuse = (
        "CREATE TRIGGER refuse BEFORE UPDATE OF failed_tries ON training_jobs BEGIN SELECT RAISE(FAIL, 'refused'); END"
    )
    execute(home.folder, refuse)
    created(home, script, "garbled process.json")
    with served(home):
        ended(home)
    assert "its failed tries can't be recorded" in caplog.text
    [job] = jobs(home)
    assert (job.status, "isn't an instant" in job.failure_reason) == ("Failed", True)


def failed_tries(home):
    with home.store.reading() as connection:
        return sum(queries.progress(connection, home.store.get("job").id).failed_tries.values())

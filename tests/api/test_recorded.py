"""Training jobs of a Job: log, model and metrics; short texts and tables of what the public API returns."""

import socket

import pytest

import alfine
from alfine.api.recorded import TrainingJobs
from alfine.core.errors import NotFound
from alfine.jobs.server_record import ServerRecord

SCRIPT = """
import os, sys
x = sys.argv[sys.argv.index("--x") + 1]
for epoch in range(2):
    print(f"epoch {epoch}: loss={float(x) + 1 - epoch} <b>bold</b>")
if float(x) < 0.5:
    open(os.environ["SM_MODEL_DIR"] + "/model.txt", "w").write(x)
"""


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    """A job of a script: the first training job saves a model, the second none."""
    folder = tmp_path_factory.mktemp("recorded")
    (folder / "train.py").write_text(SCRIPT)
    words = {"name": "saved", "metric": "loss", "home": folder / "home", "max_training_jobs": 2}
    kind = "<i>plain</i>"
    space = {"x": alfine.Continuous(0, 1), "kind": alfine.Categorical([kind])}
    return alfine.tune(
        folder / "train.py", space, start_with=[{"x": 0.25, "kind": kind}, {"x": 0.75, "kind": kind}], **words
    )


def test_a_training_job_has_its_log_its_model_and_its_metrics(job):
    first, second = job.training_jobs
    assert first.log().splitlines()[0] == "epoch 0: loss=1.25 <b>bold</b>"
    assert first.log(lines=1) == "epoch 1: loss=0.25 <b>bold</b>\n"
    assert (first.model_path / "model.txt").read_text() == "0.25"
    assert second.model_path is None
    assert first.metrics == {"loss": [1.25, 0.25]}
    assert job.best == first
    assert job.best.model_path == first.model_path
    assert (job.training_jobs[-1].number, [each.number for each in job.training_jobs[1:]]) == (2, [2])
    assert job.training_jobs == job.refresh().training_jobs


def test_a_function_has_no_log_and_no_model(tmp_path):
    job = alfine.tune(lambda hp: hp["x"], {"x": alfine.Continuous(0, 1)}, name="f", home=tmp_path, max_training_jobs=1)
    with pytest.raises(NotFound, match="ran a Python function"):
        job.best.log()
    assert job.best.model_path is None


def test_what_the_api_returns_is_written_short(job):
    first = job.training_jobs[0]
    assert repr(job) == "<Job saved: Completed, 2 training jobs, best 0.25 of training job 1>"
    assert repr(job.training_jobs) == "<2 training jobs: 2 Completed>"
    assert repr(first) == "<TrainingJob 1: Completed, objective 0.25, x=0.25 kind=<i>plain</i>>"
    assert repr(job.verdict).startswith("<Verdict DRAIN of MaxNumberOfTrainingJobs: 2 of at most 2")
    assert repr(job.history).startswith("<History of saved: 2 training jobs, ")
    assert repr(job.space.ranges["x"]) == "Continuous(0.0, 1.0)"
    ended = job.replay("MaxNumberOfTrainingJobs 1")
    assert repr(ended) == "<Replayed: ends by MaxNumberOfTrainingJobs, after 1 training jobs, 1 saved, misses 0>"
    assert repr(job.plot).startswith("<Plots of saved: best, probability, importance, slices, contour")
    tuner = alfine.Tuner({"x": alfine.Continuous(0, 1)})
    assert repr(tuner) == "<Tuner: 0 training jobs, no objective yet>"


def test_a_notebook_sees_tables_in_which_what_training_jobs_wrote_is_text(job):
    for html in (job._repr_html_(), job.training_jobs._repr_html_(), job.best._repr_html_()):
        assert "&lt;i&gt;plain&lt;/i&gt;" in html
        assert "<i>plain" not in html
    many = TrainingJobs([*job.history.jobs] * 30, job._kept.folder)
    assert "… 40 more …" in many._repr_html_()


def test_the_address_of_its_page_is_known_while_a_server_runs(job, tmp_path):
    assert job.url.startswith("No server runs on this home. Start one: alfine serve --home ")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        ServerRecord(url, "us-east-1", is_open=False).write(job._kept.folder)
        assert job.url == f"{url}/console/tuning-jobs/saved"

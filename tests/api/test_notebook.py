"""alfine in a notebook, with a real kernel: a cell shows a job live, and interrupting it stops the job."""

from __future__ import annotations

import pytest

from tests.missing import package

PREPARE = """
import alfine, threading
go = threading.Event()
space = {"x": alfine.Continuous(0, 1)}
settings = {"home": "home", "strategy": "Random"}
def objective(hyperparameters, report):
    while not report(1, hyperparameters["x"]) and not go.wait(0.01):
        pass
    return hyperparameters["x"]
"""

PATIENCE_SECONDS = 60


class Kernel:
    """A kernel, and what its cells show."""

    def __init__(self, folder):
        self.manager = package("jupyter_client.manager").KernelManager(transport="ipc", ip=str(folder / "kernel"))
        self.manager.start_kernel(cwd=folder)
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(PATIENCE_SECONDS)

    def run(self, code, interrupt_at=""):
        """Run a cell and return what it showed: (kind, text, id of the display). Interrupt it once it shows a text."""
        cell, shown = self.client.execute(code), []
        while True:
            message = self.client.get_iopub_msg(timeout=PATIENCE_SECONDS)
            kind, content = message["msg_type"], message["content"]
            if kind == "status" and content["execution_state"] == "idle" and message["parent_header"]["msg_id"] == cell:
                return shown
            if kind == "error":
                raise AssertionError("\n".join(content["traceback"]))
            if kind in ("display_data", "update_display_data", "execute_result"):
                data, display = content["data"], content.get("transient", {}).get("display_id")
                shown.append((kind, data.get("text/html") or data["text/plain"], display))
            elif kind == "stream":
                shown.append((kind, content["text"], None))
            if interrupt_at and shown and interrupt_at in shown[-1][1]:
                self.manager.interrupt_kernel()
                interrupt_at = ""

    def close(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
        self.manager.cleanup_resources()


@pytest.fixture(scope="module")
def notebook(tmp_path_factory):
    package("ipykernel")
    kernel = Kernel(tmp_path_factory.mktemp("notebook"))
    kernel.run(PREPARE)
    yield kernel
    kernel.close()


def test_a_cell_shows_a_job_live_and_once(notebook):
    notebook.run("go.set()")
    shown = notebook.run("job = alfine.tune(objective, space, name='live', max_training_jobs=3, **settings)\njob")
    assert [kind for kind, _, _ in shown][:2] == ["display_data", "update_display_data"]
    assert len({display for _, _, display in shown}) == 1  # the last line of the cell doesn't show it again
    last = shown[-1][1]
    for text in ("live", "Completed", "3 of 3 training jobs", "MaxNumberOfTrainingJobs"):
        assert text in last
    ((kind, later, _),) = notebook.run("job")
    assert (kind, "3 of 3 training jobs" in later) == ("execute_result", True)


def test_interrupting_a_cell_stops_the_job_and_the_cell_goes_on(notebook):
    notebook.run("go.clear()")
    code = "job = alfine.tune(objective, space, name='stopped', max_training_jobs=900, **settings)\nprint(job.status)"
    shown = notebook.run(code, interrupt_at="1 running")
    assert shown[-1][:2] == ("stream", "Stopped\n")
    assert any("Interrupt again to end them at once" in text for _, text, _ in shown)


def test_a_job_in_the_background_is_followed_by_the_cell_that_began_it(notebook):
    notebook.run("go.clear()")
    begun = notebook.run(
        "job = alfine.tune(objective, space, name='behind', max_training_jobs=3, wait=False, **settings)"
    )
    assert (begun[0][0], "0 of 3 training jobs" in begun[0][1]) == ("display_data", True)
    shown = notebook.run(
        "go.set()\njob.wait()\n[each.join() for each in threading.enumerate() if 'follows' in each.name]"
    )
    followed = [text for _, text, display in shown if display == begun[0][2]]
    assert "Completed" in followed[-1]
    assert "3 of 3 training jobs" in followed[-1]

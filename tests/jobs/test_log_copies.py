"""The log of a training job whose machine is away is read from the copy beside its output."""

import pytest

from alfine import Continuous
from alfine.api.job_words import job_request
from alfine.core.errors import NotFound
from alfine.jobs.home import Home
from alfine.jobs.training_job_log import TrainingJobLogs
from alfine.runners.node import Node
from alfine.store.placement import Placement


@pytest.fixture
def homes(tmp_path, postgres_url):
    """Two homes of one database: two machines, as far as alfine can tell."""
    names = ("first", "second")
    for name in names:
        (tmp_path / name).mkdir()
        (tmp_path / name / "alfine.toml").write_text('[s3]\nendpoint = "http://127.0.0.1:9"\n')
    with (
        Home(tmp_path / names[0], store=postgres_url) as first,
        Home(tmp_path / names[1], store=postgres_url) as second,
    ):
        yield first, second


def run(home, tmp_path, name, output):
    """The training job of a tuning job that has ended."""
    words = {"metric": "loss", "strategy": "Random", "max_training_jobs": 1}
    command = ["/bin/sh", "-c", "echo loss=1; echo and more", "job"]
    request = job_request(name=name, space={"x": Continuous(0, 1)}, command=command, **words)
    request["TrainingJobDefinition"]["OutputDataConfig"] = {"S3OutputPath": output}
    home.service.create(request)
    home.engine().run(name)
    return home.service.history(name).jobs[0].name


def test_the_log_of_a_machine_that_is_away_is_read_from_its_copy(homes, tmp_path):
    first, second = homes
    output = (tmp_path / "output").as_uri()
    kept, lost = (run(first, tmp_path, name, uri) for name, uri in (("kept", output), ("lost", "file:///")))
    assert (tmp_path / "output" / kept / "log.txt").read_text() == "loss=1\nand more\n"
    assert second.service.log(kept, lines=1).data == b"and more\n"
    assert b"".join(second.service.logs.pieces(kept)) == b"loss=1\nand more\n"
    assert len(second.service.logs.search(kept, "more").lines) == 1
    with pytest.raises(NotFound, match="lies on another machine .*: no server runs there at present"):
        second.service.log(lost)


class Elsewhere(Node):
    """A node of a cluster, as a runner."""

    remote = True


def test_the_log_of_a_folder_that_its_node_has_removed_is_read_from_its_copy_or_said_to_be_gone(tmp_path):
    with Home(tmp_path / "home") as home:
        kept, lost = (run(home, tmp_path, name, (tmp_path / name).as_uri()) for name in ("kept", "lost"))
        for tuning_job, name in (("kept", kept), ("lost", lost)):
            home.store.place(tuning_job, name, Placement(attempt=1, runner="ray", node="n", slot="s"), None)
        copy = tmp_path / "kept" / kept / "log.txt"
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text("loss=1\n")
        node = Elsewhere(tmp_path / "node")
        logs = TrainingJobLogs(home.store, lambda: {"ray": node, "process": node}, home.machine.buckets)
        assert logs.part(kept).data == b"loss=1\n"
        with pytest.raises(NotFound, match=f"The log of {lost} is no longer on its node, .* no copy of it can be read"):
            logs.part(lost)

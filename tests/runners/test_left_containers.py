"""Containers that the engine didn't remove when it was told: a program in place of podman, which answers only when it's to."""

from functools import partial

import pytest

from alfine.runners.container import ContainerRunner
from alfine.runners.container_engine import ContainerEngine
from tests.runners.conftest import Bench

PODMAN = """#!/bin/sh
# Each container is a file in {place}, by its name; its folder stands in it.
cd {place}
case "$1" in
  run)
    while [ "$1" != --name ]; do shift; done
    name=$2
    [ -e "$name" ] && echo "Error: the name $name is in use" && exit 125
    for word; do case "$word" in alfine.folder=*) echo "${{word#*=}}" > "$name" ;; esac; done ;;
  rm)
    [ -e ../deaf ] && exit 1
    for name; do :; done
    rm -f "$name" ;;
  ps) ls ;;
  inspect) shift 3; cat "$@" ;;
esac
"""


@pytest.fixture
def bench(tmp_path):
    (tmp_path / "containers").mkdir()
    (tmp_path / "deaf").touch()
    podman = tmp_path / "podman"
    podman.write_text(PODMAN.format(place=tmp_path / "containers"))
    podman.chmod(0o755)
    bench = Bench(tmp_path, partial(ContainerRunner, engine=lambda: (ContainerEngine(str(podman)), "")), image="any")
    yield bench
    bench.close()


def test_they_are_removed_once_the_engine_answers(bench, tmp_path, monkeypatch):
    monkeypatch.setattr("alfine.runners.left_containers.PAUSE_SECONDS", 0.01)
    assert bench.see_out(bench.launch())[0].exit.succeeded
    assert [*(tmp_path / "containers").iterdir()]
    (tmp_path / "deaf").unlink()
    bench.until_true(lambda: not [*(tmp_path / "containers").iterdir()])


def test_they_are_removed_by_the_alfine_that_comes_next(bench, tmp_path):
    bench.see_out(bench.launch())
    (tmp_path / "deaf").unlink()
    bench.renew()
    bench.see_out(bench.launch("job-2"))
    bench.until_true(lambda: not [*(tmp_path / "containers").iterdir()])


def test_one_that_is_left_is_not_in_the_way_of_a_retry(bench, tmp_path):
    bench.see_out(bench.launch())
    (tmp_path / "deaf").unlink()
    (tmp_path / "tuning-jobs/tuning/job-1").rename(tmp_path / "tuning-jobs/tuning/job-0")
    last, lines = bench.see_out(bench.launch(attempt=2))
    assert last.exit.succeeded, lines

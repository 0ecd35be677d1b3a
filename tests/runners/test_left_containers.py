"""Containers and networks that the engine didn't remove when it was told: a program in place of podman, which obeys only when it's to."""

import json
import subprocess
from functools import partial

import pytest

from alfine.runners.container import ContainerRunner
from alfine.runners.container_client import Containers
from alfine.runners.container_engine import ContainerEngine
from tests.runners.conftest import Bench

PODMAN = """#!/bin/sh
# Each container, and each network, is a file in {place}, by its name; its folder stands in it.
cd {place}/containers
made() {{ for word; do case "$word" in alfine.folder=*) echo "${{word#*=}}" > "$name" ;; esac; done; }}
last() {{ for name; do :; done; }}
remove() {{ [ -e "$1" ] && exit 1; rm "$name" 2> /dev/null || {{ echo "no such, or not found" >&2; exit 1; }}; }}
case "$1" in
  run)
    while [ "$1" != --name ]; do shift; done
    name=$2
    [ -e "$name" ] && echo "Error: the name $name is in use" && exit 125
    made "$@" ;;
  rm) last "$@"; remove ../deaf/containers ;;
  ps) ls ;;
  inspect) shift 3; cat "$@" ;;
  network)
    cd ../networks
    case "$2$3" in
      create*) last "$@"; made "$@" ;;
      rm*) last "$@"; remove ../deaf/networks ;;
      ls*) ls ;;
      inspect--format) shift 4; cat "$@" ;;
      inspect*) [ -e "$3" ] && echo '[{{"subnets": [{{"subnet": "10.89.0.0/24"}}]}}]' ;;
    esac ;;
esac
"""


@pytest.fixture
def bench(tmp_path):
    for folder in ("containers", "networks", "deaf"):
        (tmp_path / folder).mkdir()
    for kind in ("containers", "networks"):
        (tmp_path / "deaf" / kind).touch()
    podman = tmp_path / "podman"
    podman.write_text(PODMAN.format(place=tmp_path))
    podman.chmod(0o755)
    bench = Bench(tmp_path, partial(ContainerRunner, engine=lambda: (ContainerEngine(str(podman)), "")), image="any")
    yield bench
    bench.close()


def left(home):
    return sorted(path.parent.name for path in home.glob("[cn]*s/alfine-job-1-*"))


@pytest.mark.parametrize("deaf", ["containers", "networks"])
def test_they_are_removed_once_the_engine_answers(bench, tmp_path, monkeypatch, deaf):
    monkeypatch.setattr("alfine.runners.left_containers.PAUSE_SECONDS", 0.01)
    (tmp_path / "deaf" / {"containers": "networks", "networks": "containers"}[deaf]).unlink()
    assert bench.see_out(bench.launch(instance_count=2))[0].exit.succeeded
    assert set(left(tmp_path)) == {deaf}
    (tmp_path / "deaf" / deaf).unlink()
    bench.until_true(lambda: not left(tmp_path))


def test_they_are_removed_by_the_alfine_that_comes_next(bench, tmp_path):
    bench.see_out(bench.launch(instance_count=2))
    assert left(tmp_path) == ["containers", "containers", "networks"]
    for kind in ("containers", "networks"):
        (tmp_path / "deaf" / kind).unlink()
    bench.renew()
    bench.see_out(bench.launch("job-2"))
    bench.until_true(lambda: not left(tmp_path))


def test_the_network_stays_until_no_host_will_join_it_any_more(bench, tmp_path):
    for kind in ("containers", "networks"):
        (tmp_path / "deaf" / kind).unlink()
    hosts = {"algo-1": "alfine-job-1-1", "algo-2": "alfine-job-1-2"}
    settings = {
        "engine": str(tmp_path / "podman"),
        "podman": True,
        "hosts": hosts,
        "network": "alfine-job-1-n",
        "written": [],
    }
    (tmp_path / "containers.json").write_text(json.dumps(settings))
    containers = Containers(str(tmp_path / "containers.json"))
    subprocess.run([containers.engine, *containers.new_network], check=True)
    containers.settle("algo-1", 0)
    assert left(tmp_path) == ["networks"]
    containers.settle("algo-2", 0)
    assert left(tmp_path) == []


def test_one_that_is_left_is_not_in_the_way_of_a_retry(bench, tmp_path):
    bench.see_out(bench.launch())
    (tmp_path / "deaf/containers").unlink()
    (tmp_path / "tuning-jobs/tuning/job-1").rename(tmp_path / "tuning-jobs/tuning/job-0")
    last, lines = bench.see_out(bench.launch(attempt=2))
    assert last.exit.succeeded, lines

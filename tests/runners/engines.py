"""A container engine for the tests, and an image that needs no download.

Where podman is there but a machine's control groups or limits keep it from starting containers (crun knows no hybrid control
groups), it's tried in a mount namespace without what it stumbles over. Where nothing runs, the tests are skipped.
"""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from alfine.runners.container_engine import ContainerEngine, engine_of
from tests.missing import missing

IMAGE = "alfine-tests/shell:1"
IMAGE_OF_A_USER = "alfine-tests/user:1"
PROGRAMS = ("sh", "cat", "sleep", "mkdir", "touch", "ls", "env", "id")
WRAPPER = """#!/bin/sh
exec unshare -m sh -c 'umount /sys/fs/cgroup/unified; exec {podman} --storage-driver=vfs --root {place}/root --runroot {place}/run "$@"' podman "$@"
"""
TRAIN = """#!/bin/sh
# What the tests call training: the hyperparameter `program`, run by the shell.
echo "train called with: $*"
cd /opt/ml
eval "$PROGRAM"
"""


def test_engine() -> tuple[ContainerEngine | None, str]:
    engine, reason = _found()
    return engine, reason


test_engine.__test__ = False  # type: ignore[attr-defined]


@cache
def _found() -> tuple[ContainerEngine | None, str]:
    engine, reason = engine_of()
    if engine is not None and _runs(engine):
        return engine, ""
    podman = shutil.which("podman")
    if podman is not None and os.geteuid() == 0:
        place = Path(tempfile.mkdtemp(prefix="alfine-podman-"))
        atexit.register(shutil.rmtree, place, ignore_errors=True)
        wrapper = place / "podman"
        wrapper.write_text(WRAPPER.format(podman=podman, place=place))
        wrapper.chmod(0o755)
        limits = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000")
        wrapped = ContainerEngine(str(wrapper), ("--cgroups=disabled", "--network=none", *limits))
        if _runs(wrapped):
            return wrapped, ""
        return None, f"podman can't run a container here. {reason}"
    return None, reason or "the engine can't run a container here."


def _runs(engine: ContainerEngine) -> bool:
    """Whether the engine can import the image and run it."""
    with tempfile.TemporaryDirectory() as folder:
        root = _root(Path(folder) / "root")
        packed = Path(folder) / "image.tar"
        subprocess.run(["tar", "-C", str(root), "-cf", str(packed), "."], check=True)
        entry = ("--change", 'ENTRYPOINT ["/bin/entry"]')
        user = ("--change", "USER 1000:1000")
        if not engine.tell("import", *entry, str(packed), IMAGE):
            return False
        engine.tell("import", *entry, *user, str(packed), IMAGE_OF_A_USER)
    return engine.tell("run", "--rm", *engine.options, "--entrypoint", "/bin/sh", IMAGE, "-c", ":")


def _root(root: Path) -> Path:
    """A few programs of this machine, with their libraries."""
    for folder in ("bin", "tmp", "opt/ml", "proc", "dev", "sys", "etc"):
        (root / folder).mkdir(parents=True)
    for name in (*PROGRAMS, *(["busybox"] if shutil.which("busybox") else [])):
        program = shutil.which(name)
        assert program is not None
        shutil.copy(program, root / "bin" / name)
        needed = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
        for library in (word for word in needed.split() if word.startswith("/")):
            place = root / library.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, place)
    for name in ("entry", "other"):
        (root / "bin" / name).write_text(TRAIN.replace("called", f"({name}) called"))
        (root / "bin" / name).chmod(0o755)
    return root


@cache
def networked_engine() -> ContainerEngine:
    """The engine with its own networks; skips the test where they don't work, or nothing can use them in the image."""
    tiny_image()
    engine = test_engine()[0]
    assert engine is not None
    networked = ContainerEngine(engine.command, engine.options_without_network)
    name = f"alfine-tests-{os.getpid()}"
    try:
        networked.tell("network", "create", name)
        words = ("run", "--rm", *networked.options, "--network", name, "--entrypoint", "/bin/busybox", IMAGE, "true")
        if not networked.tell(*words):
            missing("a container engine with networks, and busybox", "apt-get install podman crun busybox-static")
    finally:
        networked.tell("network", "rm", name)
    return networked


def tiny_image() -> str:
    """The image's name; skips the test where nothing can run it."""
    engine, reason = test_engine()
    if engine is None:
        tool = "a container engine" if shutil.which("podman") is None else f"a container engine that works: {reason}"
        missing(tool, "apt-get install podman crun runc")
    return IMAGE

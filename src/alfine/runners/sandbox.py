"""Training jobs in a sandbox (bubblewrap: on Linux, without a daemon, without root), for scripts that expect SageMaker's container.

What a training job sees inside:

    /opt/ml                  its own folder only; SM_* and SAGEMAKER_BASE_DIR name it
    /tmp, HOME               its own, writable, removed when it has ended
    everything else          this machine's, read-only: interpreters, libraries, data
    /run, /dev               empty except for name resolution and GPUs: no socket of a daemon
    processes                its own only; when its first process ends, the others are killed
    network                  this machine's, but for the port of alfine's own server (closed_ports.py); with EnableNetworkIsolation only a
                             loopback interface of its own
    algo-1, algo-2, …        127.0.0.1

alfine's home (the store, keys, buckets, other training jobs) and the user's credentials are hidden, except for what the training
job was given: its code, its channels, its interpreter. Those are mounted at their own paths, so that the links in /opt/ml lead to
them.

A Python script starts warm where that gives the same result: its launcher runs in a sandbox too, so that imports see what the
script would see, and a fork of it enters the training job's own sandbox (launcher/entering.py).
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from alfine.runners import closed_ports, install_first, pipes, requirements
from alfine.runners.command_line import ALONE, installer, isolated_hosts, missing, process_of
from alfine.runners.executor import LocalLaunch
from alfine.runners.job_environment import host_environment, host_names
from alfine.runners.job_folder import SCRATCH, JobHost, hosts_of, make_scratch, requirements_of
from alfine.runners.job_mounts import files_of, mounts
from alfine.runners.process import ProcessRunner
from alfine.runners.protocol import News
from alfine.runners.shortages import is_shortage
from alfine.runners.warm import PER_JOB_PREFIXES, Cold, Warm

INSIDE = Path("/")
"""The path at which a training job's process sees its folder, so that `opt/ml` in it is /opt/ml."""

HOME = "/tmp/home"  # noqa: S108 - inside, where /tmp is the training job's own
"""The value of HOME inside."""

PROBE_SECONDS = 20
"""Longest time, in seconds, that the attempt to make a sandbox may take."""

EMPTY = ("/tmp", "/var/tmp", "/run")  # noqa: S108
"""Folders that are empty inside."""

VISIBLE_RUN = (
    "/run/systemd/resolve",
    "/run/resolvconf",
    "/run/NetworkManager/resolv.conf",
    "/run/nscd",
    "/run/opengl-driver",
)
"""The visible part of /run: name resolution, and the GPU drivers of NixOS."""

DEVICES = ("nvidia", "dri", "kfd", "infiniband")
"""Beginnings of the names of devices in /dev that are visible."""

CREDENTIALS = (".aws", ".ssh", ".gnupg", ".netrc", ".docker", ".kube", ".config/gcloud", ".azure")
"""Below HOME: files and folders that are hidden."""

CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID")
"""Capabilities of root inside when alfine runs as root: what a container's root may do to its own files and processes."""

CAPABILITIES_TO_MAKE_SANDBOXES = ("NET_ADMIN", "SETPCAP", "SYS_ADMIN", "SYS_CHROOT")
"""Further capabilities of a warm launcher's root."""


class SandboxRunner(ProcessRunner):
    """Runs each process in a sandbox.

    Args:
        news: See `ProcessRunner`.
        hidden: Folders that no training job may see, such as alfine's home.
        closed: Returns the TCP ports to which no training job may connect, such as that of alfine's server.
        environments: See `ProcessRunner`.
        home: See `ProcessRunner`.
    """

    shares_environments_with = ""

    def __init__(
        self,
        news: News,
        *,
        hidden: Iterable[Path] = (),
        closed: Callable[[], tuple[int, ...]] = tuple,
        environments: Path | None = None,
        home: Path | None = None,
    ) -> None:
        super().__init__(news, environments=environments, home=home)
        self._hidden = tuple(Path(os.path.realpath(folder)) for folder in hidden)
        self._closed = closed
        self._viewed: tuple[LocalLaunch | None, tuple[str, ...]] = (None, ())

    def _refusal(self, launch: LocalLaunch) -> str:
        if launch.image is not None:
            return f"A sandbox can't run the container image {launch.image}."
        if isolated := isolated_hosts(launch):
            return isolated
        return why_not(network=launch.network) or missing(launch) or _no_command(launch)

    def _plan(self, launch: LocalLaunch) -> Warm | Cold:
        if launch.entrypoint or launch.command is not None:
            return Cold()
        decision = super()._plan(launch)
        reason = self._brings_code(launch)
        if isinstance(decision, Cold) or reason:
            return decision if isinstance(decision, Cold) else Cold(reason)
        environment = _inside(dict(decision.environment), launch)
        return replace(
            decision,
            environment=tuple(sorted(environment.items())),
            around=tuple(self._around_launcher(launch)),
            sandbox=(*_base(network=launch.network), "--tmpfs", "/tmp"),  # noqa: S108
        )

    def _brings_code(self, launch: LocalLaunch) -> str:
        """Return why code of the training job could run in its launcher, which may do more than a training job; "" where it can't."""
        for name, text in sorted(launch.environment.items()):
            if not name.startswith(PER_JOB_PREFIXES) and (_loads(name) or _may_be_path(text)):
                return f"{name} is set"
        python = Path(os.path.realpath(_which(launch.python, launch) or launch.python))
        own = _within(python, [*files_of(launch), launch.folder.parent, *self._hidden])
        return "its interpreter is one of its own files" if own else ""

    def _around_launcher(self, launch: LocalLaunch) -> Iterator[str]:
        """Yield the sandbox of a launcher: like those of its training jobs, but it sees the tuning job's folder and can make sandboxes."""
        folder = str(launch.folder.parent)
        yield from (*_base(network=launch.network, launcher=True), "--tmpfs", "/tmp", "--dir", HOME)  # noqa: S108
        yield from (*self._views(launch), "--bind", folder, folder, "--")
        yield from self._closing(launch)

    def _closing(self, launch: LocalLaunch, environment: Mapping[str, str] | None = None) -> list[str]:
        """Return the beginning of a command line inside that closes the ports and sets these variables; [] where no port is closed."""
        ports = self._closed() if launch.network and not why_ports_stay_open() else ()
        if not ports:
            return []
        variables = [f"{name}={text}" for name, text in (environment or {}).items()]
        program = [sys.executable, "-I", "-S", os.path.realpath(closed_ports.__file__)]
        return [*program, ",".join(map(str, ports)), *variables, "--"]

    def _views(self, launch: LocalLaunch) -> tuple[str, ...]:
        """Return the words that hide and show files. Kept for the next call, since a channel may have many files."""
        if self._viewed[0] is not launch:
            self._viewed = (launch, tuple(_views(_needed(launch), self._hidden)))
        return self._viewed[1]

    def _hosts(self, launch: LocalLaunch) -> tuple[JobHost, ...]:
        return hosts_of(launch, INSIDE)

    def _process(self, launch: LocalLaunch, host: JobHost) -> dict[str, Any]:
        venv = self._environment(launch)
        process = process_of(launch, host, venv)
        scratch = make_scratch(host, _host_names(launch))
        words = [
            *_base(network=launch.network),
            *("--hostname", host.name, "--chdir", process["cwd"]),
            *("--bind", str(scratch), "/tmp"),  # noqa: S108
            *self._views(launch),
            *_shown(venv, "--ro-bind"),
            *_over(Path("/etc/hosts"), host.space.control / "hosts"),
            *_host_folders(launch, host),
        ]
        environment = _inside(process["env"], launch)
        # Variables that make the dynamic linker load code are for the training job, not for bwrap, which isn't confined yet.
        linker = {name: text for name, text in environment.items() if name.startswith("LD_")}
        closing = self._closing(launch, linker)
        if not closing:
            words += [word for name, text in linker.items() for word in ("--setenv", name, text)]
        own = {**linker, "PWD": process["cwd"]}
        argv = [*words, "--", *closing, *process["argv"]]
        if venv is not None and not (venv / requirements.COMPLETE).exists():
            install = [*words, "--as-pid-1", *_shown(venv, "--bind"), "--", *closing, *installer(launch, host, venv)]
            argv = [sys.executable, *ALONE, install_first.__file__, str(len(install) + 1), *install, "true", *argv]
        return {
            "host": host.name,
            "argv": argv,
            "cwd": "/",
            "env": {name: text for name, text in environment.items() if name not in linker},
            # For a warm start, in which a fork of the launcher enters the sandbox:
            "inside": {"words": words, "argv": process["argv"], "cwd": process["cwd"], "env": own},
        }

    def _supervision(self, launch: LocalLaunch) -> dict[str, Any]:
        """Return the surroundings: the launcher starts a process; below it is the sandbox's process 1, and below that the training job."""
        return {"behind": 2, "wrapper": "sandbox", "scratch": [str(_scratch(host)) for host in self._hosts(launch)]}


def why_not(*, network: bool = True) -> str:
    """Return why sandboxes don't work on this machine; "" where they do. It is tried once and remembered.

    Args:
        network: Whether the training job may use the network.

    Raises:
        BlockingIOError: It can't be told at present, for want of processes or memory. A later call tries again.
    """
    return _probed(network)


@cache
def _probed(network: bool) -> str:  # noqa: FBT001
    if shutil.which("bwrap") is None:
        return "bubblewrap isn't installed (no bwrap on PATH)."
    if not Path("/opt").is_dir() or Path("/opt").is_symlink():
        return "There is no folder /opt, so there can be no /opt/ml in it. Make one: mkdir /opt"
    try:
        subprocess.run(
            [*_base(network=network), "--", "sh", "-c", ":"],
            env=host_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=PROBE_SECONDS,
        )
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip()[:300]
        if os.strerror(errno.EAGAIN) in said or os.strerror(errno.ENOMEM) in said:
            raise BlockingIOError(errno.EAGAIN, f"A sandbox can't be made at present: {said}") from error
        return f"bubblewrap doesn't work here: {said}."
    except subprocess.TimeoutExpired as error:
        return f"bubblewrap doesn't work here: {error}."
    except OSError as error:
        if is_shortage(error):
            raise BlockingIOError(errno.EAGAIN, f"A sandbox can't be made at present: {error}") from error
        return f"bubblewrap doesn't work here: {error}."
    return ""


@cache
def why_ports_stay_open() -> str:
    """Return why no port can be closed to training jobs on this machine; "" where they can."""
    return closed_ports.why_not()


def _no_command(launch: LocalLaunch) -> str:
    """Return a sentence about a command that doesn't exist; "" where it does. bwrap's own message wouldn't say what to do."""
    command = launch.command[0] if launch.command else launch.python
    if "/" in command and not Path(command).is_absolute():  # in the folder of the code, which only exists inside
        return ""
    if _which(command, launch) is None:
        return f"Command not found: {command}. Give a full path, or put its folder on PATH in Environment."
    return ""


def _which(command: str, launch: LocalLaunch) -> str | None:
    return shutil.which(command, path=launch.environment.get("PATH", host_environment().get("PATH")))


def _scratch(host: JobHost) -> Path:
    return host.space.folder / SCRATCH


def _inside(environment: Mapping[str, str], launch: LocalLaunch) -> dict[str, str]:
    """Return the variables inside, where /tmp and HOME are the training job's own."""
    kept = {name: text for name, text in environment.items() if name not in ("TEMP", "TMP", "XDG_CACHE_HOME")}
    given = {name: text for name, text in launch.environment.items() if name in environment}
    return kept | {"HOME": HOME, "TMPDIR": "/tmp"} | given  # noqa: S108


def _loads(name: str) -> bool:
    """Return whether an interpreter or the dynamic linker may load code because of a variable."""
    return name.startswith(("LD_", "PYTHON")) and name not in ("PYTHONHASHSEED", "PYTHONUNBUFFERED")


def _may_be_path(text: str) -> bool:
    """Return whether a variable may name a path: libraries load plug-ins, caches and settings from such paths."""
    return "/" in text and not text.startswith(("http://", "https://", "s3://"))


@cache
def _base(*, network: bool, launcher: bool = False) -> tuple[str, ...]:
    """Return the words of bwrap that are the same for all training jobs. Made once: after a disk is mounted alfine has to be restarted.

    Args:
        network: Whether it has this machine's network.
        launcher: Whether it is for a launcher, which outlives alfine, is known by its process id, and makes sandboxes inside.
    """
    words = ["bwrap"] if launcher else ["bwrap", "--die-with-parent", "--unshare-pid", "--unshare-ipc", "--unshare-uts"]
    words += [] if network else ["--unshare-net"]
    if os.geteuid() == 0:
        kept = (*CAPABILITIES, *CAPABILITIES_TO_MAKE_SANDBOXES) if launcher else CAPABILITIES
        words += ["--cap-drop", "ALL", *(word for name in kept for word in ("--cap-add", f"CAP_{name}"))]
    return (*words, "--ro-bind", "/", "/", *_own_folders(), "--proc", "/proc", "--dev", "/dev", *_devices())


def _own_folders() -> Iterator[str]:
    """Empty /opt, /run and /var/tmp, then show all of /opt except /opt/ml, and of /run what has no sockets."""
    for name in ("/opt", "/run", "/var/tmp"):  # noqa: S108
        if Path(name).is_dir():
            yield from ("--tmpfs", name)
    for path in sorted(Path("/opt").iterdir()):
        if path.name != "ml":
            yield from ("--ro-bind-try", str(path), str(path))
    for name in VISIBLE_RUN:
        yield from ("--ro-bind-try", name, name)


def _devices() -> Iterator[str]:
    for path in Path("/dev").iterdir():
        if path.name.startswith(DEVICES):
            yield from ("--dev-bind", str(path), str(path))


def _views(needed: Iterable[Path], hidden: Iterable[Path]) -> Iterator[str]:
    """Hide what is hidden, and show what the training job needs of that and of folders that are empty inside."""
    secrets = [path for path in (*hidden, *_credentials()) if path.exists()]
    shown = sorted({path for file in needed for path in (file, Path(os.path.realpath(file)))})
    for path in shown:
        if _within(path, map(Path, EMPTY)) and not _within(path, secrets):
            yield from ("--ro-bind", os.path.realpath(path), str(path))
    for path in sorted(secrets):
        if path.is_dir():
            yield from ("--tmpfs", str(path))
        else:
            yield from ("--ro-bind", os.devnull, str(path))
    for path in shown:
        if _within(path, secrets):
            yield from ("--ro-bind", os.path.realpath(path), str(path))


def _needed(launch: LocalLaunch) -> Iterator[Path]:
    """Yield the files and folders that the training job needs: code, data, interpreter."""
    yield from files_of(launch)
    # alfine's own environment and sources: built-in algorithms need them, and so do wrappers around its interpreter.
    yield from (Path(sys.prefix), Path(__file__).parents[2])
    if any(channel.piped for channel in launch.channels):
        yield Path(pipes.__file__)
    if requirements_of(launch) is not None:
        yield Path(requirements.__file__)
    for name in {sys.executable, launch.python, *(launch.entrypoint or launch.command or ())[:1]}:
        program = _which(name, launch)
        if program is None:
            continue
        for path in {Path(program).absolute(), Path(program).resolve()}:
            # A program in a folder `bin` belongs to an environment with libraries, for example a virtual environment.
            yield path.parent.parent if path.parent.name == "bin" else path


def _within(path: Path, folders: Iterable[Path]) -> bool:
    return any(path.is_relative_to(folder) for folder in folders)


def _credentials() -> Iterator[Path]:
    for name in CREDENTIALS:
        yield Path.home() / name


def _shown(venv: Path | None, how: str) -> Iterator[str]:
    """Yield the words that show the folder of a virtual environment: `--ro-bind` to scripts, `--bind` to its installer alone."""
    if venv is not None:
        yield from (how, str(venv), str(venv))


def _host_names(launch: LocalLaunch) -> str:
    names = "localhost" if launch.hosts else " ".join(host_names(launch))  # a machine finds the others by itself
    try:
        known = Path("/etc/hosts").read_text(encoding="utf-8", errors="replace")
    except OSError:
        known = "127.0.0.1 localhost\n::1 localhost\n"
    return f"127.0.0.1 {names}\n{known}"


def _over(path: Path, file: Path) -> list[str]:
    return ["--ro-bind", str(file), str(path)] if path.is_file() and not path.is_symlink() else []


def _host_folders(launch: LocalLaunch, host: JobHost) -> Iterator[str]:
    yield from ("--bind", str(host.space.ml), str(host.seen.ml))
    for folder, inside in mounts(launch, host):
        yield from ("--bind", str(folder), inside)

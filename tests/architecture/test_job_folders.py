"""What a training job could have written is touched by `runners.launcher.beneath` alone, which follows no link.

The table gives each other module near such folders that touches files by their paths, the calls that it makes, and why none leads there.
The test fails as well where an entry is no longer needed.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

FILE_METHODS = frozenset(
    {"glob", "hardlink_to", "iterdir", "mkdir", "read_bytes", "read_text", "rglob", "rmdir", "symlink_to", "touch"}
)
FILE_METHODS |= frozenset({"unlink", "write_bytes", "write_text"})
FILE_FUNCTIONS = {
    "gzip": frozenset({"open"}),
    "os": frozenset(
        {
            *(
                "chmod",
                "chown",
                "fwalk",
                "link",
                "listdir",
                "makedirs",
                "mkdir",
                "mkfifo",
                "open",
                "readlink",
                "remove",
                "rename",
            ),
            *("replace", "rmdir", "scandir", "symlink", "truncate", "unlink", "walk"),
        }
    ),
    "shutil": frozenset({"copy", "copy2", "copyfile", "copytree", "make_archive", "move", "rmtree", "unpack_archive"}),
    "tarfile": frozenset({"open"}),
    "tempfile": frozenset({"NamedTemporaryFile", "TemporaryDirectory", "mkdtemp", "mkstemp"}),
}
"""Calls that read, write, list or remove by a path: links on the way are followed. `X.open("rb")` counts, too."""

FILE_MODE = re.compile(r"[rwax][bt]?\+?|[rwax]\+[bt]?")

NEAR_JOB_FOLDERS = ("cli", "figures", "jobs", "programs", "runners", "server")
"""Rooms that know folders of training jobs."""

OTHER_FILES = {
    "cli.client_files": ("mkdir read_bytes tempfile.mkstemp", "writes settings for clients, in the home"),
    "cli.doctor_ray": ("tempfile.NamedTemporaryFile", "a file of its own, which nodes look for"),
    "cli.doctor": ("tempfile.TemporaryDirectory", "a folder of its own"),
    "cli.export": ("write_bytes", "writes the file that the user names"),
    "cli.notebook_cells": ("read_text", "reads the user's notebook"),
    "cli.notebook_report": ("iterdir read_text", "lists buckets, reads the user's notebooks"),
    "cli.open_page": ("tempfile.mkstemp", "the page that leads a browser to a link, which only this user reads"),
    "cli.report": ("write_bytes", "writes the file that the user names"),
    "figures.chart": ("write_bytes write_text", "writes the file that the user names"),
    "cli.options": ("tempfile.TemporaryDirectory", "a home of its own"),
    "cli.preflight": ("tempfile.TemporaryDirectory", "a folder of its own"),
    "cli.propose": ("write_text", "writes the file that the user names"),
    "cli.remote_jobs": (".open", "reads the user's job file"),
    "cli.upload_inputs": (
        "os.walk rglob tarfile.open tempfile.TemporaryDirectory",
        "reads the user's own code and data",
    ),
    "jobs.forced_stop": ("iterdir", "the folder of a tuning job, in which alfine alone makes folders"),
    "jobs.trackers.tensorboard": ("glob unlink", "event files of its own, in its own folder"),
    "jobs.trackers.told": (
        ".open tempfile.TemporaryDirectory",
        "a copy of a model in a folder of its own; the model is read by its descriptor",
    ),
    "jobs.trackers.wandb": ("glob mkdir shutil.rmtree", "W&B's files of its own runs"),
    "jobs.backup": (
        ".open iterdir os.walk read_bytes tempfile.TemporaryDirectory",
        "a copy of the database; buckets",
    ),
    "jobs.backup_archive": (
        ".open mkdir os.walk shutil.rmtree symlink_to tarfile.open unlink",
        "the backup itself, which no training job sees",
    ),
    "jobs.check_buckets": ("iterdir read_bytes rglob", "reads buckets"),
    "jobs.check_home": ("glob iterdir", "lists the folders of training jobs, never what is in one"),
    "jobs.delete": ("rmdir", "removes the empty folder of a tuning job, never what is in it"),
    "jobs.lease_owner": ("read_text", "reads /proc"),
    "jobs.retention": ("mkdir", "makes an empty folder in the place of a removed one"),
    "jobs.server_record": ("read_text tempfile.mkstemp", "a file of the home"),
    "jobs.restore": (
        ".open glob iterdir mkdir rmdir shutil.rmtree symlink_to",
        "makes a new home, which nobody uses yet",
    ),
    "programs.data.archives": (".open tarfile.open", "reads the user's archive of code"),
    "programs.host_program": ("read_bytes", "reads the launch that it is given"),
    "runners.on_ray.connection": (".open", "the log of the process that talks to Ray, in the home"),
    "runners.on_ray.slot": ("mkdir read_text", "the folder above those of training jobs; the machine's id in /proc"),
    "runners.storage.artifacts": (".open mkdir", "writes copies where the request says, file:///…"),
    "programs.data.channels": (".open gzip.open mkdir", "reads the user's data, writes below .inputs"),
    "runners.storage.checkpoints": ("os.walk unlink", "lists and removes stored copies at file:///…"),
    "programs.data.made_once": ("mkdir shutil.rmtree tempfile.mkdtemp", "makes folders below .inputs"),
    "programs.data.request_files": (
        "mkdir os.link os.walk read_bytes symlink_to",
        "reads the user's files, links them below .inputs",
    ),
    "runners.container_client": (
        "open os.listdir os.replace",
        "records of containers in .alfine, which no container sees, and /proc",
    ),
    "runners.container_command": ("glob", "looks at /dev"),
    "runners.container_links": ("os.readlink os.scandir", "looks at the user's own data"),
    "runners.gpu_slots": ("mkdir os.open", "the record of GPUs, in the home"),
    "runners.gpus": ("iterdir", "counts GPUs in /proc"),
    "runners.job_mounts": ("os.scandir", "follows the links of channel folders, which alfine made"),
    "runners.job_folder": (
        ".open mkdir os.scandir os.walk",
        "reads the user's code and data; makes the training job's folder itself",
    ),
    "runners.ended_folders": (
        "glob mkdir os.scandir read_text rmdir unlink write_text",
        "the folders of tuning jobs, in which alfine alone makes files; what is in that of a training job is removed by descriptors",
    ),
    "runners.node": ("read_text unlink write_text", "a file beside the folders of tuning jobs"),
    "runners.node_cache": (
        ".open glob mkdir os.walk shutil.rmtree touch unlink",
        "objects, and the inputs that alfine has made of them; walks and removes without following a link",
    ),
    "runners.launcher.beneath": (
        "open os.chmod os.mkdir os.open os.readlink os.rename os.replace os.rmdir os.scandir os.symlink os.unlink",
        "the way by which all others go: each call has a descriptor",
    ),
    "runners.launcher.capacity": ("os.listdir", "reads /proc"),
    "runners.launcher.entering": ("open os.open os.readlink", "reads /proc"),
    "runners.launcher.headroom": ("open os.listdir", "reads /proc and control groups"),
    "runners.launcher.files": ("os.open", "lock and log in .alfine, with O_NOFOLLOW"),
    "runners.launcher.job": (
        "os.mkdir os.unlink",
        "makes a removed folder anew, and takes back process.json in .alfine",
    ),
    "runners.launcher.lookup": ("os.open", "opens one name from a descriptor"),
    "runners.launcher.preload": ("open os.listdir os.readlink os.walk", "reads /proc and its own /tmp"),
    "runners.launcher.processes": ("open", "reads /proc"),
    "runners.launcher.script": ("open", "runs inside: it is the training job"),
    "runners.launcher.supervisor": (
        "open os.listdir os.unlink",
        "reads /proc and a pipe; removes a record in .alfine itself",
    ),
    "runners.packing": (
        "mkdir tarfile.open",
        "makes the training job's folder itself; writes an archive to an open file",
    ),
    "runners.pipes": ("gzip.open open os.mkfifo os.unlink", "runs inside, beside the training job"),
    "runners.process": ("mkdir read_bytes", "environments of requirements.txt, beside the training jobs"),
    "runners.requirements": ("open os.replace os.unlink os.walk shutil.rmtree", "runs inside, before the training job"),
    "runners.sandbox": ("iterdir read_text", "/opt, /dev and /etc/hosts"),
    "runners.storage.object_cache": (
        ".open glob mkdir unlink",
        "the cache of downloaded objects, which no training job sees by this path",
    ),
    "runners.storage.remote_buckets": (
        "tempfile.NamedTemporaryFile unlink",
        "the cache of downloaded objects, which no training job sees by this path",
    ),
    "runners.strays": ("os.scandir read_bytes", "reads /proc"),
    "runners.supervision": ("os.open os.scandir read_bytes", "reads /proc, and the lock with O_NOFOLLOW"),
    "runners.warm": ("os.scandir read_bytes", "reads the user's script"),
    "server.console.app": ("read_bytes", "its own style sheets"),
}
"""Modules of these rooms that touch files by their paths, which calls they make, and why none leads through a folder that a training job
could have written. There, `launcher.beneath` is the only way. Not listed: algorithms and stand-ins (they run inside), buckets (a format of their own)."""

BESIDE = ("programs.algorithms", "programs.data.buckets", "programs.stand_ins")


def test_folders_of_training_jobs_are_touched_by_descriptors_alone(house):
    touching = {
        module.name: " ".join(sorted(calls))
        for module in house.modules.values()
        if module.room in NEAR_JOB_FOLDERS
        and not module.name.startswith(BESIDE)
        and (calls := set(file_calls(module.nodes)))
    }
    assert touching == {name: calls for name, (calls, _) in OTHER_FILES.items()}


def file_calls(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """The calls of a module that touch a file by its path."""
    for node in nodes:
        match node:
            case ast.Call(func=ast.Name(id="open")):
                yield "open"
            case ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr=name)) if owner in FILE_FUNCTIONS:
                if name in FILE_FUNCTIONS[owner]:
                    yield f"{owner}.{name}"
            case ast.Call(func=ast.Attribute(attr=name)) if name in FILE_METHODS:
                yield name
            case ast.Call(func=ast.Attribute(attr="open"), args=[ast.Constant(value=str(mode)), *_]):
                if FILE_MODE.fullmatch(mode):
                    yield ".open"

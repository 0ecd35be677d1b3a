"""Build what a release uploads: python .ci/dist.py FOLDER. The same commit gives the same bytes.

The sdist and the wheel are built twice, from two exports of the commit that lie in different folders, with other file times and another umask.
They must be equal, byte for byte; the sdist must have every file of the commit, and the wheel the marker of its types. FOLDER gets both, and
SHA256SUMS. SOURCE_DATE_EPOCH is the time of the commit, unless it is set.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
UMASKS = (0o022, 0o077)
MARKER = "alfine/py.typed"


def git(*words: str) -> str:
    """Return what a git command prints in this repository."""
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def built(folder: Path, umask: int, epoch: str) -> dict[str, Path]:
    """Export the commit into a folder, build there, and return {file name: file}."""
    source, made = folder / "source", folder / "dist"
    source.mkdir()
    archive = folder / "commit.tar"
    git("archive", "--output", str(archive), "HEAD")
    with tarfile.open(archive) as opened:
        opened.extractall(source, filter="data")
    for file in source.rglob("*"):
        if not file.is_symlink():
            os.utime(file)
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(made), str(source)],
        env={**os.environ, "SOURCE_DATE_EPOCH": epoch},
        umask=umask,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return {file.name: file for file in made.iterdir()}


def digest(file: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def faults(first: dict[str, Path], second: dict[str, Path]) -> list[str]:
    """Return what is wrong with two builds of one commit."""
    wrong = [f"{name} differs between two builds." for name in first if digest(first[name]) != digest(second[name])]
    for name, file in first.items():
        if name.endswith(".whl"):
            wrong += [] if MARKER in zipfile.ZipFile(file).namelist() else [f"{name} lacks {MARKER}."]
        else:
            with tarfile.open(file) as opened:
                held = {member.name.partition("/")[2] for member in opened if member.isfile()}
            wrong += [f"{name} lacks {path}." for path in git("ls-files").splitlines() if path not in held]
    return wrong


def main(goal: Path) -> None:
    """Build twice, compare, and put the result into a folder."""
    if git("status", "--porcelain", "--untracked-files=no"):
        sys.exit("There are changes that aren't committed. A release is built from a commit.")
    epoch = os.environ.get("SOURCE_DATE_EPOCH") or git("log", "-1", "--format=%ct")
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        first, second = (built(Path(folder), umask, epoch) for folder, umask in zip((one, other), UMASKS, strict=True))
        if wrong := faults(first, second):
            sys.exit("\n".join(wrong))
        shutil.rmtree(goal, ignore_errors=True)
        goal.mkdir(parents=True)
        for name, file in first.items():
            shutil.copyfile(file, goal / name)
    subprocess.run([sys.executable, "-m", "twine", "check", "--strict", *map(str, goal.iterdir())], check=True)
    sums = [f"{digest(file)}  {file.name}\n" for file in sorted(goal.iterdir())]
    (goal / "SHA256SUMS").write_text("".join(sums))
    sys.stdout.write("".join(sums))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "dist")

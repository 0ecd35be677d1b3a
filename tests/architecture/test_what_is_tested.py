"""`make test` and CI test what users get: the built wheel, installed; not the files of the checkout."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import files
from pathlib import Path

import alfine
from tests.missing import missing

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src"


def test_the_installed_wheel_is_tested_not_the_checkout(tmp_path):
    place = Path(alfine.__file__)
    if place.is_relative_to(SOURCE):
        missing("the built wheel", "make test")
    assert "site-packages" in place.parts
    assert not [entry for entry in sys.path if entry and Path(entry).resolve().is_relative_to(SOURCE)]
    code = "import alfine; print(alfine.__file__)"
    elsewhere = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert elsewhere.stdout.strip() == str(place), "what the tests start is another alfine than the tests import"


def test_the_wheel_has_every_file_of_the_package():
    if Path(alfine.__file__).is_relative_to(SOURCE):
        missing("the built wheel", "make test")
    wanted = {path.relative_to(SOURCE) for path in (SOURCE / "alfine").rglob("*") if path.is_file()}
    installed = {Path(path) for path in files("alfine") or ()}
    assert {path for path in wanted if "__pycache__" not in path.parts} <= installed

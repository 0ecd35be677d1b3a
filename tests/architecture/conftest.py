"""What the tests of the house read: its source."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="package")
def measure():
    """docs/measure_house.py."""
    spec = importlib.util.spec_from_file_location("measure_house", ROOT / "docs/measure_house.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="package")
def house(measure):
    return measure.House.of(ROOT)

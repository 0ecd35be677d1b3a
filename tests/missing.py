"""Tools that a machine may lack: a test that needs one is skipped, with how to have it; in CI it fails."""

from __future__ import annotations

import importlib
import os
import warnings
from types import ModuleType
from typing import NoReturn

import pytest

from alfine.runners import sandbox

MARK = "missing tool: "
"""How the reason of such a skip begins."""

IN_CI = os.environ.get("CI", "").lower() in ("1", "true")


def missing(tool: str, how_to_have_it: str) -> NoReturn:
    """End the test, since this machine lacks a tool: as skipped, or in CI (the variable CI is true) as failed.

    Args:
        tool: what is missing, as the subject of a sentence.
        how_to_have_it: a command.
    """
    if IN_CI:
        pytest.fail(f"{tool} is missing, which CI must have: {how_to_have_it}", pytrace=False)
    pytest.skip(f"{MARK}{tool} ({how_to_have_it})")


def package(name: str) -> ModuleType:
    """Import a package that the extra `dev` brings."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        missing(name.partition(".")[0], "pip install 'alfine[dev]'")


def of_integration(name: str) -> ModuleType:
    """Import a package that an environment of `make test-integrations` has; `make test` and CI skip its tests."""
    try:
        with warnings.catch_warnings(action="ignore"):  # what old versions say of newer packages beside them
            return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != name.partition(".")[0]:
            raise
        pytest.skip(f"{MARK}{name} (make test-integrations)", allow_module_level=True)


def need_sandbox(*, network: bool = True) -> None:
    reason = sandbox.why_not(network=network)
    if reason:
        missing("bubblewrap" if "isn't installed" in reason else f"a sandbox: {reason}", "apt-get install bubblewrap")

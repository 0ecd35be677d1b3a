"""For the whole suite."""

from __future__ import annotations

import gc
import logging
import os
import re
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import alfine
from alfine.surrogate.threads import one_thread
from tests.missing import MARK, need_sandbox
from tests.postgres import GIVEN, Databases, PostgresServer

# The same examples on every run, so that a commit that passed passes; ALFINE_FUZZ draws others (and more of them). A machine that
# is busy is no failure.
settings.register_profile(
    "suite",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="ALFINE_FUZZ" not in os.environ,
    database=None,
)
settings.load_profile("suite")

gc.disable()  # nothing that is imported and collected is garbage: to look for it takes an eighth of the time

# What a shell starts in the background ignores Ctrl-C, and so would the processes in which tests press it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def linear_algebra_in_one_thread() -> Iterator[None]:
    """Let what tests compute themselves use one thread, as alfine does: several wait for each other where other tests need the cores."""
    with one_thread():
        yield


@pytest.fixture(autouse=True)
def logs_as_at_the_start() -> None:
    """Let alfine log what it logs unless told otherwise: a command that ran in an earlier test has set the level for all that follow."""
    logging.getLogger("alfine").setLevel(logging.NOTSET)


@pytest.fixture(scope="session")
def a_sandbox() -> None:
    """Skip the test where sandboxes don't work."""
    need_sandbox()


@pytest.fixture(scope="session")
def sandbox_without_network() -> None:
    """Skip the test where sandboxes without network don't work."""
    need_sandbox(network=False)


@pytest.fixture(scope="session")
def databases() -> Iterator[Databases]:
    """PostgreSQL, with databases to be made on it."""
    server = None if os.environ.get(GIVEN) else PostgresServer()
    databases = Databases(server)
    yield databases
    databases.close()
    if server is not None:
        server.close()


@pytest.fixture
def postgres_url(databases: Databases) -> Iterator[str]:
    """The URL of a PostgreSQL database of the test's own, with the store's tables."""
    url = databases.new()
    yield url
    databases.empty(url)


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database for `Store`: the test runs once with SQLite, and once with PostgreSQL."""
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path / 'alfine.db'}"


@pytest.fixture
def each_database(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each home of the test has its database in its folder; in a second run all have one in PostgreSQL."""
    if not database_url.startswith("sqlite"):
        monkeypatch.setenv("ALFINE_STORE", database_url)


SLOW = (
    *(
        "runners/test_ray",
        "docs/test_blocks",
        "docs/test_examples",
        "clients/",
        "server/console/test_browser",
        "end_to_end/",
    ),
    *("aws/test_many_sources", "server/test_webhooks", "contracts/", "jobs/test_one_bad", "aws/test_real_buckets"),
)
"""Files that take longest: they begin first, so that no worker is left alone with one at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.nodeid.startswith(tuple(f"tests/{name}" for name in SLOW)))


def pytest_collection_finish() -> None:
    """Let tests make garbage, and never look for it among what was collected."""
    gc.freeze()
    gc.enable()


def pytest_report_header() -> str:
    return f"tested: {alfine.__file__}"


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """End with one line about the tests that were skipped because a tool is missing, and how to have it."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or hasattr(config, "workerinput"):
        return
    reasons = [str(report.longrepr[2]) for report in reporter.stats.get("skipped", [])]
    tools = Counter(reason.partition(MARK)[2] for reason in reasons if MARK in reason)
    if tools:
        shown = [re.sub(r"\)$", f"; {count})", tool) for tool, count in tools.most_common()]
        print(f"Skipped {tools.total()} test{'s' * (tools.total() > 1)} for want of {', '.join(shown)}.")  # noqa: T201

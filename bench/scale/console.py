"""What the console's page of one tuning job costs with 100, 1,000 and 10,000 training jobs, as a Markdown table.

    python bench/scale/console.py [training jobs …]

The first view of a tuning job by a server that has shown another page before, and the next one once the drawings are there: CPU ms of the
thread that answers. What another thread makes meanwhile (figure, forecast, search space) is the third column. A second table has the cost of the tables of
training jobs and of tuning jobs: filtered and sorted by SQL.
"""

from __future__ import annotations

import argparse
import gzip
import re
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import sqlalchemy as sa
from starlette.requests import Request

sys.path.insert(0, str(Path(__file__).parents[1] / "server"))
import pages

from alfine import Continuous
from alfine.api.job_words import job_request
from alfine.core.read_spec import read_spec
from alfine.jobs.home import Home
from alfine.server.console import training_jobs, tuning_job, tuning_jobs
from alfine.server.console.compression import LEVEL
from alfine.server.console.insights import Insights
from alfine.server.console.live_parts import HAS
from alfine.server.console.page_request import ConsoleBackend, Page, PageRequest
from alfine.store import schema
from alfine.store.database import Connection


def view(
    home: Home, insights: Insights, page: Page = tuning_job.page, query: str = "", has: bytes | None = None
) -> tuple[float, bytes]:
    """Return the CPU milliseconds of a page in this thread, and the page, or of its parts those without one of the digests in `has`."""
    headers = [] if has is None else [(HAS.encode(), has)]
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": query.encode(), "headers": headers}
    shown = ConsoleBackend(home.service, lambda _: None, lambda: None, lambda _: None, insights, None)  # type: ignore[arg-type]
    http = Request({**scope, "path_params": {"name": "big"}})
    request = PageRequest(http, SimpleNamespace(form_token="t"), shown, needs_sign_in=False)  # type: ignore[arg-type]
    begun = time.thread_time()
    body = bytes(page(request).body)
    return 1000 * (time.thread_time() - begun), body


def tables(count: int, jobs: int) -> Iterator[str]:
    """Yield the rows of the table of tables: of so many training jobs, and of so many tuning jobs."""
    with tempfile.TemporaryDirectory() as folder, Home(Path(folder)) as home:
        pages.fill(home, count)
        for number in range(jobs - 1):
            spec = read_spec(job_request(name=f"job-{number:04d}", space={"x": Continuous(0, 1)}, command=["true"]))
            home.store.create(spec, pages.START)
        insights = Insights(home.service, tuning_job.draw)
        view(home, insights, training_jobs.page, "page=2")
        for query in ("", "sort=objective", "sort=x", "filter=x<0.1 n>=5", "filter=out of memory"):
            took, body = view(home, insights, training_jobs.page, query.replace(" ", "+"))
            yield _row(f"training jobs, {query or 'newest first'}", took, body)
        for query in ("", "sort=best", "sort=cost", "sort=verdict", "filter=job-09"):
            took, body = view(home, insights, tuning_jobs.page, query)
            yield _row(f"{jobs:,} tuning jobs, {query or 'newest first'}", took, body)


def _row(what: str, took: float, body: bytes) -> str:
    return f"| {what} | {took:.0f} ms | {len(body) // 1000} KB | {_compressed(body)} KB |"


def _compressed(body: bytes) -> str:
    return f"{len(gzip.compress(body, LEVEL)) / 1000:.1f}"


def _drawn() -> None:
    """Wait for what is drawn aside."""
    for thread in threading.enumerate():
        if thread.name == "alfine-insights":
            thread.join()


def _one_more(connection: Connection, count: int) -> None:
    """Record a further training job that has ended."""
    table = schema.training_jobs
    last = connection.execute(sa.select(table).where(table.c.number == count)).mappings().one()
    facts = {f"{part}_fact": 3 * count + 3 + at for at, part in enumerate(("created", "started", "ended"))}
    row = {**last, "number": count + 1, "name": f"big-{count + 1:06d}-one-more", "objective": 0.5, **facts}
    connection.execute(sa.insert(table), [row])
    connection.execute(sa.update(schema.tuning_jobs).values(facts=3 * count + 5))


def row(count: int) -> str:
    """Return the row of the table for a tuning job of so many training jobs."""
    with tempfile.TemporaryDirectory() as folder, Home(Path(folder)) as home:
        pages.fill(home, count)
        with home.store.database.writing() as connection:
            connection.execute(sa.update(schema.tuning_jobs).values(facts=3 * count + 2))
        insights = Insights(home.service, tuning_job.draw)
        first, _ = view(home, insights)
        begun = time.process_time()
        _drawn()
        aside = 1000 * (time.process_time() - begun)
        following, body = view(home, insights)
        with home.store.database.writing() as connection:
            _one_more(connection, count)
        _, changed = view(home, insights, has=b" ".join(re.findall(rb'data-digest="(\w+)"', body)))
        _drawn()
    sizes = f"{len(body) // 1000} KB | {_compressed(body)} KB | {_compressed(changed)} KB"
    return f"| {count:,} | {first:.0f} ms | {following:.0f} ms | {aside:,.0f} ms | {sizes} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("counts", nargs="*", type=int, default=[100, 1_000, 10_000])
    counts = parser.parse_args().counts
    row(30)  # compiles the templates and imports what draws, as the first page of a server does
    print(
        "| training jobs | first view | next view | made aside | page | compressed | parts after one training job more, compressed |"
    )
    print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for count in counts:
        print(row(count), flush=True)
    print("\n| table | CPU time | page | compressed |\n| --- | ---: | ---: | ---: |")
    for line in tables(max(counts), 1_000):
        print(line, flush=True)


if __name__ == "__main__":
    main()

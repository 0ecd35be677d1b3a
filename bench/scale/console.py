"""What the console's page of one tuning job costs with 100, 1,000 and 10,000 training jobs, as a Markdown table.

    python bench/scale/console.py [training jobs …]

The first view of a tuning job by a server that has shown another page before, and the next one once the drawings are there: CPU ms of the
thread that answers. What another thread makes meanwhile (figure, forecast, search space) is the third column.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import sqlalchemy as sa
from starlette.requests import Request

sys.path.insert(0, str(Path(__file__).parents[1] / "server"))
import pages

from alfine.jobs.home import Home
from alfine.server.console import tuning_job
from alfine.server.console.insights import Insights
from alfine.server.console.page_request import ConsoleBackend, PageRequest
from alfine.store.schema import tuning_jobs


def view(home: Home, insights: Insights) -> tuple[float, int]:
    """Return the CPU milliseconds of the page in this thread, and its size in bytes."""
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []}
    shown = ConsoleBackend(home.service, lambda _: None, lambda: None, lambda _: None, insights)
    http = Request({**scope, "path_params": {"name": "big"}})
    request = PageRequest(http, SimpleNamespace(form_token="t"), shown, needs_sign_in=False)  # type: ignore[arg-type]
    begun = time.thread_time()
    page = tuning_job.page(request)
    return 1000 * (time.thread_time() - begun), len(page.body)


def row(count: int) -> str:
    """Return the row of the table for a tuning job of so many training jobs."""
    with tempfile.TemporaryDirectory() as folder, Home(Path(folder)) as home:
        pages.fill(home, count)
        with home.store.database.writing() as connection:
            connection.execute(sa.update(tuning_jobs).values(facts=3 * count + 2))
        insights = Insights(home.service, tuning_job.draw)
        first, _ = view(home, insights)
        begun = time.process_time()
        for thread in threading.enumerate():
            if thread.name == "alfine-insights":
                thread.join()
        aside = 1000 * (time.process_time() - begun)
        following, size = view(home, insights)
    return f"| {count:,} | {first:.0f} ms | {following:.0f} ms | {aside:,.0f} ms | {size // 1000} KB |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("counts", nargs="*", type=int, default=[100, 1_000, 10_000])
    counts = parser.parse_args().counts
    row(30)  # compiles the templates and imports what draws, as the first page of a server does
    print("| training jobs | first view | next view | made aside | page |\n| ---: | ---: | ---: | ---: | ---: |")
    for count in counts:
        print(row(count), flush=True)


if __name__ == "__main__":
    main()

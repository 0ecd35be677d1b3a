"""alfine mcp: serve tuning jobs to agents, by the Model Context Protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from alfine.cli.job_access import jobs_option, open_jobs
from alfine.core.errors import MissingExtra

if TYPE_CHECKING:
    from alfine.api.job_file import JobFile
    from alfine.cli.agents.tools import JobTools
    from alfine.cli.job_access import JobAccess

LEAVE_SECONDS = 10.0
"""Seconds for the engine to release its tuning jobs when the server ends."""

HOST = "127.0.0.1"
"""The address of --http: this machine only."""

EPILOG = """
\b
Examples:
  alfine mcp                        a client starts it and talks to it
  alfine mcp --read-only
  alfine mcp --http --port 8766     by URL, with an access key
  alfine mcp --endpoint https://tuner.example

docs/how-to/agents.md has the settings of clients.
"""


@click.command(epilog=EPILOG)
@click.option("--read-only", is_flag=True, help="Only tools that change nothing.")
@click.option("--http", is_flag=True, help="Serve streamable HTTP on this machine (127.0.0.1) instead of stdio.")
@click.option(
    "--port",
    default=8766,
    show_default=True,
    type=click.IntRange(0, 65535),
    metavar="N",
    help="Port of --http; 0 takes any free one.",
)
@jobs_option
def mcp(*, read_only: bool, http: bool, port: int) -> None:
    """Serve tuning jobs to agents by the Model Context Protocol (MCP): tools to create, watch, explain, change, stop and replay them.

    Jobs that an agent creates run in this process, unless an `alfine serve` has the same home: then that one runs them. When this process
    ends, training jobs run on; `alfine serve`, or resume_job, finds them again.
    """
    try:
        import mcp as _  # noqa: F401
    except ImportError:
        raise MissingExtra("alfine mcp needs the MCP SDK: pip install 'alfine[mcp]'") from None
    from alfine.cli.agents.mcp_server import mcp_server
    from alfine.cli.agents.tools import JobTools

    with open_jobs(create=True) as jobs, _running(jobs) as run:
        tools = JobTools(jobs, run, lambda file: _create(jobs, file), Path.cwd())
        if not http:
            mcp_server(tools, jobs, read_only=read_only).run()
            return
        if (home := getattr(jobs, "home", None)) is not None:
            home.confine()  # what comes over the network names only files below [files] roots, as with alfine serve
        _serve(tools, jobs, port, read_only=read_only)


def _serve(tools: JobTools, jobs: JobAccess, port: int, *, read_only: bool) -> None:
    """Serve by HTTP until the process is told to end."""
    from alfine.cli.agents.mcp_server import mcp_server
    from alfine.server.mcp_http import PATH, serve_agents

    how_to_sign = _how_to_sign(jobs)
    server = mcp_server(tools, jobs, read_only=read_only, is_key=_keys_of(jobs), url=f"http://{HOST}:{port}")
    app = server.streamable_http_app(streamable_http_path=PATH, host=HOST)

    def ready(port: int) -> None:
        click.echo(f"Serving {jobs.where} to agents at http://{HOST}:{port}{PATH}\n{how_to_sign}", err=True)

    serve_agents(app, HOST, port, how_to_sign, ready)


@contextmanager
def _running(jobs: JobAccess) -> Iterator[Callable[[str], str]]:
    """Return what lets a tuning job run, and says who runs it."""
    home: Any = getattr(jobs, "home", None)
    if home is None:
        yield lambda _: f"The server at {jobs.where} runs it."
        return
    from alfine.jobs.engine_pool import EnginePool
    from alfine.jobs.trackers.tracking import INTERRUPTED_SECONDS, Tracking

    pool, trackers = EnginePool(home.engine()), Tracking(home)

    def run(name: str) -> str:
        home.engine().others.look()
        if others := home.other_servers():
            return f"The server at {others[0].url} runs it."
        pool.run(name)
        return "This process runs it; if it ends first, resume_job or `alfine serve` goes on with it."

    trackers.start()
    try:
        yield run
    finally:
        pool.leave(LEAVE_SECONDS)
        trackers.leave(INTERRUPTED_SECONDS)


def _create(jobs: JobAccess, file: JobFile) -> None:
    """Record the tuning job of a file; for a server on another machine, upload its code and data."""
    from alfine.cli.create import uploaded

    jobs.create(uploaded(file.request, jobs, upload=None, bucket=None))


def _keys_of(jobs: JobAccess) -> Callable[[str, str], bool]:
    """Return what says whether an id and a secret are an access key of the home, or the one that this process uses."""
    from alfine.cli.agents.mcp_server import same_secret
    from alfine.cli.remote_jobs import key_in_environment

    home: Any = getattr(jobs, "home", None)
    if home is not None:
        if not home.keys:
            home.keys.create(home.clock())
        return lambda name, secret: same_secret(secret, home.keys.secret(name))
    own = key_in_environment() or ("", "")
    return lambda name, secret: bool(name) and name == own[0] and same_secret(secret, own[1])


def _how_to_sign(jobs: JobAccess) -> str:
    """Return what each request needs, and where to get it. It's also sent as a header's value: ASCII without double quotes."""
    where = "this process" if getattr(jobs, "home", None) is None else "the home: `alfine keys create` prints them"
    return f"Each request needs the header 'Authorization: Bearer ID.SECRET', with the id and the secret of an access key of {where}."

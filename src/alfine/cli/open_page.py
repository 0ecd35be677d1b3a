"""alfine open NAME: open a page of the server's web console in a browser."""

from __future__ import annotations

import os
import sys
import tempfile
import webbrowser
from html import escape
from pathlib import Path
from urllib.parse import quote

import click

from alfine.cli.job_argument import tuning_jobs
from alfine.cli.options import home_option, json_option
from alfine.cli.progress import working

DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER", "WSL_DISTRO_NAME")
"""Environment variables of which Linux has one where a browser can show itself; without them there are only browsers for text."""

EPILOG = """
\b
Examples:
  alfine open my-job
  alfine open
  alfine open my-job --link
"""


@click.command("open", epilog=EPILOG)
@click.argument("name", required=False, shell_complete=tuning_jobs)
@click.option("--link", is_flag=True, help="Print the link instead of opening a browser.")
@home_option
@json_option
def open_page(*, name: str | None, link: bool, as_json: bool) -> None:
    """Open the console's page of the tuning job NAME in a browser; without NAME, the list of all.

    This home's server must run. Where there is no browser, the link is printed: it works once, within an hour, and signs in for
    eight hours.
    """
    from alfine.cli.home_server import access_key, running_server
    from alfine.cli.output import print_json
    from alfine.cli.remote_jobs import RemoteJobs

    with working("Waiting for the server"):
        record = running_server()
    server = RemoteJobs(record.local_url, access_key(record), certificate=record.certificate)
    if name is not None:
        server.describe(name)  # a name that doesn't exist is said here, with the one that was likely meant
    url = server.console_link("" if name is None else f"/console/tuning-jobs/{quote(name, safe='')}")
    if as_json:
        print_json({"Url": url})
    elif not link and has_browser() and webbrowser.open(_private_page(url).as_uri()):
        click.echo(f"Opened {name or 'the console'} in a browser.", err=True)
    else:
        click.echo(url)


def has_browser() -> bool:
    """Return whether a browser with windows can probably be started here."""
    return not sys.platform.startswith("linux") or any(os.environ.get(name) for name in DISPLAYS)


def _private_page(url: str) -> Path:
    """Return a page that only this user can read and that leads to the link: users of a machine can read each other's command lines."""
    handle, path = tempfile.mkstemp(prefix="alfine-", suffix=".html")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        target = escape(url)
        file.write(f'<!doctype html><meta http-equiv="refresh" content="0; url={target}"><a href="{target}">alfine</a>')
    return Path(path)

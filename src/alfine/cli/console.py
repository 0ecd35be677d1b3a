"""alfine console: make a one-time link into the web console."""

from __future__ import annotations

import click

from alfine.cli.home_server import access_key, running_server
from alfine.cli.options import home_option, json_option

EPILOG = """
\b
Examples:
  alfine console
  alfine console --json
"""


@click.command(epilog=EPILOG)
@home_option
@json_option
def console(*, as_json: bool) -> None:
    """Print a link that opens the console of this home's server, once, within an hour.

    The server must run. Whoever opens the link first is signed in for eight hours, so don't put it on a command line: other
    users of the machine can read those.
    """
    from alfine.cli.output import print_json
    from alfine.cli.remote_jobs import RemoteJobs

    record = running_server()
    server = RemoteJobs(record.local_url, access_key(record), certificate=record.certificate)
    url = server.console_link()
    if as_json:
        print_json({"Url": url})
    else:
        click.echo(url)

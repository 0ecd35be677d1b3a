"""alfine serve: serve SageMaker's API and the console, and run the tuning jobs."""

from __future__ import annotations

import os
import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from alfine.cli.console_jobs import ConsoleJobs
from alfine.cli.home_server import ANY, command
from alfine.cli.log_format import write_log
from alfine.cli.options import chosen_home, home_option, open_home
from alfine.cli.shells import SHELLS
from alfine.core.errors import Fault, InvalidSpec
from alfine.jobs.server_record import ServerRecord
from alfine.store.access_keys import AccessKey, Keys
from alfine.store.config import LOG_FORMATS, LOG_LEVELS, Config

if TYPE_CHECKING:
    from alfine.jobs.home import Home

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)

POSIX = SHELLS["posix"].use

EPILOG = """
\b
Examples:
  alfine serve
  eval "$(alfine client)" && python my_program.py    in another shell
  alfine serve --host 0.0.0.0 --tls-cert cert.pem --tls-key key.pem
  alfine serve --open --home /tmp/demo               without keys
"""


@click.command(epilog=EPILOG)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on; 0.0.0.0 lets other machines connect.",
)
@click.option(
    "--port",
    default=8765,
    show_default=True,
    type=click.IntRange(0, 65535),
    metavar="N",
    help="Port to listen on; 0 takes any free one.",
)
@click.option("--region", help="AWS region in ARNs. Default: $AWS_REGION, $AWS_DEFAULT_REGION, else us-east-1.")
@click.option("--tls-cert", type=FILE, help="Certificate with its chain (PEM), to serve https only.")
@click.option("--tls-key", type=FILE, help="Private key of the certificate (PEM).")
@click.option(
    "--open",
    "is_open",
    is_flag=True,
    help="Accept requests with any credentials or without: every program and user of this machine can run code as you. Loopback only.",
)
@click.option(
    "--log-format",
    type=click.Choice(LOG_FORMATS),
    help="How to write the log: lines of text, or a JSON object a line. Default: [server] log_format, else text.",
)
@click.option(
    "--log-level",
    type=click.Choice(LOG_LEVELS),
    help="The lowest level that is logged. Default: [server] log_level, else warning.",
)
@home_option
def serve(
    *,
    host: str,
    port: int,
    region: str | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    is_open: bool,
    log_format: str | None,
    log_level: str | None,
) -> None:
    """Serve SageMaker's API for tuning jobs and a web console, and run the tuning jobs.

    Requests must be signed with an access key of the home. The first start makes one; `alfine client` prints it for your
    clients, and `alfine console` prints a link into the web console.

    The server also resumes jobs that an earlier process left unfinished. SIGTERM or Ctrl-C ends the server but leaves the
    training jobs running; the next `alfine serve` finds them again.
    """
    from alfine.core.arns import Arns
    from alfine.server import app

    if (tls_cert is None) != (tls_key is None):
        raise click.UsageError("--tls-cert and --tls-key belong together: give both or neither.")
    tls = (tls_cert, tls_key) if tls_cert and tls_key else None
    where = region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if is_open:
        app.refuse_other_machines(host)
    settings = Config.at(chosen_home()).server
    write_log(log_format or settings.log_format, log_level or settings.log_level)
    with open_home(create=True, arns=Arns(where) if where else None) as home:
        home.confine()
        made = None if is_open else _first_key(home.keys)
        try:
            app.serve(
                home,
                host,
                port,
                ConsoleJobs(home),
                tls=tls,
                is_open=is_open,
                ready=lambda record, link: _say(record, link, made, home),
            )
        except ssl.SSLError as error:
            message = f"{tls_cert} and {tls_key} aren't a certificate and its key (PEM): {error.reason or error}."
            raise InvalidSpec([Fault("--tls-cert", message)]) from error


def _first_key(keys: Keys) -> AccessKey | None:
    """Return the key that was made now; None where the home had one."""
    return None if keys else keys.create(datetime.now(UTC).replace(microsecond=0))


def _say(record: ServerRecord, link: str, made: AccessKey | None, home: Home) -> None:
    url = record.local_url
    click.echo(f"alfine is ready on {record.url}")
    click.echo(f"  browser:  {url}{link}")
    if not record.is_open:
        click.echo(f"            opens the console once, within an hour; another link: {command('console')}")
    if made or record.is_open:
        id_, secret = (made.id, made.secret) if made else (ANY, ANY)
        region = f"AWS_REGION={record.region} AWS_DEFAULT_REGION={record.region}"
        key = f"AWS_ACCESS_KEY_ID={id_} AWS_SECRET_ACCESS_KEY={secret}"
        click.echo(f"  clients:  export AWS_ENDPOINT_URL={url} {region} {key}")
        click.echo(f"            or in any shell: {POSIX.format(command('client'))}")
    else:
        click.echo(f"  clients:  {POSIX.format(command('client'))}")
    if s3 := home.config.s3.endpoint:
        click.echo(f"  S3:       export AWS_ENDPOINT_URL_S3={s3} (the S3 of s3:// URIs)")
    if others := [str(server.url) for server in home.other_servers()]:
        click.echo(
            f"  servers:  {', '.join(others)} share the database: tuning jobs that one leaves, another takes over"
        )
    if made:
        click.echo("This home had no access key, so one was made. Requests must be signed with it.")
    if record.is_open:
        click.echo("Any credentials are taken: every program and every user of this machine can run code as you here.")

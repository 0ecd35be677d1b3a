"""alfine client: lead AWS's clients in this shell to the server of the home."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping

import click

from alfine.cli.home_server import access_key, command, running_server
from alfine.cli.options import chosen_home, home_option, json_option
from alfine.cli.shells import SHELLS

EPILOG = """
\b
Examples:
  eval "$(alfine client)"                     sh, bash, zsh
  alfine client --shell fish | source
  eval "$(alfine client --undo)"
  alfine client --json                        for a program or a container
"""

BEFORE = "ALFINE_CLIENT_BEFORE"
"""The variable that keeps, as JSON, what the others were before; --undo restores them."""


@click.command(epilog=EPILOG)
@click.option(
    "--endpoint", metavar="URL", help="Address of the server, where clients need another one than this machine."
)
@click.option(
    "--shell", type=click.Choice(list(SHELLS)), default="posix", show_default=True, help="Language of the lines."
)
@click.option("--undo", is_flag=True, help="Print the lines that make the shell as it was before.")
@home_option
@json_option
def client(*, endpoint: str | None, shell: str, undo: bool, as_json: bool) -> None:
    """Print the lines that lead AWS's clients to the server of this home.

    They export its address, its region, and id and secret of an access key: the one that the shell has already if it is one
    of the home's, else the home's oldest. boto3, the AWS CLI, the
    SageMaker SDKs, Airflow and s3fs read these variables. The server must run.

    The SDKs build the address of STS themselves, so PYTHONPATH gets a folder of the home with a sitecustomize.py that leads
    those requests here, too. Nothing in ~/.aws is read or changed.
    """
    from alfine.cli.output import print_json

    before = _before()
    values = _restored(before) if undo else _values(endpoint, before)
    if as_json:
        print_json({name: value for name, value in values.items() if name != BEFORE})
        return
    if not undo:
        values[BEFORE] = json.dumps({name: os.environ.get(name) for name in values} | before)
    for line in SHELLS[shell].lines(values):
        click.echo(line)
    if sys.stdout.isatty():
        words = f"client{'' if shell == 'posix' else f' --shell {shell}'}{' --undo' if undo else ''}"
        click.echo(f"Run these lines: {SHELLS[shell].use.format(command(words))}", err=True)


def _values(endpoint: str | None, before: Mapping[str, str | None]) -> dict[str, str | None]:
    """Return the variables; None for those that mustn't be there."""
    from alfine.cli.client_files import certificate_bundle, python_path
    from alfine.store.config import Config

    record, home = running_server(), chosen_home()
    id_, secret = access_key(record)
    values: dict[str, str | None] = {
        "AWS_ENDPOINT_URL": endpoint or record.local_url,
        "AWS_REGION": record.region,
        "AWS_DEFAULT_REGION": record.region,
        "AWS_ACCESS_KEY_ID": id_,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_SESSION_TOKEN": None,  # that of another account
        "PYTHONPATH": python_path(home, os.environ.get("PYTHONPATH", "")),
    }
    if record.certificate:
        values["AWS_CA_BUNDLE"] = certificate_bundle(home, record.certificate, {**os.environ, **before})
    if s3 := Config.at(home).s3.endpoint:
        values["AWS_ENDPOINT_URL_S3"] = s3
    return values


def _before() -> dict[str, str | None]:
    """Return what the variables were before `alfine client`; nothing where it wasn't used in this shell."""
    try:
        before = json.loads(os.environ.get(BEFORE, ""))
    except ValueError:
        return {}
    pairs = before.items() if isinstance(before, Mapping) else ()
    return {str(name): value if isinstance(value, str) else None for name, value in pairs}


def _restored(before: Mapping[str, str | None]) -> dict[str, str | None]:
    return {**before, BEFORE: None} if before else {}

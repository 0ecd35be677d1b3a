"""alfine keys: create, list and delete the access keys of a home."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import click

from alfine.cli.options import home_keys, home_option, json_option
from alfine.store.access_keys import AccessKey

EPILOG = """
\b
Examples:
  alfine keys create
  alfine keys list
  alfine keys delete AKIA…

`alfine serve` only answers requests that are signed with one of the home's
keys, from this machine too. It makes the first key itself, which `alfine
client` prints. A running server needs no restart for new or deleted keys.
"""


@click.group(epilog=EPILOG)
@home_option
def keys() -> None:
    """Create, list and delete the access keys that requests are signed with.

    The keys are files in the home's folder `keys`, which only its owner can read. With PostgreSQL they are in the database, so that all
    servers on it have the same.
    """


@keys.command(epilog='\b\nExample:\n  eval "$(alfine keys create)"')
@click.option(
    "--from-environment",
    is_flag=True,
    help="Take id and secret from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: those of a real S3, so that clients sign "
    "requests to both with one key.",
)
@home_option
@json_option
def create(*, from_environment: bool, as_json: bool) -> None:
    """Create a key and show its secret, once."""
    from alfine.cli.output import print_json

    now = datetime.now(UTC).replace(microsecond=0)
    with home_keys() as there:
        if from_environment:
            key = AccessKey(os.environ.get("AWS_ACCESS_KEY_ID", ""), os.environ.get("AWS_SECRET_ACCESS_KEY", ""), now)
            there.add(key)
        else:
            key = there.create(now)
    if as_json:
        print_json({"AccessKey": {**_as_json(key), "SecretAccessKey": key.secret}})
        return
    click.echo(f"export AWS_ACCESS_KEY_ID={key.id} AWS_SECRET_ACCESS_KEY={key.secret}")
    click.echo("This command doesn't show the secret again.", err=True)


@keys.command("list", epilog="\b\nExample:\n  alfine keys list")
@home_option
@json_option
def list_keys(*, as_json: bool) -> None:
    """List the keys without their secrets."""
    from alfine.cli.output import local_time, print_json, show, table

    with home_keys() as there:
        all_keys = there.all()
    if as_json:
        print_json({"AccessKeyMetadata": [_as_json(key) for key in all_keys]})
        return
    rows = table("Access key id", "Created")
    for key in all_keys:
        rows.add_row(key.id, local_time(key.created_at.isoformat()) or "")
    show(rows if all_keys else "There are no keys. The next `alfine serve` makes one.")


@keys.command(epilog="\b\nExample:\n  alfine keys delete AKIA…")
@click.argument("access_key_id")
@home_option
@json_option
def delete(*, access_key_id: str, as_json: bool) -> None:
    """Delete a key. Requests signed with it are refused from now on."""
    from alfine.cli.output import print_json

    with home_keys() as there:
        there.delete(access_key_id)
        is_last = not there
    if as_json:
        print_json({"AccessKeyId": access_key_id, "Deleted": True})
        return
    click.echo(f"Deleted {access_key_id}.")
    if is_last:
        click.echo(
            "That was the last key: no request is answered until there is another (`alfine keys create`).", err=True
        )


def _as_json(key: AccessKey) -> dict[str, str]:
    return {"AccessKeyId": key.id, "CreateDate": key.created_at.isoformat(), "Status": "Active"}

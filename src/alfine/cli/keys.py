"""alfine keys: create, list and delete the access keys of a home."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from alfine.cli.options import chosen_home, home_option, json_option
from alfine.store.access_keys import AccessKey, Keys

EPILOG = """
\b
Examples:
  alfine keys create
  alfine keys list
  alfine keys delete AKIA…

Once a home has a key, `alfine serve` only answers requests that are signed
with one, from this machine too, and may listen on any address. A running
server needs no restart.
"""


@click.group(epilog=EPILOG)
@home_option
def keys() -> None:
    """Create, list and delete the access keys that requests are signed with.

    The keys are files in the home's folder `keys`, which only its owner can read.
    """


@keys.command(epilog='\b\nExample:\n  eval "$(alfine keys create)"')
@home_option
@json_option
def create(*, as_json: bool) -> None:
    """Create a key and show its secret, once."""
    from alfine.cli.output import print_json

    key = Keys(chosen_home()).create(datetime.now(UTC).replace(microsecond=0))
    if as_json:
        print_json({"AccessKey": {**_as_json(key), "SecretAccessKey": key.secret}})
        return
    click.echo(f"export AWS_ACCESS_KEY_ID={key.id} AWS_SECRET_ACCESS_KEY={key.secret}")
    click.echo("The secret isn't shown again. From now on, requests to `alfine serve` must be signed.", err=True)


@keys.command("list", epilog="\b\nExample:\n  alfine keys list")
@home_option
@json_option
def list_keys(*, as_json: bool) -> None:
    """List the keys without their secrets."""
    from alfine.cli.output import local_time, print_json, show, table

    all_keys = Keys(chosen_home()).all()
    if as_json:
        print_json({"AccessKeyMetadata": [_as_json(key) for key in all_keys]})
        return
    rows = table("Access key id", "Created")
    for key in all_keys:
        rows.add_row(key.id, local_time(key.created_at.isoformat()) or "")
    show(rows if all_keys else "There are no keys: requests need no signature, but only this machine can send them.")


@keys.command(epilog="\b\nExample:\n  alfine keys delete AKIA…")
@click.argument("access_key_id")
@home_option
@json_option
def delete(*, access_key_id: str, as_json: bool) -> None:
    """Delete a key. Requests signed with it are refused from now on."""
    from alfine.cli.output import print_json

    home_keys = Keys(chosen_home())
    home_keys.delete(access_key_id)
    if as_json:
        print_json({"AccessKeyId": access_key_id, "Deleted": True})
        return
    click.echo(f"Deleted {access_key_id}.")
    if not home_keys:
        click.echo("That was the last key: requests from this machine need no signature any more.", err=True)


def _as_json(key: AccessKey) -> dict[str, str]:
    return {"AccessKeyId": key.id, "CreateDate": key.created_at.isoformat(), "Status": "Active"}

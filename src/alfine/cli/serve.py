"""alfine serve: serve SageMaker's API and the console, and run the tuning jobs."""

from __future__ import annotations

import logging
import os
import ssl
from pathlib import Path

import click

from alfine.cli.options import chosen_home, home_option, open_home
from alfine.core.errors import Fault, InvalidSpec
from alfine.store.access_keys import Keys

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)

EPILOG = """
\b
Examples:
  alfine serve
  AWS_ENDPOINT_URL=http://127.0.0.1:8765 python my_sagemaker_program.py
  alfine keys create && alfine serve --host 0.0.0.0
"""


@click.command(epilog=EPILOG)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on. Other machines can only connect once the home has a key (`alfine keys create`).",
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
@home_option
def serve(*, host: str, port: int, region: str | None, tls_cert: Path | None, tls_key: Path | None) -> None:
    """Serve SageMaker's API for tuning jobs and a web console, and run the tuning jobs.

    The server also resumes jobs that an earlier process left unfinished. SIGTERM or Ctrl-C ends the server but leaves the
    training jobs running; the next `alfine serve` finds them again.
    """
    from alfine.core.arns import Arns
    from alfine.server import app

    if (tls_cert is None) != (tls_key is None):
        raise click.UsageError("--tls-cert and --tls-key belong together: give both or neither.")
    tls = (tls_cert, tls_key) if tls_cert and tls_key else None
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    where = region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    keys = Keys(chosen_home())
    app.refuse_other_machines(host, keys)
    with open_home(create=True, arns=Arns(where) if where else None) as home:
        home.confine()
        s3 = home.config.s3.endpoint
        try:
            app.serve(
                home, host, port, tls=tls, ready=lambda url: _say(url, home.machine.arns.region, s3, signed=bool(keys))
            )
        except ssl.SSLError as error:
            message = f"{tls_cert} and {tls_key} aren't a certificate and its key (PEM): {error.reason or error}."
            raise InvalidSpec([Fault("--tls-cert", message)]) from error


def _say(url: str, region: str, s3: str, *, signed: bool) -> None:
    click.echo(f"alfine is ready on {url}")
    click.echo(f"  browser:  {url}/console/")
    key = ("<key ID>", "<secret>") if signed else ("any", "any")
    click.echo(f"  boto3:    boto3.client('sagemaker', endpoint_url='{url}', region_name='{region}')")
    click.echo(
        f"  AWS CLI:  export AWS_ENDPOINT_URL={url} AWS_DEFAULT_REGION={region} AWS_ACCESS_KEY_ID={key[0]} AWS_SECRET_ACCESS_KEY={key[1]}"
    )
    click.echo("  SDK:      the same variables, then sagemaker.Session() as usual")
    if s3:
        click.echo(f"  S3:       export AWS_ENDPOINT_URL_S3={s3} (the S3 of s3:// URIs)")
    if signed:
        click.echo("Requests must be signed with one of this home's keys (`alfine keys list`).")

"""alfine create JOB: record a tuning job; whoever runs the jobs of that home or server runs it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from alfine.cli.job_access import Jobs, jobs_option, open_jobs
from alfine.cli.options import json_option
from alfine.core.errors import InvalidSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

EPILOG = """
\b
Examples:
  alfine create job.yaml && alfine serve      serve runs it, and all others
  alfine create job.yaml --endpoint http://127.0.0.1:8765
  ALFINE_ENDPOINT=https://tuner.example alfine create job.yaml
"""


@click.command(epilog=EPILOG)
@click.argument("job", type=click.Path(path_type=Path))
@click.option("--name", help="The tuning job's name, instead of the file's.")
@click.option(
    "--upload/--no-upload", default=None, help="Send code and data to the server; default: unless it's on loopback."
)
@click.option(
    "--bucket", help="Where to upload them to; default: one of the server's own. Needed where s3:// leads to a real S3."
)
@jobs_option
@json_option
def create(*, job: Path, name: str | None, upload: bool | None, bucket: str | None, as_json: bool) -> None:
    """Create the tuning job of a file, without running it here.

    JOB is what `alfine tune` takes. An `alfine serve` on the same home runs it, or `alfine tune JOB`. With --endpoint that
    server runs it: what the file names of this machine, code and data, is uploaded into its buckets (a server on loopback
    is taken to be on this machine and reads the files where they are). The key is that of $ALFINE_ACCESS_KEY_ID and
    $ALFINE_SECRET_ACCESS_KEY, else of AWS's variables.
    """
    from alfine.api.job_file import read_job_file
    from alfine.cli.output import print_json

    file = read_job_file(job).with_overrides(name=name)
    try:
        with open_jobs(create=True) as jobs:
            request = _sent(file.request, jobs, upload=upload, bucket=bucket)
            jobs.create(request)
            created = request["HyperParameterTuningJobName"]
            if as_json:
                print_json({"HyperParameterTuningJobName": created})
                return
            click.echo(f"Created {created} in {jobs.where}. `alfine watch {created}` shows how it goes.")
            if not hasattr(jobs, "endpoint"):
                click.echo(f"`alfine serve` on this home runs it, or: alfine tune {job}", err=True)
    except InvalidSpec as error:
        raise file.explain(error) from error


def _refuse_tables(request: Mapping[str, Any], jobs: Jobs) -> None:
    """Raise InvalidSpec for tables of results to begin with, which AWS's API has no place for."""
    from alfine.core.errors import Fault
    from alfine.core.spec import PARENTS
    from alfine.jobs.analysis.results_table import is_table

    parents = (request.get("WarmStartConfig") or {}).get(PARENTS) or ()
    tables = [name for each in parents if is_table(name := each["HyperParameterTuningJobName"])]
    if tables and hasattr(jobs, "endpoint"):
        message = f"{tables[0]} is a table, which no server takes. Create the job on the server's own machine and home, or leave it out."
        raise InvalidSpec([Fault(f"WarmStartConfig.{PARENTS}", message)])


def _sent(request: Mapping[str, Any], jobs: Jobs, *, upload: bool | None, bucket: str | None) -> Mapping[str, Any]:
    from alfine.cli.remote_jobs import Remote
    from alfine.cli.upload_inputs import BUCKET, sent

    _refuse_tables(request, jobs)
    if not isinstance(jobs, Remote):
        if upload or bucket:
            raise click.UsageError("--upload and --bucket are for a server: give --endpoint.")
        return request
    if not (upload if upload is not None else bucket is not None or not jobs.is_loopback):
        return request
    if bucket is None and jobs.s3_endpoint is not None:
        raise click.UsageError(
            f"{jobs.endpoint} keeps code and data at {jobs.s3_endpoint}. Say in which bucket of it: --bucket NAME."
        )
    changed, said = sent(request, bucket or BUCKET.format(region=jobs.region), jobs.put)
    for line in said:
        click.echo(line, err=True)
    return changed

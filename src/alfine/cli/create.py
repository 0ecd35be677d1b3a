"""alfine create JOB: record a tuning job, which a server (or `alfine tune`) runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from alfine.cli.job_access import JobAccess, jobs_option, open_jobs
from alfine.cli.options import json_option
from alfine.cli.progress import working
from alfine.core.errors import InvalidSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

EPILOG = """
\b
Examples:
  alfine create job.yaml && alfine serve      the server runs it
  alfine create job.yaml --endpoint http://127.0.0.1:8765
  ALFINE_ENDPOINT=https://tuner.example alfine create job.yaml
"""


@click.command(epilog=EPILOG)
@click.argument("job", type=click.Path(path_type=Path))
@click.option("--name", metavar="NAME", help="Name of the tuning job. Default: the file's.")
@click.option(
    "--upload/--no-upload",
    default=None,
    help="Upload code and data to the server. Default: upload, unless the server is on this machine (loopback).",
)
@click.option(
    "--bucket", help="Bucket to upload to. Default: one of the server's own. Required if the server uses a real S3."
)
@jobs_option
@json_option
def create(*, job: Path, name: str | None, upload: bool | None, bucket: str | None, as_json: bool) -> None:
    """Create the tuning job of a file without running it here.

    JOB is a job file or a request, as for `alfine tune`. An `alfine serve` on the same home runs the job, or `alfine tune
    JOB`.

    With --endpoint, that server runs the job. Code and data on this machine are uploaded to its buckets; a server on this
    machine (a loopback address) reads them where they are. The access key is read from $ALFINE_ACCESS_KEY_ID and
    $ALFINE_SECRET_ACCESS_KEY, else from AWS's variables.
    """
    from alfine.api.job_file import read_job_file
    from alfine.cli.output import print_json

    file = read_job_file(job).with_overrides(name=name)
    try:
        with open_jobs(create=True) as jobs:
            with working(f"Creating {file.name}"):
                request = uploaded(file.request, jobs, upload=upload, bucket=bucket)
                jobs.create(request)
            created = request["HyperParameterTuningJobName"]
            if as_json:
                print_json({"HyperParameterTuningJobName": created})
                return
            click.echo(f"Created {created} in {jobs.where}. Follow it with: alfine watch {created}")
            if not hasattr(jobs, "endpoint"):
                click.echo(f"To run it: alfine serve, or alfine tune {job}", err=True)
    except InvalidSpec as error:
        raise file.explain(error) from error


def _refuse_tables(request: Mapping[str, Any], jobs: JobAccess) -> None:
    """Raise InvalidSpec for a warm start from a table of results, which AWS's API can't express."""
    from alfine.core.errors import Fault
    from alfine.core.spec import PARENTS
    from alfine.jobs.analysis.results_table import is_results_table

    parents = (request.get("WarmStartConfig") or {}).get(PARENTS) or ()
    tables = [name for parent in parents if is_results_table(name := parent["HyperParameterTuningJobName"])]
    if tables and hasattr(jobs, "endpoint"):
        message = f"{tables[0]} is a table of results, which a server doesn't accept as a parent. Create the job in the server's home, on its machine, or leave this parent out."
        raise InvalidSpec([Fault(f"WarmStartConfig.{PARENTS}", message)])


def uploaded(
    request: Mapping[str, Any], jobs: JobAccess, *, upload: bool | None, bucket: str | None
) -> Mapping[str, Any]:
    """Return a request that the jobs' machine can run: for a server elsewhere, with its code and data uploaded.

    Args:
        request: A CreateHyperParameterTuningJob request.
        jobs: Where the job is to be created.
        upload: Whether code and data are uploaded; None: unless the server is on this machine.
        bucket: The bucket; None: one of the server's own.
    """
    from alfine.cli.remote_jobs import RemoteJobs
    from alfine.cli.upload_inputs import BUCKET, upload_inputs

    _refuse_tables(request, jobs)
    if not isinstance(jobs, RemoteJobs):
        if upload or bucket:
            raise click.UsageError("--upload and --bucket need a server: give --endpoint.")
        return request
    if not (upload if upload is not None else bucket is not None or not jobs.is_loopback):
        return request
    if bucket is None and jobs.s3_endpoint is not None:
        raise click.UsageError(
            f"{jobs.endpoint} keeps code and data at {jobs.s3_endpoint}. Name a bucket there: --bucket NAME."
        )
    changed, lines = upload_inputs(request, bucket or BUCKET.format(region=jobs.region), jobs.put)
    for line in lines:
        click.echo(line, err=True)
    return changed

"""alfine samples: small stand-ins for the data sets that AWS's notebooks read."""

from __future__ import annotations

from collections import defaultdict

import click

from alfine.cli.options import chosen_home, home_option, json_option
from alfine.cli.progress import working

EPILOG = """
\b
Examples:
  alfine samples
  alfine samples --region eu-west-1
  alfine samples --remove
"""


@click.command(epilog=EPILOG)
@click.option("--region", default="us-east-1", show_default=True, help="Region whose buckets the notebooks read.")
@click.option("--remove", "removing", is_flag=True, help="Remove the stand-ins again.")
@home_option
@json_option
def samples(*, region: str, removing: bool, as_json: bool) -> None:
    """Fill buckets with small stand-ins for the data sets that AWS's notebooks read.

    AWS's notebooks read public buckets such as sagemaker-sample-files. This command makes buckets of these names in the home,
    with small data sets of the same columns and formats. They are made here, the same each time, and are not the real data:
    each object says so in its metadata. An object that is there already and isn't a stand-in is kept.
    """
    from alfine.cli.output import print_json, show, table
    from alfine.core.errors import Fault, InvalidSpec
    from alfine.programs.data.buckets.bucket_store import BucketStore
    from alfine.programs.samples import fill, remove
    from alfine.store.config import Config

    home = chosen_home()
    if endpoint := Config.at(home).s3.endpoint:
        message = (
            f"s3:// leads to {endpoint}, and the stand-ins are for buckets in the home. Upload data there yourself."
        )
        raise InvalidSpec([Fault("[s3] endpoint", message)])
    with working("Making stand-ins"):
        done = list((remove if removing else fill)(BucketStore(home / "buckets"), region))
    if as_json:
        print_json([{"Uri": sample.uri, "Bytes": sample.size, "Outcome": sample.outcome} for sample in done])
        return
    by_bucket = defaultdict(list)
    for sample in done:
        by_bucket[sample.bucket].append(sample)
    shown = table("bucket", "objects", "bytes", right=("objects", "bytes"))
    for bucket, objects in by_bucket.items():
        shown.add_row(bucket, str(len(objects)), f"{sum(sample.size for sample in objects):,}")
    show(shown)
    for sample in done:
        if sample.outcome == "kept":
            show(f"kept: {sample.uri} isn't a stand-in.")
    show("These are stand-ins that alfine made, not the real data." if not removing else "Removed the stand-ins.")

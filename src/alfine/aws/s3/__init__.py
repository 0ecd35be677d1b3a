"""S3 over HTTP, for the buckets in a folder (programs/data/buckets).

Read in this order: request.py (bodies and their checks), operations.py, multipart.py, app.py. Requests are authenticated before they come here.
"""

from alfine.aws.s3.app import S3App
from alfine.programs.data.buckets.bucket_store import BucketStore
from alfine.programs.data.buckets.errors import S3Error

__all__ = ["BucketStore", "S3App", "S3Error"]

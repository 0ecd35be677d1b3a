"""An S3 of one's own: buckets in a folder, for S3's clients over HTTP (S3App) and for alfine (BucketStore).

Read in this order: names (where a key's file lies), store, listing, uploads; then request (bodies and what guards
them), operations, app. Authentication is the server's: by the time a request comes here it may do what it asks.
"""

from alfine.aws.s3.app import S3App
from alfine.programs.data.buckets.bucket_store import BucketStore
from alfine.programs.data.buckets.errors import S3Error

__all__ = ["BucketStore", "S3App", "S3Error"]

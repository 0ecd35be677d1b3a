"""Verification of presigned URLs of Signature Version 2, which boto3 and the AWS CLI make for S3 in us-east-1 by default.

They read one object (GET, HEAD), as those of Version 4 do for up to a week. Version 2 signs neither the host nor most of the query, so
everything that it doesn't sign and that could change what is read is refused. Everything else that Version 2 could sign is refused by
sigv4.py.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import unquote_to_bytes

from alfine.aws.auth.sigv4 import LONGEST_EXPIRY, SKEW, Refused, Unproved, iso, parameters

PARAMETERS = (b"AWSAccessKeyId", b"Expires", b"Signature")
SIGNED_PARAMETERS = re.compile(b"response-[a-z-]+")  # what the answer's headers shall say
METHODS = ("GET", "HEAD")


def is_presigned(request: Unproved) -> bool:
    """Return whether the request looks like such a URL."""
    return request.method in METHODS and {name for name, _ in parameters(request.query)} >= set(PARAMETERS)


def check(request: Unproved, secret_of: Callable[[str], str | None], now: datetime, *, bucket: str) -> None:
    """Check that a key signed the URL for this object and that it hasn't expired.

    Args:
        request: The request as it came.
        secret_of: Returns the secret of an access key id; None for an unknown one.
        now: The present time.
        bucket: The bucket that the Host header names, as the reader of the request will understand it; "" when the path names it.

    Raises:
        Refused: It isn't so.
    """
    found = parameters(request.query)
    given = {name: unquote_to_bytes(value.replace(b"+", b" ")) for name, value in found}
    unsigned = [name for name in given if name not in PARAMETERS and not SIGNED_PARAMETERS.fullmatch(name)]
    if unsigned or len(given) != len(found):
        odd = unsigned[0] if unsigned else next(name for name, _ in found)
        raise Refused("query", f"A URL presigned by Signature Version 2 can't have the parameter {odd[:40]!r} here.")
    if any(name.startswith(b"x-amz-") for name, _ in request.headers) or request.header("authorization"):
        raise Refused("two-ways")
    access_key, expires, signature = (given[name] for name in PARAMETERS)
    secret = secret_of(access_key.decode("latin-1"))
    if secret is None:
        raise Refused("unknown-key", AWSAccessKeyId=access_key.decode("latin-1"))
    if not re.fullmatch(b"[0-9]{1,10}", expires):
        raise Refused("query", "Expires should be a number of seconds since 1970.")
    text = _string_to_sign(request, given, expires, bucket)
    if not hmac.compare_digest(base64.b64encode(hmac.digest(secret.encode(), text, "sha1")), signature):
        raise Refused("mismatch")
    left = int(expires) - now.timestamp()
    if left < 0:
        raise Refused("presigned-late", Expires=iso(datetime.fromtimestamp(int(expires), UTC)), ServerTime=iso(now))
    if left > LONGEST_EXPIRY + SKEW.total_seconds():
        raise Refused("query", f"Expires must be at most {LONGEST_EXPIRY} seconds (a week) from now.")


def _string_to_sign(request: Unproved, given: dict[bytes, bytes], expires: bytes, bucket: str) -> bytes:
    asked = sorted((name, value) for name, value in given.items() if name not in PARAMETERS)
    query = b"&".join(name + b"=" + value for name, value in asked)
    resource = (f"/{bucket}".encode("latin-1") if bucket else b"") + request.path + (b"?" + query if query else b"")
    stated = [request.header(name).strip().encode("latin-1") for name in ("content-md5", "content-type")]
    return b"\n".join([request.method.encode(), *stated, expires, resource])

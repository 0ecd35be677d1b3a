"""Signatures of events by the Standard Webhooks specification: any of its libraries verifies them.

Source: github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping


def signed_headers(key: bytes, event_id: str, timestamp: int, body: bytes) -> Mapping[str, str]:
    """Return the headers that prove who sends an event, and when.

    Args:
        key: The bytes of the secret that both sides know.
        event_id: The event's id; the same for every attempt, so that the receiver recognises a repetition.
        timestamp: When this attempt was made, in seconds since 1970; a receiver refuses one that is minutes old.
        body: What is posted.
    """
    signed = b"%b.%d.%b" % (event_id.encode(), timestamp, body)
    signature = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return {"webhook-id": event_id, "webhook-timestamp": str(timestamp), "webhook-signature": f"v1,{signature}"}

"""The operations on tags."""

from __future__ import annotations

from collections.abc import Mapping

from alfine.aws.backend import Backend, Function
from alfine.aws.names import find
from alfine.aws.protocol import Plain, validation_error

MAX_TAGS = 50


def add_tags(backend: Backend, request: Plain) -> Plain:
    with backend.reading() as connection:
        job, number = find(connection, request["ResourceArn"])
        known = backend.service.store.tags(job, number, connection)
    changes = {tag["Key"]: tag["Value"] for tag in request["Tags"]}
    if len({**known, **changes}) > MAX_TAGS:
        raise validation_error(f"A resource has at most {MAX_TAGS} tags; this would make {len({**known, **changes})}.")
    return {"Tags": _tag_list(backend.service.store.tag(job, number, changes))}


def list_tags(backend: Backend, request: Plain) -> Plain:
    """All of them: a resource has at most as many as the smallest page that may be asked for."""
    with backend.reading() as connection:
        job, number = find(connection, request["ResourceArn"])
        return {"Tags": _tag_list(backend.service.store.tags(job, number, connection))}


def delete_tags(backend: Backend, request: Plain) -> Plain:
    with backend.reading() as connection:
        job, number = find(connection, request["ResourceArn"])
    backend.service.store.tag(job, number, dict.fromkeys(request["TagKeys"]))
    return {}


def _tag_list(tags: Mapping[str, str]) -> list[Plain]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


OPERATIONS: Mapping[str, Function] = {"AddTags": add_tags, "ListTags": list_tags, "DeleteTags": delete_tags}

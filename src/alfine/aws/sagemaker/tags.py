"""The operations on tags: of tuning jobs, training jobs and algorithms."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from alfine.aws.sagemaker.arn_lookup import find
from alfine.aws.sagemaker.backend import AwsBackend, Function
from alfine.aws.shape_readers import Plain
from alfine.aws.wire_error import validation_error
from alfine.core.arns import ALGORITHM
from alfine.jobs.annotations import MOST_TAGS
from alfine.jobs.policy_for import is_setting
from alfine.store.algorithms import get_algorithm
from alfine.store.database import Connection
from alfine.store.tags import read_tags

Change = Callable[[Mapping[str, str | None]], Mapping[str, str]]
"""Sets tags, removes those whose value is None, and returns all."""


def _tags_of(backend: AwsBackend, connection: Connection, arn: str) -> tuple[Mapping[str, str], Change]:
    """Return the tags of a resource, and the function that changes them."""
    store, (kind, _, name) = backend.service.store, arn.split(":", 5)[-1].partition("/")
    if kind == ALGORITHM:
        return get_algorithm(connection, name).tags, lambda changes: store.tag_algorithm(name, changes)
    job, number = find(connection, arn)
    return read_tags(connection, job, number), lambda changes: store.tag(job, number, changes)


def add_tags(backend: AwsBackend, request: Plain) -> Plain:
    with backend.reading() as connection:
        known, change = _tags_of(backend, connection, request["ResourceArn"])
    changes = {tag["Key"]: tag["Value"] for tag in request["Tags"]}
    _check_settings(request["ResourceArn"], known, changes)
    if len({**known, **changes}) > MOST_TAGS:
        raise validation_error(f"A resource has at most {MOST_TAGS} tags; this would make {len({**known, **changes})}.")
    return {"Tags": tag_list(change(changes))}


def list_tags(backend: AwsBackend, request: Plain) -> Plain:
    """Return all tags: a resource has no more than fit on the smallest page that a request may ask for."""
    with backend.reading() as connection:
        return {"Tags": tag_list(_tags_of(backend, connection, request["ResourceArn"])[0])}


def delete_tags(backend: AwsBackend, request: Plain) -> Plain:
    with backend.reading() as connection:
        known, change = _tags_of(backend, connection, request["ResourceArn"])
    changes: dict[str, str | None] = dict.fromkeys(request["TagKeys"])
    _check_settings(request["ResourceArn"], known, changes)
    change(changes)
    return {}


def _check_settings(arn: str, known: Mapping[str, str], changes: Mapping[str, str | None]) -> None:
    """Refuse changes of alfine's settings on jobs: a job reads its tags once, when it is created, so they would have no effect."""
    late = [key for key, value in changes.items() if is_setting(key) and value != known.get(key)]
    if late and not arn.split(":", 5)[-1].startswith(f"{ALGORITHM}/"):
        raise validation_error(
            f"{', '.join(late)}: a setting of alfine counts as it was when the job was created. `alfine change` changes limits, "
            "completion criteria, price and repeats of a tuning job."
        )


def tag_list(tags: Mapping[str, str]) -> list[Plain]:
    """Return tags as AWS lists them."""
    return [{"Key": key, "Value": tags[key]} for key in sorted(tags)]


OPERATIONS: Mapping[str, Function] = {"AddTags": add_tags, "ListTags": list_tags, "DeleteTags": delete_tags}

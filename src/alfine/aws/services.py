"""The services that alfine answers for: their operations as functions of a request, without HTTP."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from alfine.aws.cloudwatch_logs import LOGS
from alfine.aws.json_protocol import Api, Written, api, error_body, parse, render
from alfine.aws.sagemaker.backend import AwsBackend, Function
from alfine.aws.sagemaker.operations import OPERATIONS
from alfine.aws.sagemaker.other_operations import empty_list, explained_operation
from alfine.aws.shape_readers import Plain
from alfine.aws.sts_iam_cloudwatch import CLOUDWATCH, IAM, STS
from alfine.aws.wire_error import WireError, unknown_operation
from alfine.core.errors import AlfineError
from alfine.core.unavailable import UNAVAILABLE_CODE, reason_to_try_later

log = logging.getLogger("alfine.aws")

TABLES: Mapping[str, Mapping[str, Function]] = {
    "sagemaker": OPERATIONS,
    "logs": LOGS,
    "cloudwatch": CLOUDWATCH,
    "sts": STS,
    "iam": IAM,
}


class JsonService:
    """A service with AWS's JSON protocol: its model, and the operations that alfine has."""

    def __init__(self, name: str, functions: Mapping[str, Function], backend: AwsBackend) -> None:
        self.name = name
        self.functions = functions
        self.backend = backend

    @property
    def api(self) -> Api:
        return api(self.name)

    def call(self, operation: str, value: Any) -> Plain:
        """Check the request against the model, carry it out, and return the answer in the model's shape."""
        function = self.functions.get(operation)
        if function is None:
            return self._without_function(operation, value)
        known = self.api.operation(operation)
        answer = function(self.backend, known.check(value))
        return answer if isinstance(answer, Written) else known.write(answer)

    def _without_function(self, operation: str, value: Any) -> Plain:
        """Return an empty list of what never exists here. Raise WireError for any other operation that alfine doesn't have."""
        empty = empty_list(self.api, operation)
        if empty is None:
            raise explained_operation(operation, value) if self.name == "sagemaker" else unknown_operation(operation)
        self.api.operation(operation).check(value)
        return empty

    def answer(self, operation: str, body: bytes) -> tuple[int, bytes]:
        """Return (HTTP status, body). Every error becomes one that AWS's clients understand."""
        try:
            return 200, render(self.call(operation, parse(body)))
        except Exception as error:  # noqa: BLE001 - the rim: whatever happens, the caller is answered
            status, code, message = explained(error, operation)
            return status, error_body(code, message)


def explained(error: Exception, operation: str) -> tuple[int, str, str]:
    """Return (HTTP status, AWS's code, text) for an error. For a fault of alfine itself the caller learns only that there is one."""
    if isinstance(error, WireError):
        return error.status, error.code, str(error)
    if reason := reason_to_try_later(error):
        log.warning("operation=%s can't be answered at present: %s", operation, error)
        return 503, UNAVAILABLE_CODE, reason
    if isinstance(error, AlfineError) and error.code != "InternalFailure":
        return 400, error.code, str(error)
    log.error("could not answer operation=%s", operation, exc_info=error)
    return 500, "InternalFailure", "alfine failed to answer this; its log says why."


def services(backend: AwsBackend) -> dict[str, JsonService]:
    """Return all services, by botocore's names."""
    return {name: JsonService(name, functions, backend) for name, functions in TABLES.items()}

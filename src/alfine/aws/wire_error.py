"""Errors for callers of the AWS API: AWS's code, AWS's text, the HTTP status."""

from __future__ import annotations

from alfine.core.errors import AlfineError


class WireError(AlfineError):
    """An error for the caller: AWS's code, AWS's text, the HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


def validation_error(message: str) -> WireError:
    """Return the error for a request that violates the model."""
    return WireError("ValidationException", message)


def not_readable(message: str) -> WireError:
    """Return the error for a body that can't be read as JSON."""
    return WireError("SerializationException", message)


def unknown_operation(name: str) -> WireError:
    """Return the error for an operation that the service doesn't have."""
    return WireError("UnknownOperationException", f"alfine doesn't have the operation {name[:80]!r}.")

"""The response of a hosted model."""

from typing import Any


class Response:
    """A response: its body, status and content type."""

    def __init__(self, response: Any = None, status: int = 200, mimetype: str = "application/json", **_: Any) -> None:
        self.response = response
        self.status = status
        self.mimetype = mimetype

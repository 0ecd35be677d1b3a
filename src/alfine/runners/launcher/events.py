"""The events that a launcher sends to alfine."""

from __future__ import annotations

import json
import os

from .capacity import SHORTAGES

TYPE_CHECKING = False  # the module typing takes long to import
if TYPE_CHECKING:
    from typing import Any


class LauncherEvents:
    """Sends events without waiting for alfine: what its socket has no room for is kept until alfine has read some.

    An event is lost once alfine has ended: the next alfine reads the files of the training jobs.

    Args:
        control: The socket to alfine, by its number.
    """

    def __init__(self, control: int) -> None:
        self.control = control
        self.unsent = bytearray()

    def tell(self, event: str, **fields: Any) -> None:
        """Send an event."""
        self.unsent += json.dumps({"event": event, **fields}).encode() + b"\n"
        self.go_on()

    def go_on(self) -> None:
        """Send what there was no room for."""
        try:
            while self.unsent:
                del self.unsent[: os.write(self.control, self.unsent)]
        except OSError as error:
            if error.errno not in SHORTAGES:  # alfine has ended
                self.unsent.clear()

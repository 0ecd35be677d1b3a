"""Background: a tuning job that runs in a thread of this process, while the program goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Background:
    """Runs a function in a thread of its own, and keeps what it raised.

    The thread ends with the process. Then the tuning job is interrupted as by a kill: nothing is lost, and `alfine.tune` with the same
    arguments goes on with it.

    Args:
        run: Runs the tuning job to its end.
        name: The thread's name.
    """

    def __init__(self, run: Callable[[], object], name: str) -> None:
        self._run = run
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._guarded, name=name, daemon=True)
        self._thread.start()

    def _guarded(self) -> None:
        try:
            self._run()
        except BaseException as error:  # noqa: BLE001 - `wait` raises it, in the thread of whoever waits
            self._error = error

    def wait(self, seconds: float | None) -> bool:
        """Return whether the function has ended, after some seconds at the latest; None: once it has.

        Raises:
            BaseException: What the function raised.
        """
        self._thread.join(seconds)
        if self._error is not None:
            raise self._error
        return not self._thread.is_alive()

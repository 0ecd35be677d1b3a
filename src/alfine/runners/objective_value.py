"""Values of metrics that a Python function gives: which of them count."""

from __future__ import annotations

import inspect
from typing import Any


def number_of(value: Any) -> float:
    """Return the number of a Python number, a NumPy scalar or a tensor of one element; it may be infinite or NaN.

    Raises:
        TypeError: It is something else; the message says what («not True (bool)»).
    """
    if inspect.iscoroutine(value):
        value.close()  # else Python warns that it was never awaited
        raise TypeError(f"not {value!r:.100}: the function is async. Give one that isn't: it may call asyncio.run(…)")
    if "bool" in type(value).__name__ or "bool" in str(getattr(value, "dtype", "")):  # float(True) is 1.0
        raise TypeError(f"not {value!r:.100} ({type(value).__name__}). Write float(…) around it if 0 and 1 are meant")
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise TypeError(f"not {value!r:.100} ({type(value).__name__})") from None

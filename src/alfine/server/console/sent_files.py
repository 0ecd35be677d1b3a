"""Files as browsers save them."""

from __future__ import annotations

from urllib.parse import quote


def attachment(name: str) -> dict[str, str]:
    """Return the headers that make a browser save a response under a name, and never show it.

    Args:
        name: The name of the file.
    """
    return {"content-disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}"}

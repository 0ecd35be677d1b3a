"""Writes the table of docs/reference/job-file.md from the table of fields: python docs/reference/write_job_file.py."""

import re
from pathlib import Path

from alfine.core.field import Field
from alfine.core.fields import FIELDS

PAGE = Path(__file__).parent / "job-file.md"
HEADING = "## Every key"


def table() -> str:
    """The table of every key."""
    return "\n".join(["| key | what it says | default |", "| --- | --- | --- |", *map(_row, FIELDS)])


def page() -> str:
    """The whole page with the table as it should be."""
    text = PAGE.read_text()
    begin = text.index("|", text.index(HEADING))
    (end,) = re.search(r"\n(?!\|)", text[begin:]).span()[:1]
    return f"{text[:begin]}{table()}{text[begin + end :]}"


def _row(field: Field) -> str:
    more = f" ([more]({field.more}))" if field.more else ""
    return f"| `{field.word}` | {field.help}{more} | {_default(field)} |"


def _default(field: Field) -> str:
    if field.default_note or field.default is None:
        return field.default_note or ("none" if field.word not in ("script", "command", "space") else "")
    return f"`{str(field.default).lower() if isinstance(field.default, bool) else field.default}`"


if __name__ == "__main__":
    PAGE.write_text(page())

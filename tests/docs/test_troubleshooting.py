"""docs/how-to/troubleshoot.md quotes messages that alfine prints."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/how-to/troubleshoot.md").read_text()
OTHERS = {  # of Python, of argparse, of SQLite and of the system
    "Address already in use",
    "ModuleNotFoundError: No module named '…'",
    "error: unrecognized arguments: --x …",
    "database disk image is malformed",
}
SEVERAL_WORDS = re.compile(r"\S+ \S+ \S")


def quoted():
    """The messages: blocks of text, and code with several words in the first column of a table."""
    blocks = re.findall(r"^```text\n(.*?)\n```", PAGE, re.DOTALL | re.MULTILINE)
    cells = re.findall(r"^\| `([^`]+)` \|", PAGE, re.MULTILINE)
    return [*blocks, *(cell for cell in cells if SEVERAL_WORDS.match(cell) and cell not in OTHERS)]


def test_every_message_is_one_that_alfine_prints():
    sources = "\n".join(file.read_text() for file in (ROOT / "src/alfine").rglob("*.py"))
    said = re.sub(r'"\s*\n\s*f?r?"', "", sources)  # texts over several lines
    parts = {part.strip(" :.()?") for message in quoted() for part in re.split(r"…|\d+|SIGKILL|\. |: ", message)}
    parts = {part for part in parts if len(part) > 6 and part not in OTHERS}
    assert len(parts) > 15
    assert {part for part in parts if part not in said} == set()

"""Write docs/reference/cli.md from the help of the commands: python docs/reference/write_cli.py."""

from collections.abc import Iterator
from pathlib import Path

from click import Context, Group
from click.testing import CliRunner

from alfine.cli import COMMANDS, main

PAGE = Path(__file__).parent / "cli.md"
HEAD = """# Commands

`docs/reference/write_cli.py` writes this page from the `--help` of each command.
"""


def page() -> str:
    """Return the whole page."""
    helps = [("alfine", ["--help"]), *((f"alfine {' '.join(words)}", [*words, "--help"]) for words in _commands())]
    parts = [f"## {title}\n\n```text\n{_help(words)}\n```\n" for title, words in helps]
    return "\n".join([HEAD, *parts])


def _commands() -> Iterator[list[str]]:
    """Yield each command; after a group, the commands in it."""
    for name in COMMANDS:
        yield [name]
        command = main.get_command(Context(main), name)
        if isinstance(command, Group):
            yield from ([name, inner] for inner in command.commands)


def _help(words: list[str]) -> str:
    return CliRunner().invoke(main, words, prog_name="alfine", terminal_width=80, env={"COLUMNS": "80"}).output.rstrip()


if __name__ == "__main__":
    PAGE.write_text(page())

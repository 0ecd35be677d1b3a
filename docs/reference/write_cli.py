"""Write docs/reference/cli.md from the help of the commands: python docs/reference/write_cli.py."""

import inspect
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import dedent, fill

from click import Command, Context, Group, Option

from alfine.cli import COMMANDS, GROUPS, main

PAGE = Path(__file__).parent / "cli.md"
HEAD = """# Commands

`docs/reference/write_cli.py` writes this page from the help of each command; `alfine COMMAND --help` prints the same.
"""
SHARED = ("--home", "--store", "--endpoint", "--json", "--help")
"""Options that many commands have. They are explained once, where a command says nothing else of them."""

SHARED_TITLE = "Options of many commands"
WIDTH = 140
"""Characters of a line of the page's source."""

UNWRAPPED = "\b"
"""click's mark of a paragraph that is printed as it stands."""

CODE = re.compile(r"(`[^`]+`)")
DOCUMENT = re.compile(r"docs/((?:[\w-]+/)*[\w-]+\.md)")
LITERAL = re.compile(r"(?<![\w-])(-{1,2}[a-z][a-z-]*|\$[A-Z][A-Z_0-9]*|\*\.[a-z]+|[A-Z]+(?:_[A-Z]+)+)(?![\w-])")
EXTRA = re.compile(r"  \[(?P<extra>[^]]+)\]$")
Entry = tuple[str, str]


def page() -> str:
    """Return the whole page."""
    whole = Context(main, info_name="alfine", **main.context_settings)
    known = [(main, whole), *_commands(whole)]
    shared = _shared([context for _, context in known])
    parts = [_section(command, context, shared) for command, context in known]
    options = "\n".join([f"## {SHARED_TITLE}\n", *map(_item, shared)])
    return "\n".join([HEAD, parts[0], f"{options}\n", *parts[1:]])


def _commands(outer: Context) -> Iterator[tuple[Command, Context]]:
    """Yield each command; after a group, the commands in it."""
    for name in COMMANDS:
        command = main.get_command(outer, name)
        context = Context(command, outer, info_name=name)
        yield command, context
        if isinstance(command, Group):
            yield from (
                (inner, Context(inner, context, info_name=inner_name)) for inner_name, inner in command.commands.items()
            )


def _shared(contexts: Sequence[Context]) -> list[Entry]:
    """Return the options of `SHARED`, as most commands explain them."""
    entries = [entry for context in contexts for entry in _options(context)]
    named = {name: [entry for entry in entries if name in re.split(r"[ ,]+", entry[0])] for name in SHARED}
    return [max(found, key=found.count) for found in named.values()]


def _options(context: Context) -> list[Entry]:
    """Return each option as it is written, and its help."""
    parameters = context.command.get_params(context)
    records = [option.get_help_record(context) for option in parameters if isinstance(option, Option)]
    return [record for record in records if record is not None]


def _section(command: Command, context: Context, shared: list[Entry]) -> str:
    """Return the part of one command."""
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    parts = [f"## {context.command_path}", _block([usage]), *_paragraphs(command.help or "")]
    own = [entry for entry in _options(context) if entry not in shared]
    if own:
        parts += ["Options:", "\n".join(map(_item, own))]
    if also := [entry for entry in shared if entry in _options(context)]:
        parts.append(_also([term for term, _ in also], others=bool(own)))
    if isinstance(command, Group):
        parts += _lists_of_commands(command, context)
    return "\n\n".join([*parts, *_paragraphs(command.epilog or "")]) + "\n"


def _also(terms: list[str], *, others: bool) -> str:
    names = [f"`{term.split()[-1] if term.startswith('-h') else term.split()[0]}`" for term in terms]
    listed = " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
    anchor = SHARED_TITLE.lower().replace(" ", "-")
    return f"{'Also ' if others else 'Options: '}{listed}, which [many commands have](#{anchor})."


def _lists_of_commands(command: Group, context: Context) -> Iterator[str]:
    groups = (
        {title: [(name, line) for name, (_, line) in commands.items()] for title, commands in GROUPS.items()}
        if command is main
        else {"Commands": [(name, inner.get_short_help_str(WIDTH)) for name, inner in command.commands.items()]}
    )
    for title, lines in groups.items():
        yield f"{title}:"
        anchor = context.command_path.replace(" ", "-")
        yield "\n".join(_wrapped(f"- [`{name}`](#{anchor}-{name}): {_prose(line)}", "  ") for name, line in lines)


def _item(entry: Entry) -> str:
    term, text = entry
    extra = EXTRA.search(text)
    limits = [_limit(each) for each in extra["extra"].split("; ")] if extra else []
    sentences = [_prose(text[: extra.start()] if extra else text), *limits]
    return _wrapped(f"- `{term}`: {' '.join(sentences)}", "  ")


def _limit(text: str) -> str:
    """Return a sentence for what click writes in brackets: a default, or which numbers an option takes."""
    if text.startswith("default: "):
        return f"Default: `{text.removeprefix('default: ')}`."
    if both := re.fullmatch(r"(\d+)<=x<=(\d+)", text):
        return f"From {both[1]} to {both[2]}."
    if limit := re.fullmatch(r"x(>=|>|<=|<)([\d.]+)", text):
        return f"{ {'>=': 'At least', '>': 'More than', '<=': 'At most', '<': 'Less than'}[limit[1]] } {limit[2]}."
    return f"{text.capitalize()}."


def _paragraphs(text: str) -> Iterator[str]:
    """Yield the paragraphs of a help text; those that click prints as they stand are code, below their first line."""
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        lines = paragraph.split("\n")
        if lines[0] != UNWRAPPED:
            yield _wrapped(_prose(" ".join(lines)))
            continue
        head = [lines[1]] if lines[1].endswith(":") else []
        yield from map(_prose, head)
        yield _block(dedent("\n".join(lines[1 + len(head) :])).split("\n"))


def _block(lines: list[str]) -> str:
    return "\n".join(["```text", *lines, "```"])


def _prose(text: str) -> str:
    """Return text as Markdown: options, variables and patterns as code, names of documents as links."""
    return "".join(part if part.startswith("`") else _marked(part) for part in CODE.split(text))


def _marked(text: str) -> str:
    return LITERAL.sub(r"`\1`", DOCUMENT.sub(_link, text))


def _link(document: re.Match[str]) -> str:
    path = document[1]
    return f"[{document[0]}]({path.removeprefix('reference/') if path.startswith('reference/') else f'../{path}'})"


def _wrapped(text: str, indent: str = "") -> str:
    return fill(text, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


if __name__ == "__main__":
    PAGE.write_text(page())

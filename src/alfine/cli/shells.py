"""Lines that set and unset environment variables, in the languages of shells."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Lines = Callable[[str, str], str]


@dataclass(frozen=True, slots=True)
class Shell:
    """One language.

    Attributes:
        export: Returns the line that sets and exports a variable.
        unset: Returns the line that removes a variable, if it is there.
        use: How the lines that a command prints are run, with `{}` for the command.
    """

    export: Lines
    unset: Callable[[str], str]
    use: str

    def lines(self, values: Mapping[str, str | None]) -> list[str]:
        """Return a line for each variable; None removes it."""
        return [self.unset(name) if value is None else self.export(name, value) for name, value in values.items()]


def _fish(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _powershell(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


SHELLS: Mapping[str, Shell] = {
    "posix": Shell(
        lambda name, value: f"export {name}={shlex.quote(value)}", lambda name: f"unset {name}", 'eval "$({})"'
    ),
    "fish": Shell(lambda name, value: f"set -gx {name} {_fish(value)}", lambda name: f"set -e {name}", "{} | source"),
    "powershell": Shell(
        lambda name, value: f"$env:{name} = {_powershell(value)}",
        lambda name: f"Remove-Item Env:{name} -ErrorAction SilentlyContinue",
        "{} | Out-String | Invoke-Expression",
    ),
}
"""posix: sh, bash, zsh and others that read their language."""

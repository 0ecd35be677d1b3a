"""The words of a short text that people write: conditions (`conditions.py`) and criteria (`criteria/text_format.py`) are read from them.

    token = quoted | mark | word

A quoted token stands in " or ', and may hold anything else. Which marks there are is for each language to say: they need no white
space around them. A word is whatever else stands between white space and marks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from alfine.core.errors import Fault, InvalidSpec


@dataclass(frozen=True, slots=True)
class Token:
    """A word, a mark, or a text in quotes.

    Attributes:
        text: As it's written, but without its quotes.
        position: Of its first character, from 1.
        quoted: Whether it stood in quotes, so that it's never a mark or a keyword.
    """

    text: str
    position: int
    quoted: bool = False

    def is_one_of(self, *texts: str) -> bool:
        """Return whether it's one of these marks or keywords."""
        return not self.quoted and self.text in texts


END = Token("", 0, quoted=True)
"""Stands for what follows the last token."""


class Tokens:
    """The tokens of a text, to be taken one by one.

    Args:
        text: The text.
        marks: The marks of the language; of two that begin alike the longer one first.
        path: Where faults are: the Fault's path.

    Example:
        >>> tokens = Tokens("lr>=0.5", [">=", ">"])
        >>> [tokens.take().text for _ in range(3)]
        ['lr', '>=', '0.5']
    """

    def __init__(self, text: str, marks: Sequence[str], path: str = "") -> None:
        self.text, self.path = text, path
        letters = re.escape("".join(dict.fromkeys("".join(marks))))
        pattern = rf"""("[^"]*"|'[^']*')|{"|".join(map(re.escape, marks))}|[^\s{letters}]+|\S"""
        self._rest = [
            Token(found[1][1:-1] if found[1] else found[0], found.start() + 1, quoted=bool(found[1]))
            for found in re.finditer(pattern, text)
        ]
        self._next = 0

    def __bool__(self) -> bool:
        """Return whether a token is left."""
        return self._next < len(self._rest)

    def peek(self, ahead: int = 0) -> Token:
        """Return the next token, or one further on, without taking it; END where there is none."""
        place = self._next + ahead
        return self._rest[place] if place < len(self._rest) else END

    def take(self) -> Token:
        """Return the next token and go on to the one after it; END where there is none."""
        token = self.peek()
        self._next += bool(self)
        return token

    def take_if(self, *texts: str) -> bool:
        """Take the next token if it's one of these marks or keywords; return whether it was."""
        taken = self.peek().is_one_of(*texts)
        self._next += taken
        return taken

    def put_back(self, token: Token) -> None:
        """Have a token come next, before those that are left."""
        self._rest.insert(self._next, token)

    def where(self, token: Token | None = None) -> str:
        """Return where a token stands, the next one by default: «at «)» (character 7)», or «at its end»."""
        token = self.peek() if token is None else token
        return "at its end" if token is END else f"at «{token.text}» (character {token.position})"

    def unreadable(self, why: str, token: Token | None = None) -> InvalidSpec:
        """Return the error for a text that can't be read.

        Args:
            why: What is wrong and what to do, as sentences. The first follows the place.
            token: Where; the next token by default.
        """
        return InvalidSpec([Fault(self.path, f"{self.text!r} can't be read {self.where(token)}: {why}")])

"""The keys and values of a JSON or YAML file.

YAML is read by the core schema of YAML 1.2: `1e-5` is a number; `off`, `no`, `12:30` and `2026-01-31` are texts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from alfine.core.errors import Fault, InvalidSpec

SUFFIXES = (".json", ".yaml", ".yml")

# Tag, pattern and possible first characters of each plain value that isn't a text (YAML 1.2.2, section 10.3.2; and `<<`, which
# puts the keys of another mapping into this one). The resolver of ruamel.yaml has more of YAML 1.1: dates, 1_000, 0b11.
CORE_SCHEMA: tuple[tuple[str, str, str], ...] = (
    ("null", r"~|null|Null|NULL|", "~nN"),
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+0123456789.",
    ),
    ("merge", r"<<", "<"),
)


def read_document(path: Path) -> dict[str, Any]:
    """Return the keys and values of a .json, .yaml or .yml file.

    Args:
        path: The file.

    Raises:
        InvalidSpec: The file can't be read, isn't JSON or YAML, has a key twice, or isn't keys and values at its top.
            The fault's path is the file's, with line and column where they are known.
    """
    kind = path.suffix.lower()
    if kind not in SUFFIXES:
        hint = f" For a script, write a job file that says `script: {path.name}`." if kind in (".py", ".sh") else ""
        raise InvalidSpec([Fault(str(path), f"must be a .json, .yaml or .yml file.{hint}")])
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSpec([Fault(str(path), f"can't be read: {getattr(error, 'strerror', None) or error}.")]) from error
    return parsed_json(str(path), text) if kind == ".json" else parsed_yaml(str(path), text)


def parsed_json(name: str, text: str) -> dict[str, Any]:
    """Return the keys and values of a JSON text. Raise InvalidSpec as `read_document` does.

    Args:
        name: How faults call the text.
    """
    return _document(name, _from_json(name, text))


def parsed_yaml(name: str, text: str) -> dict[str, Any]:
    """Return the keys and values of a YAML text. Raise InvalidSpec as `read_document` does.

    Args:
        name: How faults call the text.
    """
    return _document(name, _from_yaml(name, text))


def _document(name: str, document: Any) -> dict[str, Any]:
    if not isinstance(document, dict):
        what = "is empty" if document is None else f"has a {_kind(document)} at its top"
        raise InvalidSpec([Fault(name, f"{what}. It must be keys and values, such as `script: train.py`.")])
    return document


def _from_json(path: str, text: str) -> Any:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        entries = dict(pairs)
        if len(entries) < len(pairs):
            keys = [key for key, _ in pairs]
            twice = sorted({key for key in keys if keys.count(key) > 1})
            raise InvalidSpec([Fault(path, f"{', '.join(twice)} is written twice in one object. Keep one.")])
        return entries

    try:
        return json.loads(text, object_pairs_hook=once)
    except json.JSONDecodeError as error:
        raise InvalidSpec([Fault(f"{path}:{error.lineno}:{error.colno}", f"isn't JSON: {error.msg}.")]) from error


def _from_yaml(path: str, text: str) -> Any:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError
    from ruamel.yaml.resolver import VersionedResolver

    class CoreSchema(VersionedResolver):
        """Tells numbers, truth values and null from texts by the core schema, whatever `%YAML` says."""

        versioned_resolver: Mapping[str, list[tuple[str, re.Pattern[str]]]] = _resolvers()

    yaml = YAML(typ="safe", pure=True)
    yaml.Resolver = CoreSchema
    try:
        return yaml.load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else path
        raise InvalidSpec([Fault(where, f"isn't YAML: {error.problem or error.context}.")]) from error
    except YAMLError as error:
        raise InvalidSpec([Fault(path, f"isn't YAML: {error}.")]) from error


def _resolvers() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    """Return the tags and patterns to try, by a value's first character; "" for an empty value."""
    resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
    for tag, pattern, first in CORE_SCHEMA:
        for character in [*first, *([""] if tag == "null" else [])]:
            resolvers.setdefault(character, []).append((f"tag:yaml.org,2002:{tag}", re.compile(rf"^(?:{pattern})$")))
    return resolvers


def _kind(value: Any) -> str:
    return "list" if isinstance(value, list) else "single value"

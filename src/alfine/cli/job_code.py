"""Texts that ask for a job: a job file in YAML, and a Python program."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

from alfine.api.read_document import parsed_yaml
from alfine.core.errors import InvalidSpec

WIDTH = 110
"""Characters of a line of YAML that holds a list or a range."""

OF_TARGET = ("script", "command", "function")
"""The words that are the first argument of `alfine.tune`."""


def yaml_text(document: Mapping[str, Any]) -> str:
    """Return a document as YAML that `read_document` reads as the same: as JSON, which is YAML, where a value has no shorter form."""
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = None  # short lists and ranges on one line
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.width, yaml.allow_unicode = WIDTH, True
    written = io.StringIO()
    yaml.dump(dict(document), written)
    text = written.getvalue()
    try:
        same = parsed_yaml("job.yaml", text) == dict(document)
    except InvalidSpec:  # a value that this writer writes by other rules of YAML
        same = False
    return text if same else json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def python_text(words: Mapping[str, Any]) -> str:
    """Return a Python program that runs the job with `alfine.tune`.

    Args:
        words: What `words_of_request.words_of` returned.
    """
    begin = ["import alfine", "from alfine import Categorical, Continuous, Integer"]
    target = repr(words.get("script") or words.get("command"))
    if "function" in words:
        target, where = _function(words["function"])
        begin.append(where)
    ranges = "".join(f"        {name!r}: {range_!r},\n" for name, range_ in words["space"].items())
    others = [(word, value) for word, value in words.items() if word not in (*OF_TARGET, "space")]
    arguments = "".join(f"    {word}={value!r},\n" for word, value in others)
    lines = "\n".join(begin)
    return f"{lines}\n\njob = alfine.tune(\n    {target},\n    {{\n{ranges}    }},\n{arguments})\nprint(job.best)\n"


def _function(function: str) -> tuple[str, str]:
    """Return how a program calls a function, «module:name», and the line that says where it comes from."""
    module, _, name = function.partition(":")
    first, *others = name.split(".")
    if module == "__main__" or not all(part.isidentifier() for part in (first, *others)):  # such as a lambda
        return "objective", f"# objective: your function, which was {function}"
    return name, f"from {module} import {first}"

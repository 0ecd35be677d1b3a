"""docs/reference/public-api.md and http.md name what is there: modules for plug-ins, entry points, integrations, routes."""

import ast
import re
import tomllib
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import get_type_hints

from ruamel.yaml import YAML

import alfine
from alfine.server.rest import PATH, RestApi
from alfine.store.config import Config
from alfine.store.operating_settings import Webhook

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/reference/public-api.md").read_text()


def for_plug_ins():
    """{module: names} of the table of what plug-ins are written with."""
    rows = re.findall(r"^\| `(alfine\.[\w.]+)` \| (`.+`) \|$", PAGE, re.MULTILINE)
    return {module: set(re.findall(r"`(\w+)`", names)) for module, names in rows}


def test_the_names_for_plug_ins_are_those_that_the_how_tos_import():
    imported = {}
    for page in ROOT.glob("docs/how-to/add-a-*.md"):
        for block in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL):
            for node in ast.walk(ast.parse(block)):
                if isinstance(node, ast.ImportFrom) and node.module.startswith("alfine"):
                    imported.setdefault(node.module, set()).update(alias.name for alias in node.names)
    assert for_plug_ins() == imported
    assert [
        name for module, names in imported.items() for name in names if not hasattr(import_module(module), name)
    ] == []


def test_the_page_names_the_integrations_and_entry_points():
    (row,) = re.findall(r"^\| Python: modules of integrations \| (.+) \|$", PAGE, re.MULTILINE)
    named = set(re.findall(r"`alfine\.(\w+)`", row))
    lazily = re.findall(r"from alfine\.integrations import (\w+) as", Path(alfine.__file__).read_text())
    assert named == set(lazily)
    (row,) = re.findall(r"^\| entry points \| (.+) \|$", PAGE, re.MULTILINE)
    groups = {
        match
        for file in (ROOT / "src").rglob("*.py")
        for match in re.findall(r'"(alfine\.(?:criteria|strategies))"', file.read_text())
    }
    assert set(re.findall(r"`([\w.]+)`", row)) == groups


def test_the_page_of_the_http_api_has_every_route():
    routes = object.__new__(RestApi).routes().routes  # which need no parts of a server
    there = {f"{method} {PATH}{route.path}" for route in routes for method in route.methods - {"HEAD"}}
    page = (ROOT / "docs/reference/http.md").read_text()
    assert set(re.findall(rf"^\| `((?:GET|POST) {PATH}[^`?]*)", page, re.MULTILINE)) == there


def test_the_page_on_installing_names_every_extra_that_is_for_users():
    extras = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"])
    table = (ROOT / "docs/tutorial/install.md").read_text().partition("## Extras")[2].partition("\n## ")[0]
    rows = {
        name for cell in re.findall(r"^\| (`.+?) \|", table, re.MULTILINE) for name in re.findall(r"`([\w-]+)`", cell)
    }
    assert rows == extras - {"core-dev", "demo", "dev", "server"}


def test_workflows_try_each_python_that_is_promised():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    promised = set(re.findall(r"Python :: (3\.\d+)", "\n".join(project["classifiers"])))
    matrix = YAML(typ="safe", pure=True).load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]["suite"][
        "strategy"
    ]["matrix"]
    assert promised <= set(matrix["python"])
    assert min(promised, key=lambda version: int(version.split(".")[1])) == project["requires-python"].removeprefix(
        ">="
    )


def test_workflows_run_what_is_there():
    for file in (ROOT / ".github/workflows").glob("*.yml"):
        text = file.read_text()
        targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
        asked = {
            word for line in re.findall(r"\bmake ([\w -]+?)(?: PYTHON=|$)", text, re.MULTILINE) for word in line.split()
        }
        assert asked <= targets
        assert all((ROOT / path).exists() for path in re.findall(r"\.ci/[\w.-]+", text))


def test_workflows_name_each_action_by_the_hash_of_a_release():
    used = re.findall(r"uses: (.+)", "\n".join(file.read_text() for file in (ROOT / ".github/workflows").glob("*.yml")))
    others = [name for name in used if not name.startswith("./")]
    assert [name for name in others if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", name)] == []
    assert len(others) > 20


def test_the_page_of_settings_has_every_key_with_its_default():
    text = (ROOT / "docs/reference/settings.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (?:`(\w+)`|a pattern) \| (.+?) \|", text, re.MULTILINE)
    told = {(table, key): default.strip("`") for table, key, default in rows if table != "images"}
    kinds = {name: kind for name, kind in get_type_hints(Config).items() if name not in {"path", "images"}}
    kinds["webhooks"] = Webhook
    known = {(table, known.name): known.default for table, kind in kinds.items() for known in fields(kind)}
    assert set(told) == set(known)
    written = {
        key: tomllib.loads(f"x = {words}")["x"]
        for key, words in told.items()
        if re.match(r'["\[\d]|true|false', words) and "GiB" not in words
    }
    defaults = {key: list(known[key]) if isinstance(known[key], tuple) else known[key] for key in written}
    assert written == defaults
    sizes = {key: int(words.removesuffix(" GiB")) << 30 for key, words in told.items() if words.endswith(" GiB")}
    assert sizes == {key: known[key] for key in sizes} != {}

"""Every criterion, every word of job files and every public name is explained: in the glossary, or on a page of the reference."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

import alfine
from alfine.core import settings
from alfine.core.fields import WORDS
from alfine.criteria import ALWAYS, CRITERIA
from alfine.store.config import Config
from alfine.strategies import STRATEGIES

DOCS = Path(__file__).parents[2] / "docs"
GLOSSARY = (DOCS / "glossary.md").read_text()
REFERENCE = "\n".join(page.read_text() for page in sorted((DOCS / "reference").glob("*.md")))
IN_CODE = re.compile(r"`([^`]+)`")

criteria = [*CRITERIA, *(kind.__name__ for kind in ALWAYS)]
settings_of_criteria = sorted(
    {field.name for kind in CRITERIA.values() for field in fields(kind)}
    - {"criterion", "criteria", "limit", "target", "when", "max_number_of_training_jobs_not_improving"}
)
job_words = sorted(WORDS)
tables = [
    (table, field.name)
    for table in ("files", "s3", "run", "server", "metrics", "limits", "retention", "track")
    for field in fields(getattr(Config(), table))
]


def rows(text):
    """The first cells of tables, without markup, split at commas."""
    cells = re.findall(r"^\| ([^|]+?) \|", text, re.MULTILINE)
    return {name.strip().strip("`") for cell in cells for name in cell.split(",")}


@pytest.mark.parametrize("name", [*criteria, *alfine.__all__, *STRATEGIES, *job_words])
def test_it_has_a_row_in_the_glossary(name):
    assert name in rows(GLOSSARY)


@pytest.mark.parametrize("name", [*settings_of_criteria, *settings.NAMES])
def test_a_setting_is_in_the_glossary_or_the_reference(name):
    spellings = {name, name.replace("-", "_"), f"alfine:{name}"}
    words = {word for code in IN_CODE.findall(GLOSSARY + REFERENCE) for word in re.findall(r"[\w:-]+", code)}
    assert spellings & words


@pytest.mark.parametrize(("table", "key"), tables)
def test_a_setting_of_alfine_toml_is_in_the_docs(table, key):
    pages = "\n".join(page.read_text() for page in DOCS.rglob("*.md"))
    assert re.search(rf"\[{table}\][^\n]*\b{key}\b|^ *{key} = ", pages, re.MULTILINE)


def test_no_row_of_the_glossary_stands_twice():
    cells = re.findall(r"^\| ([^|]+?) \|", GLOSSARY, re.MULTILINE)
    names = [cell for cell in cells if cell not in {"word", "name", "criterion", "---"} and not cell.startswith("`")]
    assert len(names) == len(set(names))


def test_every_row_of_the_glossary_explains_in_one_sentence():
    for line in GLOSSARY.splitlines():
        if line.startswith("| ") and not line.startswith(("| ---", "| word", "| name", "| criterion |")):
            meaning = line.split(" | ")[1].strip(" |")
            assert len(meaning.split()) >= 3, line

"""Documents that can't go stale: every criterion, command, setting and plug-in has its words, and what is shown runs."""

import importlib.util
import inspect
import re
from pathlib import Path

import botocore.session
import pytest

import alfine
from alfine.core.fields import WORDS
from alfine.criteria import ALWAYS, table

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md"), *ROOT.glob("bench/*.md")]
)


@pytest.mark.parametrize("name", [*table(), *(kind.__name__ for kind in ALWAYS)])
def test_every_criterion_is_on_the_reference_page(name):
    assert f"`{name}`" in (ROOT / "docs/reference/criteria.md").read_text()


def anchors(page):
    """The fragments by which a page's headings are linked, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    links = re.findall(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)", text)
    links += [(source, "") for source in re.findall(r"(?:src|srcset)=\"([^\"]+)\"", text)]
    for target, fragment in links:
        if target.startswith("http"):
            continue
        there = (page.parent / target).resolve() if target else page
        assert there.exists(), target
        if fragment:
            assert fragment in anchors(there), f"{target}#{fragment}"


def test_every_page_is_in_the_list_of_pages():
    listed = {ROOT / "docs" / target for target in re.findall(r"\]\(([^)]+)\)", (ROOT / "docs/README.md").read_text())}
    assert {page for page in ROOT.glob("docs/**/*.md") if page.name != "README.md"} == {
        page for page in listed if page.resolve().is_relative_to(ROOT / "docs")
    }


def fields(shape, path=()):
    """The paths of a shape's members, and of their members."""
    match shape.type_name:
        case "structure":
            for name, member in shape.members.items():
                yield (*path, name)
                yield from fields(member, (*path, name))
        case "list":
            yield from fields(shape.member, path)
        case "map":
            yield from fields(shape.value, path)


@pytest.mark.parametrize("operation", ["CreateHyperParameterTuningJob", "CreateTrainingJob"])
def test_what_becomes_of_each_field_of_awss_is_on_the_page(operation):
    """By its name, or by that of a field that it's part of; of those below, each part has words of its own."""
    page = set(re.findall(r"\w+", (ROOT / "docs/reference/aws-compatibility.md").read_text()))
    whole = {"HyperParameterTuningJobConfig", "TrainingJobDefinition", "AlgorithmSpecification", "InputDataConfig"}
    whole |= {
        "DataSource",
        "S3DataSource",
        "OutputDataConfig",
        "ResourceConfig",
        "StoppingCondition",
        "CheckpointConfig",
    }
    shape = botocore.session.get_session().get_service_model("sagemaker").operation_model(operation).input_shape
    assert [path for path in fields(shape) if path[-1] not in whole and not (set(path) - whole) & page] == []


def written_by(name):
    """docs/reference/<name>.py as a module."""
    found = importlib.util.spec_from_file_location(name, ROOT / f"docs/reference/{name}.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def test_the_command_page_is_what_the_commands_say():
    write_cli = written_by("write_cli")
    assert write_cli.PAGE.read_text() == write_cli.page()


def test_the_page_of_job_files_says_what_the_table_of_fields_says():
    write_job_file = written_by("write_job_file")
    assert write_job_file.PAGE.read_text() == write_job_file.page()


def test_the_python_page_is_what_the_source_says_of_the_whole_face():
    write_python = written_by("write_python")
    assert write_python.PAGE.read_text() == write_python.page()
    told = {name for names in write_python.SECTIONS.values() for name in names}
    assert {name for name in told if "." not in name} - {"job_request"} == set(alfine.__all__) - {"__version__"}


@pytest.mark.parametrize("thing", [alfine.tune, alfine.change, alfine.Tuner], ids=lambda thing: thing.__name__)
def test_arguments_that_are_fields_are_explained_in_the_words_of_the_table(thing):
    arguments = arguments_of(thing.__doc__)
    fields = [name for name in inspect.signature(thing).parameters if name in WORDS and name != "name"]
    assert fields
    for name in fields:
        assert arguments[name].startswith(WORDS[name].help), name


def arguments_of(docstring):
    """Each argument of a docstring with what it says of it, in one line."""
    (section,) = re.findall(r"\nArgs:\n(.*?)(?:\n\n|\Z)", inspect.cleandoc(docstring), re.DOTALL)
    entries = re.split(r"^    (?=\w+: )", section, flags=re.MULTILINE)[1:]
    return {name: " ".join(text.split()) for name, _, text in (entry.partition(": ") for entry in entries)}

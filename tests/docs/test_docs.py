"""Documents that can't go stale: every criterion, command, setting and plug-in has its words, and what is shown runs."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import botocore.session
import pytest

import alfine
from alfine.core.read_spec import read_spec
from alfine.criteria import ALWAYS, table

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md"), *ROOT.glob("bench/*.md")]
)


@pytest.mark.parametrize("name", [*table(), *(kind.__name__ for kind in ALWAYS)])
def test_every_criterion_is_on_the_reference_page(name):
    assert f"`{name}`" in (ROOT / "docs/reference/criteria.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
        assert target.startswith("http") or (page.parent / target).exists(), target


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


def test_the_readmes_program_runs(tmp_path):
    (program,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    program = program.replace("max_training_jobs=200", "max_training_jobs=12")
    environment = {"ALFINE_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    run = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "training jobs" in run.stdout


def test_contributings_criterion_works():
    from alfine.core.policy import Outlook, Verdict
    from alfine.core.settings import put_setting
    from tests.building import history, request

    (program,) = re.findall(r"```python\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL)
    from dataclasses import dataclass

    names = {"dataclass": dataclass, "Verdict": Verdict, "Outlook": Outlook, "put_setting": put_setting}
    exec("\n".join(line.removeprefix("   ") for line in program.splitlines()), names)
    criterion = names["EnoughTried"](2)
    assert criterion.check(history([1.0])).outlook is Outlook.CONTINUE
    assert criterion.check(history([1.0, 2.0])).outlook is Outlook.STOP
    asked = request()
    criterion.to_request(asked)
    assert asked != request()
    assert names["EnoughTried"].from_spec(read_spec(asked)) == criterion


def written_by(name):
    """docs/reference/<name>.py as a module."""
    found = importlib.util.spec_from_file_location(name, ROOT / f"docs/reference/{name}.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def test_the_command_page_is_what_the_commands_say():
    write_cli = written_by("write_cli")
    assert write_cli.PAGE.read_text() == write_cli.page()


def test_the_python_page_is_what_the_source_says_of_the_whole_face():
    write_python = written_by("write_python")
    assert write_python.PAGE.read_text() == write_python.page()
    told = {name for names in write_python.SECTIONS.values() for name in names}
    assert told - {"job_request"} == set(alfine.__all__) - {"__version__"}

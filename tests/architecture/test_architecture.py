"""The rules that keep the house as docs/architecture.md describes it. import-linter holds the floors (pyproject.toml).

Each table of exceptions gives the reason for each entry, and each test fails as well where an entry is no longer needed: so the tables
only shrink.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from alfine.criteria import known
from alfine.store import migrations
from alfine.store.schema import REVISION

MOST_ROOMS = 14
OUTLIVING = {
    "programs.host_program": "the program ends once the training job has, and the stop that was asked for is what ends it",
    "runners.on_ray.slot": "it ends the process itself",
}
"""Modules with a thread that keeps its process from ending."""

LOOSE = {"sagemaker": "the documented import of SageMaker's local mode"}

ONE_USER = {
    "api.import_aws": "Python's side of `alfine import aws`, beside api/import_records",
    "api.import_optuna": "Python's side of `alfine import optuna`, beside api/import_records",
    "api.local_mode": "alfine.sagemaker is its documented import, three lines",
    "aws.auth.guard": "who may send a request is decided in one folder; the server only mounts it",
    "aws.s3": "the small S3 is a protocol of AWS; the server only mounts it",
    "aws.sagemaker.state_changes": "what an event looks like is AWS's protocol; the server only posts it",
    "core.single_training_job": "how CreateTrainingJob's request is read, beside read_spec",
    "figures.metric_curve": "a chart: all of them lie in figures",
    "figures.sparkline": "a chart: all of them lie in figures",
    "jobs.backup": "what a home consists of is known here; `alfine backup` is a thin command",
    "jobs.check_home": "what a home consists of is known here; `alfine doctor --check` is a thin command",
    "jobs.overview": "the read model, beside describe; the console shows it",
    "jobs.restore": "what a home consists of is known here; `alfine restore` is a thin command",
    "jobs.analysis.criterion_advice": "an analysis of past jobs: all of them lie in jobs/analysis",
    "programs.complete_request": "what an image brings to a request, beside images",
    "programs.data.buckets.multipart_uploads": "files of a bucket on disk, beside bucket_store",
    "programs.samples": "objects of buckets, beside programs/data; a command only asks for them",
    "runners.gpu_assignment": "how a training job gets what it needs, beside the runners",
    "runners.left_files": "how files of training jobs are read, beside the runners; the console sends them",
    "runners.inline": "a runner: all of them lie in runners",
    "runners.storage.remote_buckets": "buckets for the hosts of other machines, too; so it lies beneath the programs",
    "runners.on_ray.runner": "a runner: all of them lie in runners",
    "server.app": "`alfine serve` is the only way to start it",
    "server.mcp_http": "HTTP: no other room speaks it; `alfine mcp` starts it",
    "store.webhook_cursors": "SQL: all of it is written in the store",
    "store.tracker_news": "SQL: all of it is written in the store",
    "store.ended": "SQL: all of it is written in the store",
    "store.training_job_table": "SQL: all of it is written in the store; the console shows the table",
    "store.copy_records": "SQL: all of it is written in the store; `alfine store copy` is a thin command",
    "store.console_tokens": "SQL: all of it is written in the store",
    "strategies.early_stopping": "a strategy's rule: the policy alone puts it together with a strategy",
    "surrogate.influence": "the surrogate's own mathematics; figures only draw it",
    "surrogate.noise": "statistics of results: all of them lie in surrogate",
    "surrogate.running_jobs": "statistics of results: all of them lie in surrogate",
}
"""Modules that only one other room imports: why they don't live there."""

CRITERIA_NAMED = {
    "__init__": "the table of public names, which are imported when first used",
    "api.read_criteria": "an example in an error message",
    "aws.sagemaker.shapes": "AMT's names of fields in a response",
    "aws.sagemaker.unsupported_fields": "AWS's name of a field in a request",
    "cli": "examples of commands",
    "cli.change": "examples of commands",
    "cli.findings": "AMT's paths of fields in a request",
    "cli.import_job": "an example of a command",
    "cli.job_report": "AMT's name of a field in Describe's response",
    "cli.replay": "examples of commands",
    "cli.report": "an example of a command",
    "cli.tune": "examples of commands",
    "core.fields": "the table of a job's fields, AMT's paths among them",
    "core.read_definition": "AMT's names of fields in a request",
    "core.read_spec": "AMT's names of fields in a request",
    "core.single_training_job": "AMT's names of fields in a request",
    "integrations.hydra": "the criterion of a sweep without settings",
    "integrations.optuna": "the criterion of a callback without arguments",
    "integrations.raytune": "the criterion of a stopper without arguments",
    "integrations.sklearn": "the criterion of a search without arguments",
    "jobs.describe": "AMT's text for a training job that ran too long",
    "programs.autotune": "AMT's names of fields in a request",
    "runners.inline": "the text for a training job that ran too long, as the launcher's",
    "runners.launcher.job": "the text for a training job that ran too long",
}
"""Modules outside of criteria that have the name of a criterion in a string."""


def test_no_module_lies_loose_in_the_package(house):
    assert set(house.loose) == set(LOOSE)


def test_there_are_few_rooms(house):
    assert len(house.rooms - set(LOOSE)) <= MOST_ROOMS


def test_no_modules_import_each_other(measure, house):
    assert measure.circles(house.imports(deferred=True)) == []


def test_a_module_that_only_one_other_room_imports_lives_in_that_room(house):
    users = defaultdict(set)
    for name, targets in house.imports(deferred=True).items():
        for target in targets if name != "__init__" else ():
            users[target].add(house.modules[name].room)
    strangers = {name for name, rooms in users.items() if "." in name and len(rooms) == 1}
    assert {name for name in strangers if users[name] != {house.modules[name].room}} == set(ONE_USER)


def test_public_class_names_are_unique(measure, house):
    places = defaultdict(set)
    for module in house.modules.values():
        for node in module.tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].add(module.name)
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


def test_no_criterion_is_named_in_a_string_outside_of_criteria(house):
    criterion = re.compile(rf"\b({'|'.join(known())})\b")
    naming = {
        module.name
        for module in house.modules.values()
        if module.room != "criteria" and any(map(criterion.search, strings(module.nodes)))
    }
    assert naming == set(CRITERIA_NAMED)


def test_no_function_of_core_imports(house):
    found = [
        f"{module.name}:{node.lineno}"
        for module in house.modules.values()
        if module.room == "core"
        for function in module.nodes
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert found == []


def test_no_thread_keeps_its_process_from_ending(house):
    calls = (
        (module.name, node)
        for module in house.modules.values()
        for node in module.nodes
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("Thread", "Timer"))
    )
    outliving = {
        name
        for name, call in calls
        if not any(word.arg == "daemon" and ast.unparse(word.value) == "True" for word in call.keywords)
    }
    assert outliving == set(OUTLIVING)


def strings(nodes: Sequence[ast.AST]) -> Iterator[str]:
    """The strings of a module that aren't docstrings."""
    docstrings = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


def test_the_migrations_are_one_chain_that_ends_with_the_schemas_revision():
    folder = Path(migrations.__file__).parent / "versions"
    names = sorted(path.name for path in folder.glob("*.py"))
    said = [dict(re.findall(r'^(\w+) = "(\d+)"', (folder / name).read_text(), re.MULTILINE)) for name in names]
    numbers = [f"{number:04}" for number in range(1, len(names) + 1)]
    assert [name[:4] for name in names] == numbers
    assert [each["revision"] for each in said] == numbers
    assert [each["down_revision"] for each in said[1:]] == numbers[:-1]
    assert numbers[-1] == REVISION

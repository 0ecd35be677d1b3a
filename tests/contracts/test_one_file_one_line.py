"""A new completion criterion is one file and one line: nothing outside criteria/ knows a criterion by its name."""

import ast
import re
from pathlib import Path

from alfine.criteria import known

SOURCE = Path(__file__).parents[2] / "src" / "alfine"
FIELDS_OF_AMT = {"MaxNumberOfTrainingJobs", "MaxRuntimeInSeconds"}
"""Fields of AMT's requests, too: of a tuning job's ResourceLimits, and of a training job's StoppingCondition."""

MAY_NAME = {
    "__init__.py": "the public names, with the module of each",
    "integrations/hydra.py": "the criterion of a user who names none",
    "integrations/optuna.py": "the criterion of a user who names none",
    "integrations/raytune.py": "the criterion of a user who names none",
    "integrations/sklearn.py": "the criterion of a user who names none",
    "core/read_spec.py": "reads TuningJobCompletionCriteria of AMT's request",
    "programs/autotune.py": "writes TuningJobCompletionCriteria of AMT's request",
}


def named(path):
    """The criteria whose name is a string, or begins one, in the code of a file: docstrings and sentences don't count."""
    names = set(known()) - FIELDS_OF_AMT
    begins = re.compile(rf"(?:{'|'.join(names)})(?:$|[ (:.])")
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and begins.match(node.value):
            yield f"{node.value!r:.40}, line {node.lineno}"


def test_no_criterion_is_known_by_its_name_outside_of_its_room():
    files = {str(path.relative_to(SOURCE)): path for path in SOURCE.rglob("*.py")}
    found = {name: list(named(path)) for name, path in files.items() if not name.startswith("criteria/")}
    assert {name: lines for name, lines in found.items() if lines and name not in MAY_NAME} == {}
    assert {name for name in MAY_NAME if not found[name]} == set(), "needs no exception any more"

"""SageMaker's built-in algorithms, as alfine has them: each a script for a training job, and what the script takes.

A new one is two files and a line in `BUILT_IN`: `train_NAME.py`, which runs in the training job, and a module with its
SPECIFICATION (a TrainingSpecification as CreateAlgorithm takes it, metric definitions and objective metrics with it) and
`faults`, for what a specification has no words for. Reading a specification imports none of the packages that train.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from alfine.core.errors import Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Algorithm:
    """One built-in algorithm.

    module: has its SPECIFICATION and `faults`. packages: what its script imports besides NumPy and SciPy, from the extra of
    alfine named `extra`.
    """

    name: str
    module: str
    script: str
    packages: tuple[str, ...] = ()
    extra: str = ""

    @property
    def specification(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = import_module(f"{__name__}.{self.module}").SPECIFICATION
        return found

    @property
    def path(self) -> Path:
        return Path(__file__).with_name(self.script)

    def faults(
        self,
        static: Mapping[str, str],
        channels: Mapping[str, str | None],
        objective: tuple[str, str] | None,
        where: str,
    ) -> list[Fault]:
        """What is wrong beyond the specification: hyperparameters and channels (with content types) that must fit each other."""
        return list(import_module(f"{__name__}.{self.module}").faults(static, channels, objective, where))

    def missing(self) -> str:
        """Why it can't run in this Python, with the command that helps; "" when it can."""
        absent = [name for name in self.packages if importlib.util.find_spec(name) is None]
        if not absent:
            return ""
        return f"the built-in algorithm {self.name} needs {', '.join(absent)}. Run: pip install 'alfine[{self.extra}]'"


BUILT_IN: Mapping[str, Algorithm] = {
    each.name: each
    for each in (
        Algorithm(
            name="xgboost",
            module="sagemaker_xgboost",
            script="train_xgboost.py",
            packages=("xgboost", "sklearn"),
            extra="xgboost",
        ),
        Algorithm(
            name="linear-learner",
            module="linear_learner",
            script="train_linear_learner.py",
        ),
    )
}

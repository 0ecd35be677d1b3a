"""SageMaker's built-in algorithms: each is a script that runs in a training job, and a specification of what the script takes.

A new one is two files and a line in `BUILT_IN`: `train_NAME.py`, which runs in the training job, and a module with a SPECIFICATION (a
TrainingSpecification as in CreateAlgorithm, with metric definitions and objective metrics) and a function `faults`, for what a
specification can't express. Reading a specification doesn't import the packages that the training needs.
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
class BuiltInAlgorithm:
    """A built-in algorithm.

    Attributes:
        name: Its name in alfine.toml.
        module: The module with its SPECIFICATION and `faults`.
        script: The file of its script.
        packages: What the script imports besides NumPy and SciPy.
        extra: The extra of alfine that installs those packages.
    """

    name: str
    module: str
    script: str
    packages: tuple[str, ...] = ()
    extra: str = ""

    @property
    def specification(self) -> Mapping[str, Any]:
        """Return the algorithm's hyperparameters, metrics and channels, as CreateAlgorithm's TrainingSpecification."""
        specification: Mapping[str, Any] = import_module(f"{__name__}.{self.module}").SPECIFICATION
        return specification

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
        """Return the faults that the specification can't express: hyperparameters and channels that don't fit together.

        Args:
            static: The hyperparameters that aren't tuned.
            channels: The content type of each channel, by its name.
            objective: The type and the name of the objective metric.
            where: The path of the definition in the request.
        """
        return list(import_module(f"{__name__}.{self.module}").faults(static, channels, objective, where))

    def missing(self) -> str:
        """Return why it can't run in this Python, with the command that helps; "" where it can."""
        absent = [name for name in self.packages if importlib.util.find_spec(name) is None]
        if not absent:
            return ""
        return f"the built-in algorithm {self.name} needs {', '.join(absent)}. Run: pip install 'alfine[{self.extra}]'"


BUILT_IN: Mapping[str, BuiltInAlgorithm] = {
    algorithm.name: algorithm
    for algorithm in (
        BuiltInAlgorithm(
            name="xgboost",
            module="sagemaker_xgboost",
            script="train_xgboost.py",
            packages=("xgboost", "sklearn"),
            extra="xgboost",
        ),
        BuiltInAlgorithm(
            name="linear-learner",
            module="linear_learner",
            script="train_linear_learner.py",
        ),
        BuiltInAlgorithm(name="knn", module="knn", script="train_knn.py", packages=("sklearn",), extra="scikit-learn"),
        BuiltInAlgorithm(
            name="lightgbm", module="light_gbm", script="train_lightgbm.py", packages=("lightgbm",), extra="lightgbm"
        ),
        BuiltInAlgorithm(
            name="kmeans", module="kmeans", script="train_kmeans.py", packages=("sklearn",), extra="scikit-learn"
        ),
    )
}

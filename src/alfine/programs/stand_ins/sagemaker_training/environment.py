"""The training job's environment, from its SM_ variables."""

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any


class Environment(Mapping[str, Any]):
    """The environment of the training job, as attributes and as keys: hosts, hyperparameters, channel_input_dirs, model_dir, …."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self._values: dict[str, Any] = json.loads(os.environ.get("SM_TRAINING_ENV", "{}"))
        self._values.setdefault("is_main", self._values.get("is_master", True))

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["_values"][name]
        except KeyError:
            raise AttributeError(name) from None

    def to_cmd_args(self) -> list[str]:
        """Return the script's arguments."""
        arguments: list[str] = json.loads(os.environ.get("SM_USER_ARGS", "[]"))
        return arguments

    def to_env_vars(self) -> dict[str, str]:
        """Return the SM_ variables."""
        return {name: value for name, value in os.environ.items() if name.startswith("SM_")}

"""Lead the SageMaker SDKs' requests for STS to alfine. `alfine client` puts a copy on PYTHONPATH, for a sitecustomize.py that starts it.

Both SDKs ask STS for the account (`default_bucket`) and the role (`get_execution_role`) at https://sts.<region>.amazonaws.com, an address
that they build themselves, so that AWS_ENDPOINT_URL doesn't lead these requests. With this hook it does, in the programs of a shell that
has both variables. Nothing else of botocore changes, and botocore is only imported where the program does it.

It runs on the Python of the user's program: standard library only, and Python 3.7's syntax. Another sitecustomize on the path still runs.
"""

from __future__ import annotations

import os
import sys
from functools import wraps
from importlib.machinery import PathFinder

TYPE_CHECKING = False  # the module typing takes long to import
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

NAME = "sitecustomize"
HOOKED = "botocore.session"


class _Finder:
    """A finder on sys.meta_path that hooks the module botocore.session when it is imported, and finds nothing itself."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != HOOKED:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                lead(module.Session)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def lead(session: Any) -> None:
    """Make a class of sessions create clients for STS at the address in the environment instead of at AWS's."""
    create = session.create_client

    @wraps(create)
    def create_client(self: Any, service_name: str, *words: Any, **more: Any) -> Any:
        here = os.environ.get("AWS_ENDPOINT_URL_STS") or os.environ.get("AWS_ENDPOINT_URL")
        if service_name == "sts" and here and is_of_aws(more.get("endpoint_url") or ""):
            more["endpoint_url"] = here
        return create(self, service_name, *words, **more)

    session.create_client = create_client


def is_of_aws(url: str) -> bool:
    """Return whether a URL is AWS's own of STS: https://sts.amazonaws.com or one with a region."""
    host = url.replace("https://", "").rstrip("/")
    return host.startswith(("sts.", "sts-fips.")) and host.endswith((".amazonaws.com", ".amazonaws.com.cn"))


def run_next() -> None:
    """Run the sitecustomize that this one hides."""
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - pathlib would slow down each start of Python
    others = [folder for folder in sys.path if os.path.abspath(folder) != here]  # noqa: PTH100
    spec = PathFinder.find_spec(NAME, others)
    if spec is not None and spec.loader is not None:
        module = type(sys)(NAME)
        module.__file__, module.__spec__ = spec.origin, spec
        spec.loader.exec_module(module)


def start() -> None:
    """Hook botocore when it is imported, and run the sitecustomize that would have run otherwise."""
    sys.meta_path.insert(0, _Finder)
    run_next()

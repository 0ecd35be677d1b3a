"""Runs the launcher; see the package's docstring.

It loads the package from its own folder under a name that no script imports. So alfine needn't be installed for this interpreter, and
`import files` in a script doesn't find the launcher's module.
"""

from __future__ import annotations

import os
import sys

_HERE, _, _ = __file__.rpartition("/")
if sys.path and sys.path[0] == _HERE:
    del sys.path[0]  # before any other import

from importlib import import_module  # noqa: E402
from importlib.util import module_from_spec, spec_from_file_location  # noqa: E402

NAME = "_alfine_launcher"


def main(arguments: list[str]) -> int:
    """Run the launcher and return its exit code. arguments: FD, the soft limit on descriptors of training jobs, «warm» if it is, the home.

    With «apart» it isn't the child of the process that started it, which may kill its children when it ends, as actors of Ray do.
    """
    if "apart" in arguments and os.fork():
        os._exit(0)
    spec = spec_from_file_location(NAME, f"{_HERE}/__init__.py", submodule_search_locations=[_HERE])
    assert spec is not None
    assert spec.loader is not None
    sys.modules[NAME] = module_from_spec(spec)
    spec.loader.exec_module(sys.modules[NAME])
    answer: int = import_module(f"{NAME}.supervisor").serve(
        int(arguments[0]), int(arguments[1]), warm="warm" in arguments
    )
    return answer


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

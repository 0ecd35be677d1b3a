"""Lets a module that is really installed go before its stand-in."""

import os
import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec


def give_way(name: str) -> bool:
    """Put the module that is really installed in the place of its stand-in.

    Args:
        name: The module's name, which both have. The stand-in calls this while it is imported.

    Returns:
        Whether there is a real one.
    """
    here = os.path.dirname(os.path.abspath(__file__))
    others = [path for path in sys.path if os.path.abspath(path or ".") != here]
    spec = PathFinder.find_spec(name, others)
    if spec is None or spec.loader is None:
        return False
    sys.modules[name] = module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return True

"""The package xgboost without scikit-learn, which it imports for classes that aren't used here: 1.2 of its 1.6 seconds of CPU time.

Each training job that starts cold, and the first ones of a script that start warm, wait for these imports.
"""

from __future__ import annotations

import sys

NAME = "sklearn"

if NAME in sys.modules:
    import xgboost
else:
    sys.modules[NAME] = None  # type: ignore[assignment]  # as Python's documentation says: then importing it raises ImportError
    try:
        import xgboost
    finally:
        del sys.modules[NAME]

__all__ = ["xgboost"]

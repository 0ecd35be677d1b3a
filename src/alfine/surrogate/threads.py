"""Threads of the linear algebra: one, since others train on the same machine meanwhile."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache
from typing import Any


@cache
def _blas() -> Any:
    import scipy.linalg  # noqa: F401 - loads its BLAS before the controller looks for libraries
    from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

    return ThreadpoolController()


def one_thread() -> AbstractContextManager[Any]:
    """Return a context that limits BLAS to one thread.

    On a machine that trains meanwhile, a fit with two threads took 17 times as long. Looking up the libraries takes 2 ms, once; each use
    0.03 ms.
    """
    limit: AbstractContextManager[Any] = _blas().limit(limits=1, user_api="blas")
    return limit

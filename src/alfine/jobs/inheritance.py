"""Inheritance by a warm start: results of earlier tuning jobs or of a table of results, and definitions of metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from alfine.core import warm_start
from alfine.core.errors import Fault, InvalidSpec, NotFound
from alfine.core.history import History
from alfine.core.inherited import Inherited
from alfine.core.spec import DEFINITION, PARENTS, TuningJobSpec
from alfine.jobs.analysis import results_table
from alfine.runners.storage.locations import local, path_refusal
from alfine.store.store import Store


def with_metrics_of_parent(request: Mapping[str, Any], store: Store) -> Mapping[str, Any]:
    """Return a request with the MetricDefinitions of its first parent, if it has none: SDK 2's warm-started tuners lose them."""
    parents = (request.get("WarmStartConfig") or {}).get(PARENTS) or [{}]
    definition = request.get(DEFINITION) or {}
    algorithm = definition.get("AlgorithmSpecification") or {}
    name = parents[0].get("HyperParameterTuningJobName")
    if not name or DEFINITION not in request or algorithm.get("MetricDefinitions"):
        return request
    try:
        parent = store.get(name).request.get(DEFINITION) or {}
    except NotFound:
        return request  # `inheritance_of` names the fault, together with all others
    metrics = (parent.get("AlgorithmSpecification") or {}).get("MetricDefinitions")
    algorithm = {**algorithm, **({"MetricDefinitions": metrics} if metrics else {})}
    return {**request, DEFINITION: {**definition, "AlgorithmSpecification": algorithm}}


def inheritance_of(spec: TuningJobSpec, store: Store, roots: Sequence[Path]) -> tuple[list[Inherited], list[Fault]]:
    """Return the training jobs that a warm start takes over from all parents, and every reason why it can't.

    Args:
        spec: The tuning job.
        store: Where tuning jobs are looked for.
        roots: The folders in which tables of results may lie; none allows any file.
    """
    inherited: list[Inherited] = []
    faults: list[Fault] = []
    for index, parent in enumerate(spec.parents):
        try:
            if results_table.is_results_table(parent):
                inherited += _of_table(parent, spec, roots)
            else:
                inherited += _of_job(parent, spec, store, f"WarmStartConfig.{PARENTS}[{index}]")
        except InvalidSpec as error:
            faults += error.faults
    return inherited, list(dict.fromkeys(faults))


def parent_history(name: str, store: Store, path: str) -> History:
    """Return the history of a parent.

    Args:
        name: The parent's.
        store: Where it is looked for.
        path: Where the request names it, for faults.

    Raises:
        InvalidSpec: There is no such tuning job, or it has not ended.
    """
    try:
        parent, history = store.get(name), store.history(name)
    except NotFound:
        message = f"there is no tuning job called {name} here. A table of results has a name that ends in {results_table.SUFFIX}."
        raise InvalidSpec([Fault(path, message)]) from None
    if not parent.ended:
        message = f"{name} is {parent.status}. A parent must be Completed, Stopped or Failed."
        raise InvalidSpec([Fault(path, message)])
    return history


def _of_job(parent: str, spec: TuningJobSpec, store: Store, path: str) -> list[Inherited]:
    history = parent_history(parent, store, path)
    faults = list(warm_start.faults(spec, history.spec, path))
    if faults:
        raise InvalidSpec(faults)
    return list(warm_start.inheritance(spec, history))


def _of_table(parent: str, spec: TuningJobSpec, roots: Sequence[Path]) -> list[Inherited]:
    file = local(parent)
    refusal = path_refusal(roots, file) if file else "isn't a file of this machine."
    if file is None or refusal:
        raise InvalidSpec([Fault(parent, str(refusal))])
    return results_table.read_results(file, spec, parent)

"""Choosing the runner of a definition: the job's tag, alfine.toml, or what suits the image (reference/runners.md)."""

from __future__ import annotations

from collections.abc import Iterator

from alfine.core.errors import Fault
from alfine.core.spec import CHECKPOINTS, DEFINITION, LOCAL_IMAGE, TuningJobSpec
from alfine.programs.choose_ray import placing_faults
from alfine.programs.machine import Machine
from alfine.runners import sandbox
from alfine.runners.container_command import variable_trouble
from alfine.store.config import AUTO, REQUIREMENTS, RUNNERS, Running

TAKEN = ("input", "model", "output", "code")
"""Folders of /opt/ml that have another use, so that no checkpoints can be in them."""

CHECKPOINT_ROOTS = ("/opt/ml/", "/tmp/")  # noqa: S108
"""Paths at which a sandbox or a container can have its folder of checkpoints."""


def named_runner(spec: TuningJobSpec, running: Running) -> tuple[str, str]:
    """Return the runner that the job's tag or else this machine's settings name, and the path of that setting for faults."""
    tag = spec.settings.get("runner")
    return (tag, "Tags.alfine:runner") if tag else (running.runner, "[run] runner")


def runner_for(
    spec: TuningJobSpec, image: str | None, machine: Machine, faults: list[Fault], *, built_in: bool = False
) -> str:
    """Return the name of the runner of a definition's training jobs.

    Args:
        spec: The specification of the definition.
        image: The container image, where one is to run.
        machine: What this machine has, with its settings.
        faults: The list that gets a fault for everything that keeps the runner from running them.
        built_in: Whether they run a built-in algorithm. That is written for this machine and starts warm in a plain process.
    """
    name, path = named_runner(spec, machine.running)
    if name not in (*RUNNERS, AUTO):
        faults.append(Fault(path, f"{name!r} isn't one of {', '.join((*RUNNERS, AUTO))}."))
        return name
    if name == "container" and image in (None, LOCAL_IMAGE):
        message = "a local script or command has no image to run in a container. Use sandbox or process."
        faults.append(Fault(path, message))
        return name
    if name == "ray":
        faults += placing_faults(spec, path, machine.ray)
        faults += _on_a_node(spec, image)
        return name
    if image is not None:
        if spec.settings.get("runner", AUTO) not in ("container", AUTO):
            faults.append(Fault(path, f"image {image!r} can only run in a container. Remove the tag."))
        faults += _isolated_hosts(spec)
        faults += _checkpoint_path(spec, "container")
        faults += _variables(spec)
        return "container"
    local = built_in or spec.definition.image == LOCAL_IMAGE
    return _without_image(spec, name, path, faults, local=local)


def _without_image(spec: TuningJobSpec, name: str, path: str, faults: list[Fault], *, local: bool) -> str:
    """Return the runner of a script or a command. local: it doesn't expect a container."""
    network = spec.definition.network
    contained = name == "sandbox" or (name == AUTO and not (local and network))
    trouble = sandbox.why_not(network=network) if contained else ""
    runner = name if name != AUTO else "sandbox" if contained and not trouble else "process"
    if runner == "sandbox" and trouble:
        faults.append(Fault(path, f"sandboxes don't work here: {trouble} `alfine doctor` shows more."))
    if runner == "process" and not network:
        message = f"a plain process can't be cut off from the network{_no_sandbox(trouble)}. Use false."
        faults.append(Fault(f"{DEFINITION}.EnableNetworkIsolation", message))
    if runner == "sandbox":
        faults += _isolated_hosts(spec)
    faults += _checkpoint_path(spec, runner)
    faults += _entry_point(spec, runner, trouble)
    return runner


def _on_a_node(spec: TuningJobSpec, image: str | None) -> Iterator[Fault]:
    """Yield the faults that keep a node of a cluster from running a definition: as a plain process, or as a container with an image."""
    if image is None and not spec.definition.network:
        message = "a plain process on a node can't be cut off from the network. Use false."
        yield Fault(f"{DEFINITION}.EnableNetworkIsolation", message)
    yield from _checkpoint_path(spec, "process" if image is None else "container")
    yield from _entry_point(spec, "process", "") if image is None else (*_isolated_hosts(spec), *_variables(spec))


def _no_sandbox(trouble: str) -> str:
    return f" (no sandbox works here: {trouble})" if trouble else ""


def _entry_point(spec: TuningJobSpec, runner: str, trouble: str) -> Iterator[Fault]:
    """Yield the faults that keep the request's own entry point from running without a container."""
    path = f"{DEFINITION}.AlgorithmSpecification"
    if spec.definition.arguments and not spec.definition.entrypoint:
        yield Fault(path, "ContainerArguments are for the image's own entry point, which needs a container.")
    elif spec.definition.entrypoint and runner == "process":
        message = f"ContainerEntrypoint expects /opt/ml, which a plain process doesn't have{_no_sandbox(trouble)}."
        yield Fault(path, message)


def installs_requirements(spec: TuningJobSpec, running: Running, faults: list[Fault]) -> bool:
    """Return whether a requirements.txt beside a script is installed before the script runs.

    Args:
        spec: The specification of the definition.
        running: The settings of this machine.
        faults: The list that gets a fault for a setting that doesn't exist.
    """
    tag = spec.settings.get("requirements")
    name, path = (tag, "Tags.alfine:requirements") if tag else (running.requirements, "[run] requirements")
    if name not in (*REQUIREMENTS, AUTO):
        faults.append(Fault(path, f"{name!r} isn't one of {', '.join((*REQUIREMENTS, AUTO))}."))
    return name == "install" or (name == AUTO and spec.definition.image != LOCAL_IMAGE)


def _checkpoint_path(spec: TuningJobSpec, runner: str) -> Iterator[Fault]:
    """Yield the faults of the path at which a training job wants its checkpoints."""
    local_path, path = spec.definition.checkpoint_path, f"{DEFINITION}.CheckpointConfig.LocalPath"
    if local_path == CHECKPOINTS:
        return
    if runner == "process":
        yield Fault(path, f"a plain process has no {local_path} of its own. Leave LocalPath out, or use a sandbox.")
    elif ".." in local_path.split("/") or not local_path.startswith(CHECKPOINT_ROOTS):
        yield Fault(path, f"{local_path} must be a folder below /opt/ml or /tmp.")
    elif local_path.startswith("/opt/ml/") and local_path.split("/")[3] in TAKEN:
        yield Fault(path, f"{local_path} has another use. Leave LocalPath out.")


def _variables(spec: TuningJobSpec) -> Iterator[Fault]:
    for name, text in spec.definition.environment.items():
        if trouble := variable_trouble(name, text):
            yield Fault(f"{DEFINITION}.Environment", trouble)


def _isolated_hosts(spec: TuningJobSpec) -> Iterator[Fault]:
    if spec.definition.instance_count > 1 and not spec.definition.network:
        message = "several hosts can't reach each other here without the network. Use one instance."
        yield Fault(f"{DEFINITION}.EnableNetworkIsolation", message)

"""Which runner the training jobs of a definition get: the job's tag, alfine.toml, or what suits its image (reference/runners.md)."""

from __future__ import annotations

from collections.abc import Iterator

from alfine.core.errors import Fault
from alfine.core.spec import CHECKPOINTS, DEFINITION, LOCAL_IMAGE, TuningJobSpec
from alfine.runners import sandbox
from alfine.store.config import AUTO, REQUIREMENTS, RUNNERS, Running

TAKEN = ("input", "model", "output", "code")  # of /opt/ml, where no checkpoints can be


def asked(spec: TuningJobSpec, running: Running) -> tuple[str, str]:
    """The runner that the job or this machine's settings name, and where they do."""
    tag = spec.settings.get("runner")
    return (tag, "Tags.alfine:runner") if tag else (running.runner, "[run] runner")


def runner_for(
    spec: TuningJobSpec, image: str | None, running: Running, faults: list[Fault], *, built_in: bool = False
) -> str:
    """The name of the runner, with what is wrong about it. image: of the container, where one is to run.

    built_in: it runs a built-in algorithm, which is written for this machine and starts warm in a plain process.
    """
    name, where = asked(spec, running)
    if name not in (*RUNNERS, AUTO):
        faults.append(Fault(where, f"{name!r} isn't one of {', '.join((*RUNNERS, AUTO))}."))
        return name
    if name == "container" and image in (None, LOCAL_IMAGE):
        faults.append(
            Fault(where, "a local script or command has no image to run in a container. Use sandbox or process.")
        )
        return name
    if image is not None:
        if spec.settings.get("runner", AUTO) not in ("container", AUTO):
            faults.append(Fault(where, f"image {image!r} runs in a container only. Leave the tag out."))
        faults += _isolated_hosts(spec)
        faults += _checkpoint_path(spec, "container")
        return "container"
    local = built_in or spec.definition.image == LOCAL_IMAGE
    return _without_image(spec, name, where, faults, local=local)


def _without_image(spec: TuningJobSpec, name: str, where: str, faults: list[Fault], *, local: bool) -> str:
    """local: what runs doesn't expect a container."""
    network = spec.definition.network
    contained = name == "sandbox" or (name == AUTO and not (local and network))
    trouble = sandbox.why_not(network=network) if contained else ""
    runner = name if name != AUTO else "sandbox" if contained and not trouble else "process"
    if runner == "sandbox" and trouble:
        faults.append(Fault(where, f"there are no sandboxes here: {trouble} `alfine doctor` says more."))
    if runner == "process" and not network:
        reason = f" (no sandbox here: {trouble})" if trouble else ""
        message = f"a plain process can't be cut off from the network{reason}. Use false."
        faults.append(Fault(f"{DEFINITION}.EnableNetworkIsolation", message))
    if runner == "sandbox":
        faults += _isolated_hosts(spec)
    faults += _checkpoint_path(spec, runner)
    faults += _entry_point(spec, runner, trouble)
    return runner


def _entry_point(spec: TuningJobSpec, runner: str, trouble: str) -> Iterator[Fault]:
    """What stands against an entry point of the request's own, without a container."""
    where = f"{DEFINITION}.AlgorithmSpecification"
    if spec.definition.arguments and not spec.definition.entrypoint:
        yield Fault(where, "ContainerArguments are for the image's own entry point, which needs a container.")
    elif spec.definition.entrypoint and runner == "process":
        reason = f" (no sandbox here: {trouble})" if trouble else ""
        yield Fault(where, f"ContainerEntrypoint expects /opt/ml, which a plain process doesn't have{reason}.")


def installs(spec: TuningJobSpec, running: Running, faults: list[Fault]) -> bool:
    """Whether a requirements.txt beside a script is installed before it runs."""
    tag = spec.settings.get("requirements")
    name, where = (tag, "Tags.alfine:requirements") if tag else (running.requirements, "[run] requirements")
    if name not in (*REQUIREMENTS, AUTO):
        faults.append(Fault(where, f"{name!r} isn't one of {', '.join((*REQUIREMENTS, AUTO))}."))
    return name == "install" or (name == AUTO and spec.definition.image != LOCAL_IMAGE)


def _checkpoint_path(spec: TuningJobSpec, runner: str) -> Iterator[Fault]:
    """What stands against the folder that a training job wants to find its checkpoints in."""
    path, where = spec.definition.checkpoint_path, f"{DEFINITION}.CheckpointConfig.LocalPath"
    if path == CHECKPOINTS:
        return
    if runner == "process":
        yield Fault(where, f"a plain process has no {path} of its own. Leave LocalPath out, or use a sandbox.")
    elif ".." in path.split("/") or not path.startswith(("/opt/ml/", "/tmp/")):  # noqa: S108
        yield Fault(where, f"{path} must be a folder below /opt/ml or /tmp.")
    elif path.startswith("/opt/ml/") and path.split("/")[3] in TAKEN:
        yield Fault(where, f"{path} has another use. Leave LocalPath out.")


def _isolated_hosts(spec: TuningJobSpec) -> Iterator[Fault]:
    if spec.definition.instance_count > 1 and not spec.definition.network:
        message = "hosts that may not use the network can't reach each other here. Use one instance."
        yield Fault(f"{DEFINITION}.EnableNetworkIsolation", message)

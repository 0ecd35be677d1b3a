"""Experiment trackers: MLflow, W&B and TensorBoard are told of tuning jobs and their training jobs, from the committed facts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from alfine.core.errors import Fault, InvalidSpec
from alfine.core.settings import TAG_PREFIX, put_setting, setting_of
from alfine.core.wording import did_you_mean

if TYPE_CHECKING:
    from alfine.jobs.trackers.protocol import Tracker
    from alfine.store.operating_settings import Track

TRACKERS: Mapping[str, str] = {
    "mlflow": "alfine.jobs.trackers.mlflow:Mlflow",
    "tensorboard": "alfine.jobs.trackers.tensorboard:TensorBoard",
    "wandb": "alfine.jobs.trackers.wandb:WeightsAndBiases",
}
"""The module and the class of each tracker, by its name. A new tracker is a file and a line."""

SETTING = "track"
"""The setting of a tuning job that names its trackers."""

NONE = "none"
"""The word for no tracker at all, whatever the home's settings say."""


def tracker_class(name: str) -> type[Tracker]:
    """Return the class of a tracker. Its tool isn't imported yet."""
    module, _, kind = TRACKERS[name].partition(":")
    found: type[Tracker] = getattr(import_module(module), kind)
    return found


def trackers_in(text: str) -> Sequence[str]:
    """Return the names of trackers in the text of the setting."""
    names = dict.fromkeys(text.replace(",", " ").split())
    return [name for name in names if name != NONE]


def faults_of(text: str) -> Iterator[str]:
    """Yield what is wrong with the text of the setting: a tracker that doesn't exist, or whose tool can't be used here."""
    names = trackers_in(text)
    if NONE in text.split() and names:
        yield f"{NONE} and {names[0]} contradict each other. Keep one of the two."
    for name in names:
        if name not in TRACKERS:
            yield f"there is no tracker {name!r}. {did_you_mean(name, TRACKERS)}"
        elif why_not := missing_package(name) or tracker_class(name).why_not():
            yield why_not


def missing_package(name: str) -> str:
    """Return how to install what a tracker needs; "" where it is installed."""
    kind = tracker_class(name)
    if find_spec(kind.package) is not None:
        return ""
    return (
        f"{name} needs the package {kind.package}, which isn't installed here. Run: pip install 'alfine[{kind.extra}]'"
    )


def tracker_faults(settings: Mapping[str, str]) -> Iterator[Fault]:
    """Yield the faults of a tuning job's setting.

    Args:
        settings: All settings of the tuning job, by name.
    """
    for message in faults_of(settings.get(SETTING, "")):
        yield Fault(f"Tags.{TAG_PREFIX}{SETTING}", message)


def with_trackers(request: Mapping[str, Any], trackers: Sequence[str]) -> Mapping[str, Any]:
    """Return a request with the trackers of the home, unless it says which ones it wants.

    Args:
        request: A CreateHyperParameterTuningJob request.
        trackers: Those of the home's settings.
    """
    if not trackers or setting_of(request, SETTING) is not None:
        return request
    changed: MutableMapping[str, Any] = dict(request)
    put_setting(changed, SETTING, " ".join(trackers))
    return changed


def check_settings(track: Track) -> None:
    """Raise InvalidSpec where the table [track] of alfine.toml names a tracker that doesn't exist."""
    faults = [
        Fault(f"[track] {key}", f"there is no tracker {name!r}. {did_you_mean(name, TRACKERS)}")
        for key, names in (("trackers", track.trackers), ("places", tuple(track.places)))
        for name in names
        if name not in TRACKERS
    ]
    if faults:
        raise InvalidSpec(faults)

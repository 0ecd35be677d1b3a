"""alfine.toml: the settings of a home. Each table of the file is one frozen dataclass here; nothing else reads the file.
[images] alone is a table of texts and tables, since its keys are patterns (programs/images.py says what they mean).

It's looked for at ALFINE_CONFIG, else in the home folder; without one every default holds. A table or a key that isn't
known, or a value of the wrong type, is an error that names it: a setting is acted on or refused, never dropped.
"""

from __future__ import annotations

import ipaddress
import math
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from alfine.core.errors import Fault, InvalidSpec
from alfine.core.wording import did_you_mean

FILE = "alfine.toml"
RUNNERS = ("sandbox", "process", "container")
REQUIREMENTS = ("install", "ignore")
AUTO = "auto"
HOST = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """[files]: which local files requests over the network may name (file:///… and paths), for code, data and outputs.

    roots: folders; empty means any file that the user who runs alfine can read. What `alfine tune` runs isn't held to them.
    """

    roots: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class S3:
    """[s3]: where s3:// leads; without an endpoint to buckets in the home's folder.

    endpoint: an URL, https://s3.eu-central-1.amazonaws.com or that of a MinIO. profile: of ~/.aws, for its keys; without one they
    come from the environment of alfine (AWS_ACCESS_KEY_ID, …), as botocore finds them. There's no place for keys here.
    """

    endpoint: str = ""
    region: str = "us-east-1"
    profile: str | None = None

    def __post_init__(self) -> None:
        if self.endpoint and not self.endpoint.startswith(("http://", "https://")):
            raise InvalidSpec([Fault("[s3] endpoint", f"{self.endpoint!r} isn't an URL. Use https://… or http://…")])


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """[prices.per_hour] and [prices.spot_per_hour]: what an instance of a type costs an hour, in any one currency."""

    per_hour: dict[str, float] = field(default_factory=dict)
    spot_per_hour: dict[str, float] = field(default_factory=dict)

    def of(self, instance_type: str, *, spot: bool) -> float | None:
        """The price; a spot instance without one of its own costs what any other does. None when nothing is known."""
        price = self.per_hour.get(instance_type)
        return self.spot_per_hour.get(instance_type, price) if spot else price


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """[run]: where training runs, unless a job's tag `alfine:runner` says otherwise.

    runner: «sandbox», «process» or «container»; «auto» is the sandbox, where it works, for jobs whose request names an image
    (their scripts expect a container), and a plain process for a local script or command.
    requirements: «install» puts a script's requirements.txt into an environment before it runs, «ignore» doesn't; «auto» does for
    jobs whose request names an image, as SageMaker's containers do.
    engine: «docker», «podman» or the path of one; «auto» is the first that works. container_options: further words for each
    `docker run`, as «--network=host».
    sandbox_reaches_server: whether scripts in the sandbox may connect to the port of this home's `alfine serve`.
    max_decompressed_bytes: what the files of one channel with CompressionType Gzip may be decompressed.
    """

    runner: str = "auto"
    requirements: str = "auto"
    engine: str = "auto"
    container_options: tuple[str, ...] = ()
    sandbox_reaches_server: bool = False
    max_decompressed_bytes: int = 64 << 30

    def __post_init__(self) -> None:
        for key, value, known in (("runner", self.runner, RUNNERS), ("requirements", self.requirements, REQUIREMENTS)):
            if value not in (*known, AUTO):
                raise InvalidSpec([Fault(f"[run] {key}", f"{value!r} isn't one of {', '.join((*known, AUTO))}.")])
        if self.max_decompressed_bytes < 1:
            message = f"{self.max_decompressed_bytes} must be a whole number from 1 on."
            raise InvalidSpec([Fault("[run] max_decompressed_bytes", message)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """[server]: hosts are names, besides its addresses, by which `alfine serve` is reached from other machines."""

    hosts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        odd = [host for host in self.hosts if not (HOST.fullmatch(host) or _is_address(host))]
        if odd:
            message = f"{odd[0]!r} isn't a host's name. Give it as «tuner.example», without https:// and port."
            raise InvalidSpec([Fault("[server] hosts", message)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The whole file."""

    path: Path | None = None
    files: Files = field(default_factory=Files)
    s3: S3 = field(default_factory=S3)
    prices: Prices = field(default_factory=Prices)
    images: dict[str, Any] = field(default_factory=dict)
    run: Running = field(default_factory=Running)
    server: Server = field(default_factory=Server)

    @classmethod
    def at(cls, home: Path) -> Config:
        """Read the home's file. Raise InvalidSpec with every fault, when it can't be understood."""
        named = os.environ.get("ALFINE_CONFIG")
        path = Path(named).expanduser() if named else home / FILE
        if not path.exists() and not named:
            return cls()
        try:
            tables = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise InvalidSpec([Fault(str(path), f"can't be read: {error}")]) from error
        faults: list[Fault] = []
        kinds = {name: kind for name, kind in get_type_hints(cls).items() if name != "path"}
        faults += _unknown(str(path), tables, kinds)
        sections: dict[str, Any] = {
            name: (_read if is_dataclass(kind) else _value)(kind, tables[name], f"{path} [{name}]", faults)
            for name, kind in kinds.items()
            if name in tables
        }
        if faults:
            raise InvalidSpec(faults)
        return cls(path=path, **sections)


def _unknown(where: str, given: Mapping[str, Any], known: Mapping[str, Any]) -> Iterator[Fault]:
    for name in given:
        if name not in known:
            yield Fault(where, f"there is no {name!r} here. {did_you_mean(name, sorted(known))}")


def _read(kind: type[T], table: Any, where: str, faults: list[Fault]) -> T | None:
    """One table as its dataclass; None, with faults, when it isn't one."""
    if not isinstance(table, dict):
        faults.append(Fault(where, f"{table!r} must be a table."))
        return None
    hints = get_type_hints(kind)
    before = len(faults)
    faults += _unknown(where, table, hints)
    faults += [
        Fault(where, f"{each.name} is missing.")
        for each in fields(kind)  # type: ignore[arg-type]
        if each.default is MISSING and each.default_factory is MISSING and each.name not in table
    ]
    values = {
        name: _value(hints[name], value, f"{where} {name}", faults) for name, value in table.items() if name in hints
    }
    return None if len(faults) > before else kind(**values)


def _value(hint: Any, value: Any, where: str, faults: list[Fault]) -> Any:
    """A TOML value as the type that a field is declared with: str, bool, int, float, tuple[str, ...], dict[str, float] or dict[str, Any]."""
    fits: Mapping[Any, tuple[str, bool]] = {
        str: ("a text", isinstance(value, str)),
        str | None: ("a text", isinstance(value, str)),
        bool: ("true or false", isinstance(value, bool)),
        int: ("a whole number", isinstance(value, int) and not isinstance(value, bool)),
        float: ("a number", isinstance(value, int | float) and not isinstance(value, bool)),
        tuple[str, ...]: ("a list of texts", isinstance(value, list) and all(isinstance(each, str) for each in value)),
        dict[str, float]: (
            "a table of numbers from 0 on",
            isinstance(value, dict) and all(_is_amount(each) for each in value.values()),
        ),
        dict[str, Any]: (
            "a table of texts and tables",
            isinstance(value, dict) and all(isinstance(each, str | dict) for each in value.values()),
        ),
    }
    kind, good = fits[hint]
    if not good:
        faults.append(Fault(where, f"{value!r} must be {kind}."))
    return tuple(value) if good and isinstance(value, list) else value


def _is_amount(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True

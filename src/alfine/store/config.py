"""alfine.toml: the settings of a home. Each table of the file is one frozen dataclass here; nothing else reads the file.
[images] alone is a table of texts and tables, since its keys are patterns (programs/images.py says what they mean).

The environment variable ALFINE_CONFIG names the file; without it the file lies in the home's folder. Without a file, all settings have
their defaults. An unknown table, an unknown key and a value of the wrong type are errors: no setting is ignored.
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
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from alfine.core.errors import Fault, InvalidSpec
from alfine.core.settings import gpu_count_trouble
from alfine.core.wording import did_you_mean
from alfine.runners.node_cache import CacheLimits
from alfine.store.cache_limits import cache_limits
from alfine.store.operating_settings import Limits, Metrics, Retention, Track, Webhook
from alfine.store.ray_settings import Ray

FILE = "alfine.toml"
"""Name of the file in the home's folder."""

RUNNERS = ("sandbox", "process", "container", "ray")
"""Values of `runner`, besides AUTO."""

REQUIREMENTS = ("install", "ignore")
"""Values of `requirements`, besides AUTO."""

LOG_FORMATS = ("text", "json")
"""Values of `log_format`."""

LOG_LEVELS = ("debug", "info", "warning", "error")
"""Values of `log_level`."""

SHORTEST_LEASH = 30
"""Seconds; much longer than a server that lives is silent."""

LONGEST_LEASH = 12 * 3600
"""Seconds; shorter than the store remembers when a node's servers were heard last."""

AUTO = "auto"
"""The value with which alfine chooses."""

HOST = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
"""The form of a host's name: parts with dots between them."""

GPU = re.compile(r"[0-9]+|(GPU|MIG)-[0-9A-Za-z/-]+")
"""The form of a GPU in CUDA_VISIBLE_DEVICES: a number, or an identifier."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """The table [files]: local files that requests over the network may name, for code, data and outputs.

    Attributes:
        roots: The folders with these files. Empty: every file that the user who runs alfine can read. `alfine tune` may name
            every file in any case.
    """

    roots: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class S3:
    """The table [s3]: the service that s3:// URIs are read from and written to.

    The keys of the service never stand in this file.

    Attributes:
        endpoint: The URL of the service, for example https://s3.eu-central-1.amazonaws.com or that of a MinIO. Empty: alfine's own
            buckets in the home's folder.
        region: The region in the signatures of requests to the service.
        profile: The profile of ~/.aws whose keys are used. None: botocore finds them, for example in AWS_ACCESS_KEY_ID.
        cache_size: The size, such as "100 GB", that the home keeps of downloaded objects that no tuning job uses; "": any.
        cache_age: The age, such as "30d", up to which it keeps those that weren't used; "": any.

    Raises:
        InvalidSpec: The endpoint isn't an URL, or a limit can't be understood.
    """

    endpoint: str = ""
    region: str = "us-east-1"
    profile: str | None = None
    cache_size: str = "100 GB"
    cache_age: str = "30d"

    def __post_init__(self) -> None:
        _ = self.limits
        if self.endpoint and not self.endpoint.startswith(("http://", "https://")):
            raise InvalidSpec([Fault("[s3] endpoint", f"{self.endpoint!r} isn't an URL. Use https://… or http://…")])

    @property
    def limits(self) -> CacheLimits:
        """The limits of what the home keeps of downloaded objects."""
        return cache_limits(self.cache_size, self.cache_age, "[s3] cache")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """The table [prices]: the price of one hour of an instance, by instance type, in US dollars.

    Attributes:
        per_hour: The price on demand.
        spot_per_hour: The price of managed spot training.
    """

    per_hour: dict[str, float] = field(default_factory=dict)
    spot_per_hour: dict[str, float] = field(default_factory=dict)

    def of(self, instance_type: str, *, spot: bool) -> float | None:
        """Return the price of an hour, or None if the table doesn't have it.

        Args:
            instance_type: For example ml.m5.xlarge.
            spot: Whether to take the price of managed spot training; where there is none, the price on demand counts.
        """
        price = self.per_hour.get(instance_type)
        return self.spot_per_hour.get(instance_type, price) if spot else price


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """The table [run]: how training jobs run, unless a job's tag `alfine:runner` says otherwise.

    Attributes:
        runner: «sandbox», «process», «container» or «ray»; «auto» is the sandbox, where it works, for jobs whose request names an image
            (their scripts expect a container), and a plain process for a local script or command.
        requirements: «install» puts a script's requirements.txt into an environment before it runs, «ignore» doesn't; «auto» does for jobs
            whose request names an image, as SageMaker's containers do.
        engine: «docker», «podman» or the path of one; «auto» is the first that works.
        container_options: Further words for each `docker run`, as «--network=host».
        sandbox_reaches_server: Whether scripts in the sandbox may connect to the port of this home's `alfine serve`.
        gpus: The GPUs that training jobs are given, as CUDA_VISIBLE_DEVICES spells them; without it those of this machine.
        gpus_per_training_job: How many each training job gets whose job doesn't say it: 1, 2, or a part of one such as 0.5. 0: those of its
            InstanceType.
        leash_seconds: Where the records are in PostgreSQL: a training job that no server has asked for during this time is ended by its
            machine, and a server of another machine may run it again.
        max_decompressed_bytes: What the files of one channel with CompressionType Gzip may be decompressed.
    """

    runner: str = "auto"
    requirements: str = "auto"
    engine: str = "auto"
    container_options: tuple[str, ...] = ()
    sandbox_reaches_server: bool = False
    gpus: tuple[str, ...] | None = None
    gpus_per_training_job: float = 0.0
    leash_seconds: int = 600
    max_decompressed_bytes: int = 64 << 30

    def __post_init__(self) -> None:
        for key, value, known in (("runner", self.runner, RUNNERS), ("requirements", self.requirements, REQUIREMENTS)):
            if value not in (*known, AUTO):
                raise InvalidSpec([Fault(f"[run] {key}", f"{value!r} isn't one of {', '.join((*known, AUTO))}.")])
        odd = [gpu for gpu in self.gpus or () if not GPU.fullmatch(gpu)]
        if odd:
            message = f"{odd[0]!r} isn't a GPU. Give numbers or identifiers as nvidia-smi -L shows them: ['0', '1']."
            raise InvalidSpec([Fault("[run] gpus", message)])
        if trouble := gpu_count_trouble(self.gpus_per_training_job):
            raise InvalidSpec([Fault("[run] gpus_per_training_job", trouble)])
        if not SHORTEST_LEASH <= self.leash_seconds <= LONGEST_LEASH:
            message = f"{self.leash_seconds} must be a whole number from {SHORTEST_LEASH} to {LONGEST_LEASH}."
            raise InvalidSpec([Fault("[run] leash_seconds", message)])
        if self.max_decompressed_bytes < 1:
            message = f"{self.max_decompressed_bytes} must be a whole number from 1 on."
            raise InvalidSpec([Fault("[run] max_decompressed_bytes", message)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """The table [server]: settings of `alfine serve`.

    Attributes:
        hosts: Names by which other machines reach the server, in addition to its IP addresses. Requests that name another host are
            refused.
        log_format: «text» or «json»: how the server writes its log.
        log_level: The least level that it writes, one of LOG_LEVELS.

    Raises:
        InvalidSpec: One of the names isn't a host's name, or another value isn't known.
    """

    hosts: tuple[str, ...] = ()
    log_format: str = "text"
    log_level: str = "warning"

    def __post_init__(self) -> None:
        for key, value, known in (
            ("log_format", self.log_format, LOG_FORMATS),
            ("log_level", self.log_level, LOG_LEVELS),
        ):
            if value not in known:
                raise InvalidSpec([Fault(f"[server] {key}", f"{value!r} isn't one of {', '.join(known)}.")])
        odd = [host for host in self.hosts if not (HOST.fullmatch(host) or _is_address(host))]
        if odd:
            message = f"{odd[0]!r} isn't a host's name. Give it as «tuner.example», without https:// and port."
            raise InvalidSpec([Fault("[server] hosts", message)])


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """The table [store]: the database of the home.

    Attributes:
        url: The URL of a PostgreSQL database, for example postgresql://alfine@db.example/alfine. Empty: SQLite, in the home's
            folder. `--store` and the environment variable ALFINE_STORE count before it. A password stands better in
            ~/.pgpass or PGPASSWORD.
    """

    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All settings of a home: one attribute for each table of alfine.toml.

    Attributes:
        path: The file; None without one.
    """

    path: Path | None = None
    files: Files = field(default_factory=Files)
    s3: S3 = field(default_factory=S3)
    prices: Prices = field(default_factory=Prices)
    images: dict[str, Any] = field(default_factory=dict)
    run: Running = field(default_factory=Running)
    server: Server = field(default_factory=Server)
    store: StoreSettings = field(default_factory=StoreSettings)
    metrics: Metrics = field(default_factory=Metrics)
    webhooks: tuple[Webhook, ...] = ()
    limits: Limits = field(default_factory=Limits)
    retention: Retention = field(default_factory=Retention)
    ray: Ray = field(default_factory=Ray)
    track: Track = field(default_factory=Track)

    @classmethod
    def at(cls, home: Path) -> Config:
        """Read the settings of a home.

        Args:
            home: The home's folder.

        Raises:
            InvalidSpec: The file can't be read or understood. The error names every fault.
        """
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
            name: _section(kind, tables[name], f"{path} [{name}]", faults)
            for name, kind in kinds.items()
            if name in tables
        }
        urls = [webhook.url for webhook in sections.get("webhooks", ()) if webhook is not None]
        faults += [
            Fault("[[webhooks]] url", f"{url!r} is there twice.") for url in dict.fromkeys(urls) if urls.count(url) > 1
        ]
        if faults:
            raise InvalidSpec(faults)
        return cls(path=path, **sections)


def _unknown(where: str, given: Mapping[str, Any], known: Mapping[str, Any]) -> Iterator[Fault]:
    for name in given:
        if name not in known:
            yield Fault(where, f"there is no {name!r} here. {did_you_mean(name, sorted(known))}")


def _section(kind: Any, table: Any, where: str, faults: list[Fault]) -> Any:
    """Read one table of the file, or the list of them under one name."""
    if is_dataclass(kind):
        return _read(kind, table, where, faults)  # type: ignore[arg-type]
    if get_origin(kind) is not tuple:
        return _value(kind, table, where, faults)
    if not isinstance(table, list):
        faults.append(Fault(where, "must be a list of tables: write the name in two pairs of brackets."))
        return ()
    return tuple(_read(get_args(kind)[0], one, f"{where} {number}", faults) for number, one in enumerate(table, 1))


def _read(kind: type[T], table: Any, where: str, faults: list[Fault]) -> T | None:
    """Read one table as its dataclass. Return None, after adding faults, when it can't be read as one."""
    if not isinstance(table, dict):
        faults.append(Fault(where, f"{table!r} must be a table."))
        return None
    hints = get_type_hints(kind)
    before = len(faults)
    faults += _unknown(where, table, hints)
    faults += [
        Fault(where, f"{known.name} is missing.")
        for known in fields(kind)  # type: ignore[arg-type]
        if known.default is MISSING and known.default_factory is MISSING and known.name not in table
    ]
    values = {
        name: _value(hints[name], value, f"{where} {name}", faults) for name, value in table.items() if name in hints
    }
    return None if len(faults) > before else kind(**values)


def _value(hint: Any, value: Any, where: str, faults: list[Fault]) -> Any:
    """Return a TOML value as the type that a field is declared with: str, bool, int, float, tuple[str, ...], dict[str, float] or dict[str, Any]."""
    fits: Mapping[Any, tuple[str, bool]] = {
        str: ("a text", isinstance(value, str)),
        str | None: ("a text", isinstance(value, str)),
        bool: ("true or false", isinstance(value, bool)),
        int: ("a whole number", isinstance(value, int) and not isinstance(value, bool)),
        float: ("a number", isinstance(value, int | float) and not isinstance(value, bool)),
        tuple[str, ...] | None: (
            "a list of texts",
            isinstance(value, list) and all(isinstance(item, str) for item in value),
        ),
        tuple[str, ...]: ("a list of texts", isinstance(value, list) and all(isinstance(item, str) for item in value)),
        dict[str, float]: (
            "a table of numbers from 0 on",
            isinstance(value, dict) and all(_is_amount(item) for item in value.values()),
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

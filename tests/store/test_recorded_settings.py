"""How each setting of alfine.toml is read, at its bounds and beyond, is what settings.txt says.

`python -m tests.store.test_recorded_settings` writes the file anew; git then shows what a change means for whoever has such a file.
"""

import base64
import os
import tempfile
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from unittest import mock

from alfine.core.errors import InvalidSpec
from alfine.store.config import Config, Prices
from alfine.store.home_folder import home_folder
from alfine.store.operating_settings import Limits, Metrics, Retention, Webhook
from alfine.store.quantities import bytes_of, span_of
from alfine.store.ray_settings import Ray
from alfine.store.store_url import is_store_chosen, shown_url
from tests.store.recorded import shown, written_anew

FILE = Path(__file__).with_name("settings.txt")

VALUES = (
    '"x"',
    "1",
    "0",
    "-1",
    "1.5",
    "inf",
    "nan",
    "true",
    "[]",
    '["x"]',
    "[1]",
    '{x = "y"}',
    "{x = 1}",
    "{x = true}",
    "{x = 0}",
    "{x = -0.5}",
    "{x = inf}",
)
OF_EACH_TYPE = (
    *("files.roots", "s3.profile", "run.sandbox_reaches_server", "run.max_decompressed_bytes", "ray.keep_seconds"),
    *("run.gpus_per_training_job", "prices.per_hour", "track.places", "images", "limits.parallel_training_jobs"),
)


def secret(size):
    return "whsec_" + base64.b64encode(bytes(size)).decode()


SECRET = secret(24)


def webhook(url="https://a", key=SECRET, more=""):
    return f'[[webhooks]]\nurl = "{url}"\nsecret = "{key}"\n{more}'


FILES = (
    *(f"{setting} = {value}" for setting in OF_EACH_TYPE for value in VALUES),
    *(f'run.{key} = "{value}"' for key in ("runner", "requirements") for value in ("auto", "install", "sandbox", "no")),
    *(f'server.{key} = "{value}"' for key in ("log_format", "log_level") for value in ("json", "debug", "no")),
    *(f"run.leash_seconds = {seconds}" for seconds in (29, 30, 43200, 43201)),
    *(f"run.max_decompressed_bytes = {count}" for count in (0, 1)),
    *(f"run.gpus = {gpus}" for gpus in ("[]", '["0", "GPU-1a", "MIG-2/3"]', '["0", "x"]', '["-1"]')),
    *(f's3.endpoint = "{endpoint}"' for endpoint in ("", "http://a", "https://a", "ftp://a", "a")),
    *(f's3.{key} = "{value}"' for key in ("cache_size", "cache_age") for value in ("", "1 GB", "2d", "x")),
    *(f'server.hosts = ["a.b", "{host}"]' for host in ("A_1-b", "a..b", "a.", "::1", "10.0.0.1", "10.0.0.1:80", "")),
    *(
        f"ray.{key} = {value}"
        for key in ("pending_seconds", "leash_seconds", "keep_seconds")
        for value in ("-1", "0", "0.5", "inf", "nan")
    ),
    *(
        f'ray.{key} = "{value}"'
        for key in ("cache_size", "cache_age", "ended_size", "ended_age")
        for value in ("", "2d", "x")
    ),
    *(
        f"ray.shared_home = false{more}"
        for more in ("", '\nray.folder = "/x"', "\nray.leash_seconds = 0\nray.cache_size = 'x'")
    ),
    *(
        f'[ray.instances."ml.x"]\n{line}'
        for line in (
            *(
                "",
                "cpus = 0",
                "cpus = -1",
                "cpus = 2.5",
                "cpus = true",
                'cpus = "1"',
                "cpus = inf",
                "gpus = 1",
                "gpu = 1",
            ),
            *(
                "memory = 0",
                "memory = -1",
                "memory = 5",
                "memory = true",
                "memory = 1.5",
                'memory = "1.5 KiB"',
                'memory = "1 kB"',
            ),
            *('memory = "1kiB"', 'memory = ""', 'memory = "2"', "resources = 1", "resources = {tpu = 1, a = 0.5}"),
            *("resources = {tpu = true}", "resources = {tpu = -1}", "cpus = -1\nmemory = -1\nresources = {cpus = 3}"),
        )
    ),
    '[ray.instances]\n"ml.x" = 5',
    *(
        f'retention.{key} = "{value}"'
        for key in ("what", "older_than", "larger_than")
        for value in ("jobs", "2d", "1 GB", "")
    ),
    "retention.keep_best = false",
    *(f"limits.parallel_training_jobs = {count}" for count in (-1, 0, 1)),
    *(f'limits.disk = "{size}"' for size in ("", "1 GB", "x")),
    *(f'metrics.hosts = ["{host}"]' for host in ("10.0.0.1", "10.0.0.0/8", "10.0.0.1/8", "::1", "a")),
    "track.trackers = ['mlflow']\ntrack.places = {mlflow = 'http://a'}",
    "track.places = {a = 1, b = 'x', c = []}",
    *(
        webhook(key=key)
        for key in (*map(secret, (23, 24, 64, 65)), "whsec_!", f"{SECRET}!", secret(24).removeprefix("whsec_"), "env:X")
    ),
    *(
        webhook(url)
        for url in ("http://a:1/x?y", "http://a:0", "http://a:99999", "ftp://a", "http://", "http://[a", "a")
    ),
    *(webhook(url) for url in ("http://u@a", "http://u:p@a", "http://:p@a", "http://a#x", "http://a#")),
    *(webhook(more=f"events = {events}") for events in ("[]", "['x']", "['SageMaker Training Job State Change']")),
    webhook() + webhook("https://b") + webhook(),
    webhook() + webhook() + webhook("https://b") + webhook("https://b"),
    *(
        "[[webhooks]]\nurl = 1",
        "webhooks = [1]",
        "webhooks = []",
        "webhooks = 1",
        "run = 1",
        "[[run]]",
        "runs = {}",
        "rum.a = 1",
    ),
    *(
        "path = 'x'",
        "[images]\na = 'x'\nb = {c = 1}",
        "[images]\na = 1",
        "store.url = 'x'",
        "run.runer = 'x'\nrun.gpu = 1",
    ),
    "run.leash_seconds = 1\nserver.log_level = 1",
)

AMOUNTS = (
    "5",
    "5B",
    " 5 kB ",
    "1.5KB",
    "1.25 KiB",
    "0.000001 TB",
    "1.0000001 MB",
    "-1 B",
    "1 kb",
    "",
    "1e3 B",
    "999999999999999 B",
    "1000000000000000 B",
)
SPANS = (
    "90m",
    "1.5 h",
    "2d",
    "1w",
    "36500d",
    "36500.5d",
    "52142.857142w",
    "5214.3w",
    "876000h",
    "876000.1h",
    "52560000m",
    "3 s",
    "d",
    "",
)


def result(function, *words):
    """What comes of a call; an error as its sentences."""
    try:
        found = function(*words)
    except InvalidSpec as error:
        return " | ".join(f"{fault.path}: {fault.message}" for fault in error.faults)
    return shown(found)


def of_file(folder, text):
    file = folder / "alfine.toml"
    file.write_text(text, encoding="utf-8")

    def given():
        config = Config.at(folder)
        assert config.path == file
        return {
            name: value
            for name in Config.__slots__
            if name != "path" and (value := getattr(config, name)) != getattr(Config(), name)
        }

    return result(given).replace(str(file), "FILE")


def of_defaults() -> Iterator[tuple[str, str]]:
    for table in fields(Config):
        yield f"without [{table.name}]", repr(getattr(Config(), table.name))


def of_values() -> Iterator[tuple[str, str]]:
    for amount in AMOUNTS:
        yield f"bytes of {amount!r}", result(bytes_of, amount, "size")
    for span in SPANS:
        yield f"span of {span!r}", result(span_of, span, "age")
    prices = Prices(per_hour={"a": 2.0, "b": 3.0}, spot_per_hour={"a": 1.0, "c": 4.0})
    for kind in "abcd":
        yield f"price of {kind}", f"{prices.of(kind, spot=False)}, spot {prices.of(kind, spot=True)}"
    metrics = Metrics(hosts=("10.1.2.3", "192.168.0.0/16", "::1"))
    for address in ("10.1.2.3", "10.1.2.4", "192.168.255.255", "192.169.0.0", "::1", "::2", "", "unix"):
        yield f"metrics for {address!r}", f"{metrics.admits(address)}, without hosts {Metrics().admits(address)}"
    for words in ({}, {"older_than": "2d"}, {"larger_than": "1 GB"}):
        kept = Retention(**words)
        yield f"retention of {words}", f"{bool(kept)}, {shown(kept.age)}, {kept.bytes}"
    for disk in ("", "1 GB"):
        yield f"disk of {disk!r}", shown(Limits(disk=disk).disk_bytes)


def of_ray() -> Iterator[tuple[str, str]]:
    for words in (
        {},
        {"address": "a:1", "namespace": "mine", "pending_seconds": 1.0, "keep_seconds": 2.0, "cache_size": "1 GB"},
        {"folder": "/x", "ended_age": ""},
        {"folder": "/home/tuning-jobs"},
        {"folder": "$X/tuning-jobs"},
        {"folder": "/x", "shared_home": False, "cache_age": "", "ended_size": "1 kB"},
    ):
        yield f"cluster of {words}", shown(Ray(**words).cluster(Path("/home"), "records"))
    instances = {"a": {"cpus": 4, "memory": "2 KiB", "resources": {"b": 1, "a": 2}}, "local": {"gpus": 0.5}}
    for words in ({}, {"instances": instances}):
        yield f"shapes of {words}", shown(Ray(**words).shapes)


def of_environment(folder) -> Iterator[tuple[str, str]]:
    for value in (None, "", secret(32), secret(23), "x"):
        with mock.patch.dict(os.environ, {} if value is None else {"HOOK": value}):
            yield f"key in {value!r}", result(lambda: Webhook(url="https://a", secret="env:HOOK").key)
    yield "key", result(lambda: Webhook(url="https://a", secret=secret(24)).key)
    file = folder / "file"
    file.write_text("")
    for given, variable in (
        (None, ""),
        (None, "/there"),
        ("/here", "/there"),
        ("~/x", ""),
        (Path("/p"), ""),
        (5, ""),
        ("/a\0", ""),
        (file, ""),
    ):
        with mock.patch.dict(os.environ, {"ALFINE_HOME": variable, "HOME": "/user"}):
            yield (
                f"home {str(given)!r} or {variable!r}".replace(str(folder), "FOLDER"),
                result(lambda given=given: str(home_folder(given))),
            )
    for given, variable in ((None, ""), ("", ""), ("x", ""), (None, "x")):
        with mock.patch.dict(os.environ, {"ALFINE_STORE": variable}):
            yield f"store {given!r} or {variable!r}", str(is_store_chosen(given))
    for url in (
        "postgresql://me:secret@db:5/alfine?sslmode=x",
        "postgresql:///alfine?host=/run",
        "postgresql:///alfine",
    ):
        yield url, shown_url(url)


def lines_of():
    with tempfile.TemporaryDirectory() as name, mock.patch.dict(os.environ, {"X": "/home"}):
        os.environ.pop("ALFINE_CONFIG", None)
        folder = Path(name)
        lines = [f"{text!r}: {of_file(folder, text)}" for text in FILES]
        lines += [
            f"{what}: {found}"
            for part in (of_defaults(), of_values(), of_ray(), of_environment(folder))
            for what, found in part
        ]
        return [line.replace(str(folder), "FOLDER") for line in lines]


def test_settings_are_read_as_was_recorded():
    assert lines_of() == FILE.read_text(encoding="utf-8").splitlines()


if __name__ == "__main__":
    written_anew(FILE, lines_of())

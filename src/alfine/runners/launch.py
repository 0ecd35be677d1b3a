"""Launch: a training job as a value that any machine understands. It can be pickled and written as JSON, and has no path of one machine.

Everything that a training job needs is named by URI: `file://` for what every node sees at the same path (one machine, or a shared file
system), `s3://` for what a node fetches. The host on the node (host.py) makes files of it.

This module imports only the standard library, and little of it, because `import alfine` waits for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

__all__ = ["ChannelTerms", "InputChannel", "Launch", "LaunchTerms", "Source", "terms_of"]

GRACE_SECONDS = 120.0
"""Time between SIGTERM and SIGKILL. Source: StopTrainingJob in SageMaker's API reference."""

MAX_LOG_BYTES = 1 << 30
"""A training job whose log grows beyond this size is stopped, unless its tag alfine:max-log-bytes allows more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The code of a training job.

    Attributes:
        uri: A folder or a single script (file://…), or an archive of a folder (s3://….tar.gz).
        sha256: Of an archive that is fetched: nodes keep unpacked code by it. "": the code is used where it is.
        single: Whether the URI names the script itself.
    """

    uri: str
    sha256: str = ""
    single: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelTerms:
    """The fields of an input channel that mean the same on every machine.

    Attributes:
        name: The channel's name.
        content_type: Its MIME type, for `inputdataconfig.json`.
        input_mode: `File`, `FastFile` or `Pipe`.
        sharded: Whether the hosts share the data, instead of each having all of them.
        gzip: In Pipe mode (pipes.py), or at an s3:// URI: the data are to be decompressed.
        record_io: In Pipe mode: each file is wrapped in a RecordIO record.
        seed: In Pipe mode: the files are shuffled anew in each epoch. None: they keep the order of their names.
        trouble: Why the data can't be read any more. The training job fails with this sentence. "" where they can.
    """

    name: str
    content_type: str | None = None
    input_mode: str = "File"
    sharded: bool = False
    gzip: bool = False
    record_io: bool = False
    seed: int | None = None
    trouble: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputChannel(ChannelTerms):
    """The data of one input channel, that the training job sees as `input/data/<name>/`.

    Attributes:
        uri: The data. file://…: a file or folder as the training job is to see it, decompressed and divided. s3://…: an object, or the
            prefix of several, that the node fetches.
        version: A text that differs when the objects at an s3:// URI do. "": the node fetches what is there.
        manifest: Whether an s3:// URI is that of a manifest, which lists the objects.
        shards: The URI of each host, in the order of the hosts, where several hosts share the data at file:// URIs.
    """

    uri: str = ""
    version: str = ""
    manifest: bool = False
    shards: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchTerms:
    """The fields of a training job's launch that mean the same on every machine.

    Attributes:
        name: The training job's name.
        attempt: From 1. A training job that was lost begins anew as its next attempt (RetryStrategy).
        command: The words of a command that is run as it is; the hyperparameters are appended as `--name value`. None: there is
            a script, an image or a function.
        image: A container image, for containers only.
        entrypoint: Runs instead of the image's entry point. Without an image it is the command, and the training job must have /opt/ml.
        arguments: Follow the entry point. An image with neither is started with the argument `train`, as SageMaker does.
        hyperparameters: All of them as they were given, `_tuning_objective_metric` and reserved names included.
        environment: Variables that win over all that the host sets.
        max_runtime_seconds: The training job is stopped after this time. None: never.
        grace_seconds: Time between SIGTERM and SIGKILL.
        leash_seconds: It is ended when its node has heard nothing from alfine for this time: when nobody has touched its file `.alfine/heard`.
            None: never (a node that is the server's own machine).
        threads: Cores that it may use: the value of `OMP_NUM_THREADS` and its like, and of `SM_NUM_CPUS`.
        instance_type: For `resourceconfig.json`, and what a placing runner asks a node for.
        gpus: GPUs that each of its hosts needs: a whole number, or a part of one, such as 0.5. 0: it is given none, and sees all.
        instance_count: Its hosts.
        hosts: The names of its hosts, where each of them is on a machine of its own, and this is the launch of one of them. (): all of
            them are on one machine, and are called algo-1, algo-2 and so on.
        host: The name of this one.
        interface: The network interface by which it reaches the others.
        network: False cuts it off from every network. An executor that can't do that refuses to start it.
        requirements: True installs the `requirements.txt` of the source folder, if there is one, before a script runs.
        warm: False forbids to start it from a process with preloaded modules; True allows it where the result is the same.
        max_log_bytes: It is stopped when its log is larger.
        arn: The value of TRAINING_JOB_ARN.
        metric: The objective metric's name, under which the reports of a function become points.
        checkpoint_path: Where the training job sees its checkpoints, if it has an /opt/ml.
        function: Inline only, and never sent: called with the hyperparameters and `report(step, value)`.
        answered: Whether each report of a function waits for the engine's decision on it, as early stopping needs it.
    """

    name: str
    attempt: int = 1
    command: tuple[str, ...] | None = None
    image: str | None = None
    entrypoint: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    hyperparameters: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)  # it may have secrets: no log shows it
    max_runtime_seconds: float | None = None
    grace_seconds: float = GRACE_SECONDS
    leash_seconds: float | None = None
    threads: int = 1
    instance_type: str = "local"
    gpus: float = 0.0
    instance_count: int = 1
    hosts: tuple[str, ...] = ()
    host: str = ""
    interface: str = ""
    network: bool = True
    requirements: bool = False
    warm: bool = True
    max_log_bytes: int = MAX_LOG_BYTES
    arn: str = ""
    metric: str = "objective"
    checkpoint_path: str = "/opt/ml/checkpoints"
    function: Callable[..., Any] | None = None
    answered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch(LaunchTerms):
    """Everything that is needed to start one training job somewhere, or to recognise one that was started before.

    The tuning job, the name and the attempt identify it: however often an attempt is started, it runs once. These, with `node` and
    `slot`, are enough to stop it and to read its log.

    Attributes:
        tuning_job: The tuning job's name, as its folder is called.
        retries: How often it may begin anew, for the line in its log.
        epoch: That of the engine's claim of the tuning job. A host refuses a lower one than it has seen.
        node: The machine on which this attempt was placed, as it was recorded. None: it wasn't placed yet, or runs where the engine does.
        slot: The slot of that node, as it was recorded.
        executor: How its node runs it: `inline`, `process`, `sandbox` or `container`.
        package: The folder of the package alfine where this was made. A node with another one puts it in its place, in all URIs and paths.
        interpreter: The interpreter of alfine where this was made. A node puts its own in its place.
        source: The folder with the script's files, or the script.
        script: The script's path in the source's folder; its name where the source is a single script. `.py` runs under `python`, `.sh`
            under `/bin/sh`, anything else by itself. "": there is a command, an image or a function.
        python: The interpreter of a `.py` script.
        channels: Its input data.
        keep_alive_seconds: How long the resources that it was placed on are kept for another one after its end. None: as the runner's
            settings say.
        metrics: The name and the regex of each metric that its host reads in its log.
        output_uri: Where its host stores the model and the output, for this attempt. "": they stay in its folder.
        log_uri: Where its host stores a copy of its log now and then. "": nowhere.
        model_packed: Whether the model is stored as one model.tar.gz.
        checkpoint_uri: Where its host finds and stores checkpoints. "": they stay in its folder.
        checkpoints_shared: Whether other training jobs store theirs there too: then nothing there is removed.
        shared: A file:// URI of a folder that all training jobs of the tuning job may write to, for alfine's own programs. "": none. A
            training job in a sandbox or a container doesn't get it: it could harm the others by what it writes there.
    """

    tuning_job: str
    retries: int = 0
    epoch: int = 0
    node: str | None = None
    slot: str | None = None
    executor: str = "process"
    package: str = ""
    interpreter: str = ""
    source: Source | None = None
    script: str = ""
    python: str = ""
    channels: tuple[InputChannel, ...] = ()
    keep_alive_seconds: float | None = None
    metrics: tuple[tuple[str, str], ...] = ()
    output_uri: str = ""
    log_uri: str = ""
    model_packed: bool = True
    checkpoint_uri: str = ""
    checkpoints_shared: bool = False
    shared: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """Return what names its folder on a node: the tuning job and the training job."""
        return self.tuning_job, self.name

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data, for another machine.

        Raises:
            ValueError: It runs a function, which no other machine has.
        """
        if self.function is not None:
            raise ValueError(f"{self.name} runs a Python function, which only the process that was given it can call.")
        plain = {name: getattr(self, name) for name in _NAMES}
        return plain | {
            "hyperparameters": dict(self.hyperparameters),
            "environment": dict(self.environment),
            "source": self.source and terms_of(self.source, Source),
            "channels": [terms_of(channel, InputChannel) for channel in self.channels],
        }

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Launch:
        """Return the launch that `to_json` gave. What a newer alfine added is left out.

        Raises:
            ValueError: It isn't one.
        """
        if not isinstance(plain, Mapping) or not {"tuning_job", "name"} <= plain.keys():
            raise ValueError("isn't a launch: it has no tuning_job and name.")
        known = {name: value for name, value in plain.items() if name in _NAMES}
        for name in ("command", "entrypoint", "arguments", "hosts"):
            known[name] = None if known.get(name) is None else tuple(known[name])
        return cls(
            **known
            | {
                "entrypoint": known["entrypoint"] or (),
                "arguments": known["arguments"] or (),
                "hosts": known["hosts"] or (),
                "source": known.get("source") and Source(**known["source"]),
                "channels": tuple(
                    InputChannel(**{**channel, "shards": tuple(channel["shards"])})
                    for channel in known.get("channels", ())
                ),
                "metrics": tuple((name, regex) for name, regex in known.get("metrics", ())),
            }
        )


_NAMES = tuple(each.name for each in fields(Launch) if each.name != "function")


def terms_of(
    value: Source | ChannelTerms | LaunchTerms, kind: type[Source | ChannelTerms | LaunchTerms]
) -> dict[str, Any]:
    """Return, by their names, the fields of a value that its class `kind` has."""
    return {each.name: getattr(value, each.name) for each in fields(kind)}

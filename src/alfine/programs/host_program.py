"""The host as a program: keeps one training job of this machine to its end. What a batch system (Slurm, Kubernetes) starts on a node.

    python -m alfine.programs.host_program ROOT LAUNCH

ROOT is the folder for training jobs of this machine, LAUNCH a file with a launch as JSON (`Launch.to_json`). Started again with the same two,
it goes on with the training job that it finds. Each news is a line of JSON on standard output: instants, points, the offset, and at last
the exit. SIGTERM asks the training job to end. The exit code is 0 when it has succeeded, else 1; 2 when it can't be started.

Code and data at s3:// URIs are fetched, and the model, the output, checkpoints and the log stored there, over the S3 API. The service is that
of `[s3]` in alfine.toml (the file that ALFINE_CONFIG names, or ROOT/alfine.toml), else the URL in AWS_ENDPOINT_URL_S3; keys come from the
environment or a profile, as for every AWS client. Objects and code are kept below ROOT for later training jobs, within `[ray]` cache_size and
cache_age.
"""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from alfine.core.errors import InvalidSpec
from alfine.programs.data.buckets.home_buckets import node_buckets
from alfine.programs.data.node_inputs import fetch_inputs
from alfine.runners.launch import Launch
from alfine.runners.node import Asked, Node
from alfine.runners.node_fetches import names_objects
from alfine.runners.protocol import Observation
from alfine.runners.storage.locations import S3_URI
from alfine.store.config import Config

WAIT_SECONDS = 10.0
"""Longest time that it waits for news at once; each time its training job's launcher hears of it."""

PAUSE_SECONDS = 1.0
"""Time after what has kept the node from going on, before it tries again: the S3 service is away, for example."""

ENDPOINT = "AWS_ENDPOINT_URL_S3"
"""The variable that names the S3 service to AWS's own clients, too."""


def main(words: Sequence[str]) -> int:
    """Run the program, and return its exit code.

    Args:
        words: ROOT and LAUNCH.
    """
    if len(words) != 2:
        sys.stderr.write(f"usage: python -m {__spec__.name} ROOT LAUNCH\n")
        return 2
    root, file = map(Path, words)
    try:
        launch = Launch.from_json(json.loads(file.read_bytes()))
        node = node_for(launch, root)
        node.start(launch)
    except (OSError, ValueError, TypeError, InvalidSpec) as error:
        sys.stderr.write(f"{file}: {error}\n")
        return 2
    stopping = threading.Event()

    def stop(*_: object) -> None:
        stopping.set()
        # In a thread, since what the signal interrupts may hold the locks that a stop needs.
        threading.Thread(target=node.stop, args=(launch,)).start()

    signal.signal(signal.SIGTERM, stop)
    seen = _followed(node, launch, stopping)
    node.close()
    return 0 if seen is not None and seen.exit is not None and seen.exit.succeeded else 1


def node_for(launch: Launch, root: Path) -> Node:
    """Return the node for a training job, with the buckets that its s3:// URIs lead to.

    Args:
        launch: The training job.
        root: The folder for training jobs of this machine.

    Raises:
        InvalidSpec: The settings can't be understood.
        ValueError: It names s3:// URIs, but nobody says where they lead.
    """
    config = Config.at(root)
    s3 = config.s3 if config.s3.endpoint else dataclasses.replace(config.s3, endpoint=os.environ.get(ENDPOINT, ""))
    if not s3.endpoint and _needs_buckets(launch):
        raise ValueError(
            f"{launch.name} names s3:// URIs. Say where they lead: [s3] endpoint in alfine.toml, or {ENDPOINT}."
        )
    inputs = partial(fetch_inputs, max_decompressed_bytes=config.run.max_decompressed_bytes)
    return Node(root, node_buckets(str(root), s3), inputs=inputs, limits=config.ray.limits)


def _needs_buckets(launch: Launch) -> bool:
    stored = (launch.output_uri, launch.checkpoint_uri, launch.log_uri)
    return names_objects(launch) or any(uri.startswith(S3_URI) for uri in stored)


def _followed(node: Node, launch: Launch, stopping: threading.Event) -> Observation | None:
    """Print the news of a training job until its end, and return the last; None where it was stopped before it could be started."""
    asked = Asked(launch=launch)
    while True:
        for news in node.news([asked], WAIT_SECONDS):
            seen = news.observation
            if news.error:
                _tell_trouble(news.error)
                if stopping.is_set() and not asked.started:
                    return None
            elif seen is None:  # the start was lost, or what it needs couldn't be fetched
                try:
                    node.start(launch)
                except OSError as error:
                    _tell_trouble(str(error))
            else:
                _write(dataclasses.asdict(seen))
                counts = {**asked.counts, **{point.name: point.count for point in seen.points}}
                asked = Asked(launch=launch, offset=seen.offset, counts=counts, started=seen.started_at is not None)
                if seen.exit is not None:
                    return seen


def _tell_trouble(error: str) -> None:
    _write({"error": error})
    time.sleep(PAUSE_SECONDS)


def _write(news: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(news, default=_plain) + "\n")
    sys.stdout.flush()


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

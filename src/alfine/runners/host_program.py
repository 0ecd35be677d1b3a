"""The host as a program: keeps one training job of this machine to its end. What a batch system (Slurm, Kubernetes) starts on a node.

    python -m alfine.runners.host_program ROOT LAUNCH

ROOT is the folder for training jobs of this machine, LAUNCH a file with a launch as JSON (`Launch.to_json`). Started again with the same two,
it goes on with the training job that it finds. Each news is a line of JSON on standard output: instants, points, the offset, and at last
the exit. SIGTERM asks the training job to end. The exit code is 0 when it has succeeded, else 1; 2 when it can't be started.
"""

from __future__ import annotations

import dataclasses
import json
import signal
import sys
import threading
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from alfine.runners.launch import Launch
from alfine.runners.node import Asked, Node
from alfine.runners.protocol import Observation

WAIT_SECONDS = 10.0
"""Longest time that it waits for news at once; each time its training job's launcher hears of it."""


def main(words: Sequence[str]) -> int:
    """Run the program, and return its exit code.

    Args:
        words: ROOT and LAUNCH.
    """
    if len(words) != 2:
        sys.stderr.write("usage: python -m alfine.runners.host_program ROOT LAUNCH\n")
        return 2
    root, file = map(Path, words)
    try:
        launch = Launch.from_json(json.loads(file.read_bytes()))
        node = Node(root)
        node.start(launch)
    except (OSError, ValueError, TypeError) as error:
        sys.stderr.write(f"{file}: {error}\n")
        return 2
    # In a thread, since what the signal interrupts may hold the locks that a stop needs.
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=node.stop, args=(launch,)).start())
    seen = _followed(node, launch)
    node.close()
    return 0 if seen.exit is not None and seen.exit.succeeded else 1


def _followed(node: Node, launch: Launch) -> Observation:
    """Print the news of a training job until its end, and return the last."""
    asked = Asked(launch=launch)
    while True:
        for news in node.news([asked], WAIT_SECONDS):
            seen = news.observation
            if news.error:
                _write({"error": news.error})
            elif seen is None:  # the start was lost
                node.start(launch)
            else:
                _write(dataclasses.asdict(seen))
                counts = {**asked.counts, **{point.name: point.count for point in seen.points}}
                asked = Asked(launch=launch, offset=seen.offset, counts=counts, started=seen.started_at is not None)
                if seen.exit is not None:
                    return seen


def _write(news: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(news, default=_plain) + "\n")
    sys.stdout.flush()


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

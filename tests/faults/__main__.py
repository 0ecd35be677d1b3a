"""`make faults SECONDS=900 SEED=1`: the long form. See docs/explanation/faults.md."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.rounds import STORM_EVERY, Rounds
from tests.faults.sweep import Sweep
from tests.faults.world import SOURCES

ROUND_SECONDS = 20.0
JOBS = 12

IN_ORDER = 0.4
"""Part of the time for crash points one after the other; the rest is for faults at random."""


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)  # noqa: T201 - a report is printed


def main() -> int:
    """Inject faults until the time is over; return 1 where something didn't hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--seconds", type=float, default=900.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--folder", type=Path, help="keep the world there")
    words = parser.parse_args()
    folder = words.folder or Path(tempfile.mkdtemp(prefix="alfine-faults-"))
    folder.mkdir(parents=True, exist_ok=True)
    say(f"seed {words.seed}, {words.seconds:g} s, in {folder}")
    rounds, until = Rounds(folder, words.seed, say, small_disk=True), time.monotonic() + words.seconds
    sweep = Sweep(rounds)
    try:
        sweep.run(time.monotonic() + words.seconds * IN_ORDER)
        while time.monotonic() < until:
            storm = rounds.rounds % STORM_EVERY == STORM_EVERY - 1
            rounds.round(ROUND_SECONDS, SOURCES if storm else JOBS)
    finally:
        rounds.end()
        say(f"{rounds.report()}\n\n{sweep.report()}")
    if not rounds.violations and words.folder is None:
        rounds.world.remove()
    return 1 if rounds.violations else 0


if __name__ == "__main__":
    sys.exit(main())

"""How often the interval of the best holds the truth, and how much of its luck the estimate takes away.

    python bench/stopping/record.py noisy.jsonl --noise --samplers "alfine Bayesian" "alfine Random" --seeds 0 2
    python bench/stopping/best.py noisy.jsonl                 a line a sampler and number of results

Errors are in units of (median random − best known). «Lucky by» is how much worse than its result the best training job really is,
«left» how much of that the estimate still is off on average.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
from feeding import fed

COUNTS = (15, 30, 60, 120, 200)
TOLERANCE = 1e-6  # of (median random − best known): an interval without width is met to rounding


def main() -> None:
    from alfine.surrogate.best_estimate import estimate

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("searches", type=Path)
    found = defaultdict(list)
    for line in parser.parse_args().searches.read_text().splitlines():
        record = json.loads(line)
        unit = record["median_random"] - record["best_known"]
        for count, history in enumerate(fed(record), 1):
            if count in COUNTS and (about := estimate(history)) is not None:
                truth, room = record["rows"][history.incumbent.number - 1][2], TOLERANCE * unit
                held = about.low - room <= truth <= about.high + room
                errors = [(truth - each) / unit for each in (about.observed, about.value)]
                found[record["sampler"], count].append((held, *errors, (about.high - about.low) / unit))
    print(
        "| search | results | searches | held | lucky by | left | median width |\n| --- | --- | --- | --- | --- | --- | --- |"
    )
    for (sampler, count), rows in sorted(found.items()):
        held, lucky, left, width = np.array(rows, dtype=float).T
        print(
            f"| {sampler} | {count} | {len(rows)} | {100 * held.mean():.0f} % | {lucky.mean():.3f} | {left.mean():+.3f} "
            f"| {np.median(width):.3f} |"
        )


if __name__ == "__main__":
    main()

"""All benchmarks of the server, one after the other.

    python bench/server/run.py                                        pages.py, describe.py and own_share.py; some 12 minutes
    python bench/server/run.py --quick                                the same with 2,000 training jobs: a minute
    python bench/server/run.py --sdk-python .clients/sdk2/bin/python  clients.py as well, through the SageMaker SDK 2

It prints the tables in Markdown and writes nothing.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
TRAINING_JOBS = 100_000
QUICK_TRAINING_JOBS = 2_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_TRAINING_JOBS:,} training jobs, one round")
    parser.add_argument(
        "--sdk-python", help="Python of an environment with `sagemaker<3`; without it clients.py is left out"
    )
    options = parser.parse_args()
    programs = [
        ["pages.py", str(QUICK_TRAINING_JOBS if options.quick else TRAINING_JOBS)],
        ["describe.py"],
        ["own_share.py"],
    ]
    if options.sdk_python:
        programs.append(["clients.py", options.sdk_python, *(["--rounds", "1"] if options.quick else [])])
    for name, *words in programs:
        print(f"# {name}\n", flush=True)
        subprocess.run([sys.executable, HERE / name, *words], check=True)
        print(flush=True)


if __name__ == "__main__":
    main()

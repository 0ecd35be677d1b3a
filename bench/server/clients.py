"""What a tuning job costs through the SageMaker SDK 2: 20 training jobs, two at a time, against `xargs -P2` of the same script.

    python bench/server/clients.py SDK_PYTHON [--rounds 5]

SDK_PYTHON: of an environment with `sagemaker<3` (`make test` makes .clients/sdk2/bin/python). The SDK looks every five seconds
whether a job has ended, so what is measured is the job's own: from CreationTime to HyperParameterTuningEndTime. Each round runs
xargs, then each runner, so that a busy neighbour slows all of them alike.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
SCRIPTS = {name: HERE.parent / "engine" / "scripts" / f"{name}.py" for name in ("instant", "imports", "second")}
RUNNERS = ("sandbox", "process")
JOBS = 20


def by_xargs(script):
    begun = time.perf_counter()
    numbers = "\n".join(str(number / JOBS) for number in range(JOBS))
    command = ["xargs", "-P2", "-I{}", sys.executable, str(script), "--x", "{}"]
    subprocess.run(command, input=numbers, text=True, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - begun


def answer(sdk, word):
    """What the SDK's program says after a word; the SDK itself prints too."""
    for line in sdk.stdout:
        if line.startswith(word):
            return line.removeprefix(word)
    raise SystemExit("the SDK's program ended; run it by hand to see why")


def shown(values, digits=2):
    middle = statistics.median(values)
    return f"{middle:.{digits}f} [{min(values):.{digits}f}–{max(values):.{digits}f}]"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sdk_python")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=SCRIPTS, nargs="*", default=list(SCRIPTS))
    words = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        serve = [sys.executable, "-m", "alfine", "serve", "--port", "0", "--open", "--home", home]
        server = subprocess.Popen(serve, stdout=subprocess.PIPE, text=True)
        url = re.search(r"http://\S+", server.stdout.readline()).group()
        keys = {"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any", "AWS_DEFAULT_REGION": "us-east-1"}
        sdk = subprocess.Popen(
            [words.sdk_python, str(HERE / "through_sdk.py")],
            env=os.environ | keys | {"AWS_ENDPOINT_URL": url, "SAGEMAKER_SUPPRESS_V2_WARNING": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        answer(sdk, "ready")
        print(
            f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores, {words.rounds} rounds; seconds, median [least–most]"
        )
        print("| script | runner | xargs -P2 | SDK 2 | ratio |\n|---|---|---|---|---|")
        try:
            for name in words.only:
                measure(name, words.rounds, sdk)
        finally:
            sdk.stdin.close()
            sdk.wait()
            server.terminate()
            server.wait()
        print(f"load {os.getloadavg()[0]:.1f} at the end")


def measure(name, rounds, sdk):
    bare, ours = [], {runner: [] for runner in RUNNERS}
    for number in range(rounds + 1):  # the first one is to warm up
        bare.append(by_xargs(SCRIPTS[name]))
        for runner in RUNNERS:
            asked = {"name": f"{name}-{runner}-{number}", "script": str(SCRIPTS[name]), "runner": runner}
            sdk.stdin.write(json.dumps(asked) + "\n")
            sdk.stdin.flush()
            ours[runner].append(float(answer(sdk, "seconds")))
    for runner in RUNNERS:
        ratios = [mine / its for mine, its in zip(ours[runner], bare, strict=True)]
        print(
            f"| {name} | {runner} | {shown(bare[1:])} | {shown(ours[runner][1:])} | {shown(ratios[1:])} |", flush=True
        )


if __name__ == "__main__":
    main()

"""When to stop: run one tuning job with three completion criteria, and compare what each costs and finds.

    python examples/when_to_stop/run.py                  # scikit-learn's diabetes data, about a minute
    python examples/when_to_stop/run.py --data bank-additional-full.csv

Only the criterion differs: data, search space, strategy and seed are equal. Every training job is a separate process that runs train.py,
as SageMaker would run it.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self

HERE = Path(__file__).resolve().parent
INSTALL = "pip install 'alfine[demo]'   (from a clone: pip install -e '.[demo]')"
PRICE = 0.23  # USD an hour: about an ml.m5.xlarge in us-east-1. An assumption; the shares saved don't depend on it.
PATIENCE = 10
METRIC = "validation:rmse"
REGEX = r"validation:rmse=([0-9.eE+-]+)"
PLAIN_LINE_EVERY = 3.0  # seconds, where there is no terminal to rewrite a line on
WIDTH = 80
UNEVEN = 1.3  # ratio of the seconds a training job, above which a warning is printed
LONGER_MINUTES = 10  # a training job, in the example of costs at the end


def missing_packages() -> list[str]:
    wanted = {
        "alfine": "alfine",
        "xgboost": "xgboost",
        "sklearn": "scikit-learn",
        "vl_convert": "vl-convert-python",
    }
    return [package for module, package in wanted.items() if importlib.util.find_spec(module) is None]


if missing := missing_packages():
    sys.exit(f"This example also needs {', '.join(missing)}. Run: {INSTALL}")

from prepare import Channels, UnusableDataError, bank, diabetes  # noqa: E402  (beside this file)
from rich.console import Console  # noqa: E402
from rich.live import Live  # noqa: E402
from rich.text import Text  # noqa: E402

import alfine  # noqa: E402
from alfine.core.wording import money  # noqa: E402
from alfine.figures.best_so_far_chart import best_so_far  # noqa: E402


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One of the three tuning jobs."""

    letter: str
    name: str
    label: str
    criteria: list[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """What the three tuning jobs have in common."""

    channels: Channels
    space: dict[str, Any]
    rounds: int
    threads: int | None  # for each training job; None shares the cores among those that run at the same time


def main() -> int:
    options = arguments()
    console = Console(stderr=options.json, highlight=False, markup=False)
    out: Path = options.out
    try:
        out.mkdir(parents=True, exist_ok=True)
        experiment = prepared(options.data, out / "data")
    except UnusableDataError as error:
        return fail(str(error))
    except OSError as error:
        return fail(f"{out} can't be written: {error.strerror}. Choose another folder with --out.")
    contenders = the_three(options.max_training_jobs)
    console.print(introduction(experiment, contenders, options), soft_wrap=True)
    progress = Progress(console, contenders)
    try:
        with progress:
            jobs = []
            for contender in contenders:
                jobs.append(tune(contender, experiment, options, progress.of(contender)))
                progress.show(contender.letter, describe(contender, jobs[-1]), ended=True)
    except KeyboardInterrupt:
        console.print(f"\nStopped. What has run so far is kept in {out / 'home'}; run this again to start over.")
        return 130
    except alfine.AlfineError as error:
        return fail(str(error))
    rows = [compared(contender, job, jobs[-1], options) for contender, job in zip(contenders, jobs, strict=True)]
    histories = {contender.label: job.history for contender, job in zip(contenders, jobs, strict=True)}
    pictures = [out / "when-to-stop.html", out / "when-to-stop.png"]
    for picture in pictures:
        best_so_far(histories).save(picture)
    report(console, rows, options, pictures)
    if options.json:
        print(
            json.dumps(
                {"data": experiment.channels.description, "tuning_jobs": rows, "pictures": [str(p) for p in pictures]},
                indent=2,
            )
        )
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="when_to_stop",
        description=(__doc__ or "").partition("\n\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        "--data", type=Path, metavar="CSV", help="bank-additional-full.csv, plain or .gz; none: diabetes"
    )
    parser.add_argument("--out", type=Path, default=Path("when-to-stop"), help="folder for data, records and pictures")
    parser.add_argument("--max-training-jobs", type=at_least(1), default=200, metavar="N")
    parser.add_argument(
        "--max-parallel",
        type=at_least(1),
        default=1,
        metavar="N",
        help="training jobs at the same time; with 1, every run gives the same results",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--price-per-hour", type=float, default=PRICE, metavar="USD", help="of one instance; an assumption"
    )
    parser.add_argument(
        "--json", action="store_true", help="print the figures as JSON on stdout, everything else on stderr"
    )
    return parser.parse_args()


def at_least(least: int) -> Callable[[str], int]:
    def whole_number(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"{value} must be {least} or more.")
        return value

    return whole_number


def fail(message: str) -> int:
    print(message, file=sys.stderr)
    return 1


# -- the experiment ----------------------------------------------------------------------------------------------


def prepared(csv: Path | None, folder: Path) -> Experiment:
    """Return the data as channels, and a space that fits them: with more rows, the best minimum weight of a leaf is higher."""
    if csv is None:  # 309 rows are too few for a second thread
        return Experiment(channels=diabetes(folder), space=space(heaviest_leaf=100), rounds=100, threads=1)
    return Experiment(channels=bank(csv, folder), space=space(heaviest_leaf=1000), rounds=50, threads=None)


def space(*, heaviest_leaf: int) -> dict[str, Any]:
    return {
        "eta": alfine.Continuous(0.01, 1, scaling="Logarithmic"),
        # For squared error this weight is a number of rows, so fractions would give the same model.
        "min_child_weight": alfine.Integer(1, heaviest_leaf, scaling="Logarithmic"),
    }


def the_three(most: int) -> list[Contender]:
    return [
        Contender(
            letter="a",
            name="not-improving",
            label=f"BestObjectiveNotImproving {PATIENCE}",
            criteria=[alfine.BestObjectiveNotImproving(PATIENCE)],
        ),
        Contender(letter="b", name="convergence", label="ConvergenceDetected", criteria=[alfine.ConvergenceDetected()]),
        Contender(letter="c", name="all", label=f"MaxNumberOfTrainingJobs {most}", criteria=[]),
    ]


def tune(
    contender: Contender, experiment: Experiment, options: argparse.Namespace, progress: Callable[[Any], None]
) -> Any:
    job = alfine.tune(
        str(HERE / "train.py"),
        experiment.space,
        metric=METRIC,
        goal="Minimize",
        regex=REGEX,
        strategy="Bayesian",
        criteria=contender.criteria,
        max_training_jobs=options.max_training_jobs,
        max_parallel=options.max_parallel,
        threads=experiment.threads,
        seed=options.seed,
        static={"num_round": str(experiment.rounds)},
        channels={"train": experiment.channels.train, "validation": experiment.channels.validation},
        price_per_hour=options.price_per_hour,
        # The time makes the name unique: records of an earlier run in the same folder stay as they are.
        name=f"{contender.name}-{datetime.now().astimezone():%m%d-%H%M%S}",
        home=options.out / "home",
        progress=progress,
    )
    if job.status == "Stopped":
        raise KeyboardInterrupt
    return job


class Progress:
    """Show one line for each tuning job: updated in place on a terminal, printed now and then elsewhere."""

    def __init__(self, console: Console, contenders: list[Contender]) -> None:
        self.console = console
        self.lines = {contender.letter: Text(f"({contender.letter}) waiting") for contender in contenders}
        self.live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self.printed_at = 0.0

    def __enter__(self) -> Self:
        if self.live:
            self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.live:
            self.live.stop()

    def of(self, contender: Contender) -> Callable[[Any], None]:
        return lambda job: self.show(contender.letter, describe(contender, job))

    def show(self, letter: str, line: str, *, ended: bool = False) -> None:
        text = Text(line)
        text.truncate(self.console.width - 1, overflow="ellipsis")
        self.lines[letter] = text
        if self.live:
            self.live.update(Text("\n").join(self.lines.values()), refresh=True)
        elif ended or time.monotonic() - self.printed_at >= PLAIN_LINE_EVERY:
            self.console.print(line, soft_wrap=True)
            self.printed_at = time.monotonic()


def describe(contender: Contender, job: Any) -> str:
    best = "" if job.best is None else f", best {job.best.objective:.5g}"
    return f"({contender.letter}) {job.history.ended:3d} training jobs{best}. {job.verdict.sentence}"


# -- what came of it ---------------------------------------------------------------------------------------------


def compared(contender: Contender, job: Any, everything: Any, options: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of one tuning job, with its savings and losses relative to `everything`. Shares are in [0, 1]."""
    best, reference = (None if j.best is None else j.best.objective for j in (job, everything))
    spent = everything.training_seconds
    return {
        "criterion": contender.label,
        "letter": contender.letter,
        "name": job.name,
        "status": job.status,
        "stopped_by": job.verdict.criterion,
        "reason": job.verdict.sentence,
        "training_jobs": job.history.ended,
        "training_seconds": job.training_seconds,
        "wall_seconds": job.wall_seconds,
        "cost": job.training_seconds / 3600 * options.price_per_hour,
        "saved_training_jobs": 1 - job.history.ended / everything.history.ended if everything.history.ended else None,
        "saved_seconds": spent - job.training_seconds,
        "saved_money": (spent - job.training_seconds) / 3600 * options.price_per_hour,
        "saved": 1 - job.training_seconds / spent if spent else None,
        "best_objective": best,
        "best_hyperparameters": None if job.best is None else dict(job.best.hyperparameters),
        "loss": (best - reference) / abs(reference) if best is not None and reference else None,
    }


def introduction(experiment: Experiment, contenders: list[Contender], options: argparse.Namespace) -> str:
    ranges = ", ".join(f"{name} {r.low:g}–{r.high:g}" for name, r in experiment.space.items())
    search = f"Bayesian, seed {options.seed}, {options.max_parallel} at a time"
    return "\n".join(
        [
            f"Data:   {experiment.channels.description}",
            f"Model:  XGBoost, {experiment.rounds} rounds; tuned: {ranges} (log scale)",
            f"Search: {search}; three times, with different criteria:",
            *(f"        ({contender.letter}) {contender.label}" for contender in contenders),
            f"        and at most {options.max_training_jobs} training jobs each",
            "",
        ]
    )


def report(console: Console, rows: list[dict[str, Any]], options: argparse.Namespace, pictures: list[Path]) -> None:
    console.print()
    for line in table(rows):
        console.print(line, soft_wrap=True)
    console.print()
    if warning := uneven(rows):
        console.print(textwrap.fill(warning, WIDTH) + "\n")
    console.print("Why each ended:")
    for row in rows:
        why = f"({row['letter']}) after {row['training_jobs']} training jobs, {row['stopped_by']}: {row['reason']}"
        if row is not rows[-1]:
            why += f" Saved {row['saved_seconds']:.1f} s of compute, {money(row['saved_money'])}."
        console.print(textwrap.fill(why, WIDTH, initial_indent="  ", subsequent_indent="      "))
    console.print()
    console.print(textwrap.fill(costs(rows, options), WIDTH))
    console.print()
    console.print("Pictures: " + "\n          ".join(str(path.resolve()) for path in pictures), soft_wrap=True)
    console.print(f"Records:  {(options.out / 'home').resolve()}", soft_wrap=True)


def table(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the lines of the table, at most 80 columns wide."""
    line = "{:<32} {:>8} {:>8} {:>7} {:>7} {:>6} {:>6}".format
    yield line("", "training", "training", "wall", "compute", "best", "worse")
    yield line("criterion", "jobs", "seconds", "seconds", "saved", "rmse", "by")
    yield "-" * WIDTH
    for row in rows:
        last = row is rows[-1]
        yield line(
            f"({row['letter']}) {row['criterion']}",
            row["training_jobs"],
            f"{row['training_seconds']:.1f}",
            f"{row['wall_seconds']:.1f}",
            "" if last else share(row["saved"]),
            "none" if row["best_objective"] is None else f"{row['best_objective']:#.5g}",
            "" if last else share(row["loss"], digits=2),
        )


def uneven(rows: list[dict[str, Any]]) -> str:
    """Return a warning if training jobs took much longer in one tuning job than in another; empty otherwise."""
    seconds = {row["letter"]: row["training_seconds"] / row["training_jobs"] for row in rows if row["training_jobs"]}
    if not seconds:
        return ""
    slow, fast = max(seconds, key=lambda letter: seconds[letter]), min(seconds, key=lambda letter: seconds[letter])
    if seconds[slow] <= UNEVEN * seconds[fast]:
        return ""
    saved = ", ".join(f"({row['letter']}) {share(row['saved_training_jobs'])}" for row in rows[:-1])
    return (
        f"Warning: a training job took {seconds[slow]:.2f} s on average in ({slow}) and {seconds[fast]:.2f} s in ({fast}), so "
        f"the seconds also depend on how busy this machine was. Training jobs saved: {saved}."
    )


def share(value: float | None, digits: int = 0) -> str:
    return "" if value is None else f"{100 * value + 0.0:.{digits}f} %"


def costs(rows: list[dict[str, Any]], options: argparse.Namespace) -> str:
    hours = [row["training_jobs"] * LONGER_MINUTES / 60 for row in rows]
    prices = [f"({row['letter']}) {money(h * options.price_per_hour)}" for row, h in zip(rows, hours, strict=True)]
    assumed = " (an assumption; --price-per-hour sets yours)" if options.price_per_hour == PRICE else ""
    return (
        f"Compute saved: training time, and so money, relative to ({rows[-1]['letter']}). Worse by: the best rmse, relative "
        f"to ({rows[-1]['letter']})'s. At {options.price_per_hour:g} USD an hour{assumed} and {LONGER_MINUTES} minutes a "
        f"training job, such tuning jobs would cost {', '.join(prices)}."
    )


if __name__ == "__main__":
    sys.exit(main())

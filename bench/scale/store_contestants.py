"""One contestant of bench/scale/store.py: tunes a function that returns at once, and prints the CPU and wall time of a training job."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable


def loss(x: float, y: float) -> float:
    return (x - 0.3) ** 2 + y


def by_alfine(folder: str, url: str, count: int) -> None:
    import os

    import alfine
    from alfine import Continuous

    os.environ["ALFINE_STORE"] = url
    space = {"x": Continuous(0, 1), "y": Continuous(0.001, 1, scaling="Logarithmic")}
    words = {"strategy": "Random", "max_training_jobs": count, "max_parallel": 1, "progress": False, "metric": "loss"}
    alfine.tune(
        lambda hyperparameters: loss(**hyperparameters),
        space,
        home=folder,
        name=f"cpu-{time.time_ns()}",
        goal="Minimize",
        **words,
    )


def by_optuna(_folder: str, url: str, count: int) -> None:
    import optuna
    import sqlalchemy as sa

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    url = url.replace("postgresql://", "postgresql+psycopg://")
    engine = sa.create_engine(url)
    with engine.begin() as connection:  # both call a table alembic_version
        connection.exec_driver_sql("CREATE SCHEMA IF NOT EXISTS optuna")
    engine.dispose()
    storage = optuna.storages.RDBStorage(f"{url}{'&' if '?' in url else '?'}options=-csearch_path%3Doptuna")
    study = optuna.create_study(
        storage=storage, sampler=optuna.samplers.RandomSampler(1), study_name=f"cpu-{time.time()}"
    )
    study.optimize(
        lambda trial: loss(trial.suggest_float("x", 0, 1), trial.suggest_float("y", 0.001, 1, log=True)), n_trials=count
    )


def main() -> None:
    program, folder, url, count = sys.argv[1:]
    run: Callable[[str, str, int], None] = {"alfine": by_alfine, "optuna": by_optuna}[program]
    run(folder, url, 10)  # imports and tables
    wall, used = time.perf_counter(), time.process_time()
    run(folder, url, int(count))
    used, wall = time.process_time() - used, time.perf_counter() - wall
    print(json.dumps({"CPU ms": round(1000 * used / int(count), 2), "wall ms": round(1000 * wall / int(count), 2)}))


if __name__ == "__main__":
    main()

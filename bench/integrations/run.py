"""What alfine's callbacks and its sweeper cost a trial beside the bare library, in one run.

    python bench/integrations/run.py             every framework that is installed
    python bench/integrations/run.py keras hydra --trials 6 --repeats 2    some of them, and less of each

A trial is a training of 40 rounds on one core. CPU time counts, since other programs share the machine. Each measurement with alfine has one of
the bare library beside it, before or after it in turn; the difference of each such pair is taken, and of the pairs the median, with the least
and the most. Where they have both signs, the CPU time inside of the callback's own methods, with reports to a Tuner, says what alfine costs.
`make test-integrations` makes environments that have the frameworks: .integrations/keras/bin/python bench/integrations/run.py.
"""

from __future__ import annotations

import os

os.environ |= {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "CUDA_VISIBLE_DEVICES": ""}
os.environ.setdefault("KERAS_BACKEND", "jax")

import argparse
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from functools import partial
from importlib.util import find_spec
from statistics import median

import numpy as np

import alfine

ROUNDS, JOBS = 40, 30
SPACE = {"rate": alfine.Continuous(1e-4, 0.5, scaling="Logarithmic")}
X = np.random.default_rng(0).random((2000, 10))
Y = np.sin(3 * X[:, 0]) + X[:, 1] * X[:, 2]


def xgboost(rate, callbacks):
    import xgboost

    data, found = xgboost.DMatrix(X, Y), {}
    settings = {"eta": rate, "nthread": 1}
    evaluations = {"evals": [(data, "valid")], "evals_result": found, "verbose_eval": False}
    xgboost.train(settings, data, ROUNDS, callbacks=callbacks, **evaluations)
    return found["valid"]["rmse"][-1]


def lightgbm(rate, callbacks):
    import lightgbm

    data, found = lightgbm.Dataset(X, Y), {}
    settings = {"learning_rate": rate, "num_threads": 1, "verbosity": -1}
    given = [*callbacks, lightgbm.record_evaluation(found)]
    lightgbm.train(settings, data, ROUNDS, valid_sets=[data], valid_names=["valid"], callbacks=given)
    return found["valid"]["l2"][-1]


def catboost(rate, callbacks):
    import catboost

    settings = {"iterations": ROUNDS, "learning_rate": rate, "thread_count": 1, "verbose": False}
    model = catboost.CatBoostRegressor(**settings, allow_writing_files=False)
    model.fit(X, Y, eval_set=(X, Y), callbacks=callbacks or None)
    return model.get_evals_result()["validation"]["RMSE"][-1]


def keras(rate, callbacks):
    import keras

    layers = [keras.layers.Input((10,)), keras.layers.Dense(32, "tanh"), keras.layers.Dense(1)]
    model = keras.Sequential(layers)
    model.compile(keras.optimizers.Adam(rate), "mse")
    words = {"epochs": ROUNDS, "batch_size": 100, "validation_split": 0.2, "verbose": 0}
    return model.fit(X, Y, callbacks=callbacks, **words).history["val_loss"][-1]


def lightning(rate, callbacks):
    import torch
    from lightning.pytorch import LightningModule, Trainer

    class Network(LightningModule):
        def __init__(self):
            super().__init__()
            self.layers = torch.nn.Sequential(torch.nn.Linear(10, 32), torch.nn.Tanh(), torch.nn.Linear(32, 1))

        def training_step(self, batch):
            return torch.nn.functional.mse_loss(self.layers(batch[0])[:, 0], batch[1])

        def validation_step(self, batch):
            self.log("val_loss", self.training_step(batch))

        def configure_optimizers(self):
            return torch.optim.Adam(self.parameters(), rate)

    x, y = torch.tensor(X).float(), torch.tensor(Y).float()
    train, valid = (torch.utils.data.TensorDataset(x[part], y[part]) for part in (slice(1600), slice(1600, None)))
    quiet = {
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    trainer = Trainer(max_epochs=ROUNDS, accelerator="cpu", callbacks=callbacks, **quiet)
    trainer.fit(Network(), torch.utils.data.DataLoader(train, 100), torch.utils.data.DataLoader(valid, 100))
    return float(trainer.callback_metrics["val_loss"])


def huggingface(rate, callbacks):
    import torch
    from transformers import Trainer, TrainingArguments

    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = torch.nn.Sequential(torch.nn.Linear(10, 32), torch.nn.Tanh(), torch.nn.Linear(32, 1))

        def forward(self, x, labels):
            y = self.layers(x)[:, 0]
            return {"loss": torch.nn.functional.mse_loss(y, labels), "y": y}

    pairs = zip(torch.tensor(X).float(), torch.tensor(Y).float(), strict=True)
    data = [{"x": x, "labels": y} for x, y in pairs]
    with tempfile.TemporaryDirectory() as folder:
        quiet = {
            "report_to": [],
            "disable_tqdm": True,
            "save_strategy": "no",
            "logging_strategy": "no",
            "use_cpu": True,
        }
        sizes = {"per_device_train_batch_size": 100, "per_device_eval_batch_size": 100, "num_train_epochs": ROUNDS}
        arguments = TrainingArguments(folder, eval_strategy="epoch", learning_rate=rate, **quiet, **sizes)
        trainer = Trainer(
            Network(), arguments, train_dataset=data[:1600], eval_dataset=data[1600:], callbacks=callbacks
        )
        trainer.train()
        losses = [entry["eval_loss"] for entry in trainer.state.log_history if "eval_loss" in entry]
    return losses[-1]


TRAININGS = {
    "XGBoost": ("xgboost", xgboost, {"rounds": ROUNDS}),
    "LightGBM": ("lightgbm", lightgbm, {}),
    "CatBoost": ("catboost", catboost, {"rounds": ROUNDS}),
    "Keras": ("keras", keras, {}),
    "Lightning": ("lightning", lightning, {}),
    "HuggingFace": ("transformers", huggingface, {}),
}
"""By the callback's name: the framework's package, a training, and what else the callback is given."""


def bare(train, _, trials):
    for rate in np.geomspace(1e-4, 0.5, trials):
        train(float(rate), [])


def with_callback(train, callback, trials):
    for rate in np.geomspace(1e-4, 0.5, trials):
        train(float(rate), [callback(lambda _step, _value: False)])


def with_tuner(train, callback, trials, stops):
    tuner = alfine.Tuner(SPACE, early_stopping="Auto" if stops is not None else "Off")
    for _ in range(trials):
        job = tuner.ask()
        tuner.tell(job, train(job.hyperparameters["rate"], [callback(partial(tuner.report, job))]))
    if stops is not None:
        stops.append(sum(job.status == "Stopped" for job in tuner.training_jobs))


def in_the_callback(train, callback, trials):
    """Return the CPU seconds that a callback's own methods take in its thread, `report` to a Tuner included."""
    spent, tuner = [0.0], alfine.Tuner(SPACE)

    def timed(method):
        def wrapper(*arguments, **words):
            before = time.thread_time()
            try:
                return method(*arguments, **words)
            finally:
                spent[0] += time.thread_time() - before

        return wrapper

    def with_timer(report):
        made = callback(report)
        if callable(made):
            return timed(made)
        own = [kind for kind in type(made).__mro__ if kind.__module__.startswith("alfine.")]
        for name in {name for kind in own for name in vars(kind) if name.startswith(("on_", "after_"))}:
            setattr(made, name, timed(getattr(made, name)))
        return made

    for _ in range(trials):
        job = tuner.ask()
        tuner.tell(job, train(job.hyperparameters["rate"], [with_timer(partial(tuner.report, job))]))
    return spent[0]


def cpu_seconds(function, *arguments):
    before = time.process_time()
    function(*arguments)
    return time.process_time() - before


def measure(name, trials, repeats):
    """Print a row of a framework: CPU milliseconds a trial."""
    _, train, words = TRAININGS[name]
    callback, stops = partial(getattr(alfine.callbacks, name), **words), []
    train(0.1, [])  # imports and compiles
    beside = partial(bare, train, callback, trials)
    ways = {
        "callback": partial(with_callback, train, callback, trials),
        "tuner": partial(with_tuner, train, callback, trials, None),
        "auto": partial(with_tuner, train, callback, trials, stops),
    }
    bares, differences = [], {way: [] for way in ways}
    for repeat in range(repeats):
        for way, function in ways.items():
            pair = (beside, function) if repeat % 2 else (function, beside)
            spent = {each: cpu_seconds(each) / trials * 1000 for each in pair}
            bares.append(spent[beside])
            differences[way].append(spent[function] - spent[beside])
    inside = [in_the_callback(train, callback, trials) / trials * 1000 for _ in range(repeats)]
    columns = [
        spread(bares, "{:.0f}"),
        spread(inside, "{:.1f}"),
        *(spread(each, "{:+.1f}") for each in differences.values()),
    ]
    print(
        f"| {name}, {repeats} pairs of {trials} | {' | '.join(columns)} | {sum(stops)} of {trials * repeats} |",
        flush=True,
    )


def spread(values, form):
    """Return the median of values, with the least and the most."""
    return f"{form.format(median(values))} ({form.format(min(values))} to {form.format(max(values))})"


PROGRAM = """
import hydra
from hydra.core.config_store import ConfigStore

ConfigStore.instance().store("config", {"x": 0.5})

@hydra.main(version_base=None, config_path=None, config_name="config")
def main(config):
    return (config.x - 0.3) ** 2

main()
"""


def hydra(repeats):
    """Print how much CPU time a job of Hydra takes with each sweeper."""
    alfines = ["hydra/sweeper=alfine", "hydra.sweeper.criteria=[]", f"hydra.sweeper.max_training_jobs={JOBS}"]
    ways = {
        "Hydra's own sweeper, values given": [f"x={','.join(str(job / JOBS) for job in range(JOBS))}"],
        "alfine's sweeper, Random": [*alfines, "hydra.sweeper.strategy=Random", "x=interval(0,1)"],
        "alfine's sweeper, Bayesian": [*alfines, "x=interval(0,1)"],
    }
    spent = {way: [] for way in ways}
    with tempfile.TemporaryDirectory() as folder:
        for repeat in range(repeats):
            for way, words in ways.items():
                before = resource.getrusage(resource.RUSAGE_CHILDREN)
                place = f"hydra.sweep.dir={folder}/{repeat}{len(spent[way])}{abs(hash(way))}"
                command = [sys.executable, "-W", "ignore", "-c", PROGRAM, "--multirun", place, *words]
                subprocess.run(command, check=True, capture_output=True, cwd=folder)
                after = resource.getrusage(resource.RUSAGE_CHILDREN)
                spent[way].append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    print(f"\n| sweep of {JOBS} jobs | CPU ms a job, Hydra's start included |\n| --- | ---: |")
    for way, seconds in spent.items():
        print(f"| {way} | {min(seconds) / JOBS * 1000:.0f} |")


def main():
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("framework", nargs="*", type=str.lower)
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=3)
    words = parser.parse_args()
    names = [
        name
        for name, (package, *_) in TRAININGS.items()
        if find_spec(package) and (not words.framework or name.lower() in words.framework)
    ]
    if names:
        print(
            "| framework | bare library, ms a trial | inside of the callback | callback alone | callback and search "
            "| with early stopping | stopped |"
        )
        print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for name in names:
        measure(name, words.trials, words.repeats)
    if find_spec("hydra") and (not words.framework or "hydra" in words.framework):
        hydra(words.repeats)


if __name__ == "__main__":
    main()

"""A callback in Keras: it reports how each training goes, and ends those that won't become the best.

    pip install alfine keras jax
    KERAS_BACKEND=jax python examples/keras_callback.py

One argument of `fit` is alfine's. The objective trains a small network on data that it makes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

import alfine

EPOCHS = 40
SPACE = {
    "rate": alfine.Continuous(1e-4, 1, scaling="Logarithmic"),
    "units": alfine.Integer(2, 32),
}


def train(hyperparameters: dict[str, Any], report: Callable[[float, float], bool]) -> float:
    x = np.random.default_rng(0).uniform(-1, 1, (400, 2)).astype("float32")
    y = np.sin(3 * x[:, 0]) * x[:, 1]
    keras.utils.set_random_seed(0)
    layers = [
        keras.layers.Input((2,)),
        keras.layers.Dense(hyperparameters["units"], "tanh"),
        keras.layers.Dense(1),
    ]
    model = keras.Sequential(layers)
    model.compile(keras.optimizers.Adam(hyperparameters["rate"]), "mse")
    history = model.fit(
        x,
        y,
        epochs=EPOCHS,
        batch_size=100,
        validation_split=0.25,
        verbose=0,
        callbacks=[alfine.callbacks.Keras(report)],
    )
    return history.history["val_loss"][-1]


def main() -> None:
    job = alfine.tune(train, SPACE, metric="val_loss", early_stopping="Auto", max_training_jobs=15, progress=False)
    stopped = sum(training_job.status == "Stopped" for training_job in job.training_jobs)
    print(f"{stopped} of {len(job.training_jobs)} training jobs were stopped early.")
    print(f"Best: val_loss {job.best.objective:.4f}, {job.best.hyperparameters}")


if __name__ == "__main__":
    main()

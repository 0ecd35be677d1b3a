"""Trains a small network in JAX, and prints the validation loss after each epoch.

alfine gives the hyperparameters as arguments, and finds val_loss=… in what the script prints. Nothing of alfine is in here.
"""

from __future__ import annotations

import argparse

import jax
from jax import numpy as jnp

EPOCHS, STEPS = 30, 20


def predict(weights: list[jax.Array], x: jax.Array) -> jax.Array:
    first, second = weights
    return jnp.tanh(x @ first) @ second


def loss(weights: list[jax.Array], x: jax.Array, y: jax.Array) -> jax.Array:
    return jnp.mean((predict(weights, x) - y) ** 2)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rate", type=float, default=0.1)
    parser.add_argument("--units", type=int, default=8)
    settings = parser.parse_args()

    for_x, for_first, for_second = jax.random.split(jax.random.key(0), 3)
    x = jax.random.uniform(for_x, (400, 2), minval=-1, maxval=1)
    y = jnp.sin(3 * x[:, :1]) * x[:, 1:]
    weights = [jax.random.normal(for_first, (2, settings.units)), jax.random.normal(for_second, (settings.units, 1))]

    @jax.jit
    def epoch(weights: list[jax.Array]) -> list[jax.Array]:
        for _ in range(STEPS):
            slopes = jax.grad(loss)(weights, x[:300], y[:300])
            weights = [weight - settings.rate * slope for weight, slope in zip(weights, slopes, strict=True)]
        return weights

    for _ in range(EPOCHS):
        weights = epoch(weights)
        print(f"val_loss={loss(weights, x[300:], y[300:]):.6g}", flush=True)


if __name__ == "__main__":
    main()

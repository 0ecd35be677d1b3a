"""A callback in Lightning: it reports how each training goes, and ends those that won't become the best.

    pip install alfine lightning
    python examples/lightning_callback.py

One argument of `Trainer` is alfine's. The objective trains a small network on data that it makes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from torch.utils.data import DataLoader, TensorDataset

import alfine

EPOCHS = 40
SPACE = {
    "rate": alfine.Continuous(1e-4, 1, scaling="Logarithmic"),
    "units": alfine.Integer(2, 32),
}


class Network(LightningModule):
    """A network with one hidden layer, for a function of two variables."""

    def __init__(self, rate: float, units: int) -> None:
        super().__init__()
        self.rate = rate
        self.layers = torch.nn.Sequential(torch.nn.Linear(2, units), torch.nn.Tanh(), torch.nn.Linear(units, 1))

    def training_step(self, batch: Any) -> torch.Tensor:
        x, y = batch
        return torch.nn.functional.mse_loss(self.layers(x)[:, 0], y)

    def validation_step(self, batch: Any) -> None:
        self.log("val_loss", self.training_step(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.rate)


def loaders() -> tuple[DataLoader, DataLoader]:
    x = torch.rand(400, 2, generator=torch.Generator().manual_seed(0)) * 2 - 1
    y = torch.sin(3 * x[:, 0]) * x[:, 1]
    return DataLoader(TensorDataset(x[:300], y[:300]), 100), DataLoader(TensorDataset(x[300:], y[300:]), 100)


def train(hyperparameters: dict[str, Any], report: Callable[[float, float], bool]) -> float:
    torch.manual_seed(0)
    trainer = Trainer(
        max_epochs=EPOCHS,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[alfine.callbacks.Lightning(report)],
    )
    trainer.fit(Network(**hyperparameters), *loaders())
    return float(trainer.callback_metrics["val_loss"])


def main() -> None:
    job = alfine.tune(train, SPACE, metric="val_loss", early_stopping="Auto", max_training_jobs=15, progress=False)
    stopped = sum(training_job.status == "Stopped" for training_job in job.training_jobs)
    print(f"{stopped} of {len(job.training_jobs)} training jobs were stopped early.")
    print(f"Best: val_loss {job.best.objective:.4f}, {job.best.hyperparameters}")


if __name__ == "__main__":
    main()

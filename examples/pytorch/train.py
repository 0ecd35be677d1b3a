"""Train a small network with PyTorch, print its validation loss after each epoch, and keep the model.

alfine tune examples/pytorch/job.yaml
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import torch
from torch import nn

EPOCHS = 15
ROWS = 600


def data(device: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Return inputs and targets: a function of two inputs, with a little noise."""
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(ROWS, 2, generator=generator)
    y = torch.sin(6 * x[:, :1]) * x[:, 1:] + 0.05 * torch.randn(ROWS, 1, generator=generator)
    return x.to(device), y.to(device)


def main() -> None:
    """Train with the hyperparameters of the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float, default=0.01)
    parser.add_argument("--width", type=int, default=32)
    given = parser.parse_args()
    torch.manual_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"  # the GPU that alfine gave to this training job
    x, y = data(device)
    model = nn.Sequential(nn.Linear(2, given.width), nn.Tanh(), nn.Linear(given.width, 1)).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=given.lr)
    for _ in range(EPOCHS):
        for rows in torch.randperm(ROWS * 3 // 4, device=device).split(32):
            optimizer.zero_grad()
            nn.functional.mse_loss(model(x[rows]), y[rows]).backward()
            optimizer.step()
        with torch.no_grad():
            print(
                f"val_loss={nn.functional.mse_loss(model(x[ROWS * 3 // 4 :]), y[ROWS * 3 // 4 :]).item()}", flush=True
            )
    torch.save(model.state_dict(), Path(os.environ.get("SM_MODEL_DIR", ".")) / "model.pt")


if __name__ == "__main__":
    main()

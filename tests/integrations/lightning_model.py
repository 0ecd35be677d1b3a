"""A linear model in Lightning."""

import torch

from tests.missing import of_integration

try:
    import lightning.pytorch as pl
except ModuleNotFoundError:
    pl = of_integration("pytorch_lightning")


class Linear(pl.LightningModule):
    def __init__(self, rate):
        super().__init__()
        self.layer, self.rate, self.curve = torch.nn.Linear(3, 1), rate, []

    def training_step(self, batch, _):
        return self.loss("loss", batch)

    def validation_step(self, batch, _):
        return self.loss("val_loss", batch)

    def loss(self, name, batch):
        x, y = batch
        loss = torch.nn.functional.mse_loss(self.layer(x), y)
        self.log(name, loss, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def on_validation_epoch_end(self):
        if not self.trainer.sanity_checking:
            self.curve.append(float(self.trainer.callback_metrics["val_loss"]))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.rate)


def fit(x, y, rate, callbacks, settings, *, validate=True):
    """Train, and return how many epochs there were, and the validation losses."""
    torch.manual_seed(0)
    data = torch.utils.data.TensorDataset(torch.tensor(x).float(), torch.tensor(y).float()[:, None])
    loader = torch.utils.data.DataLoader(data, batch_size=60)
    quiet = {
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    trainer = pl.Trainer(**{"accelerator": "cpu", "callbacks": callbacks, **quiet, **settings})
    model = Linear(rate)
    trainer.fit(model, loader, *([loader] if validate else []))
    return trainer.current_epoch, model.curve

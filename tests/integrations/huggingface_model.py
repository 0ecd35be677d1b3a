"""A linear model for Hugging Face's Trainer."""

import tempfile

import torch

from tests.missing import of_integration

transformers = of_integration("transformers")


class Linear(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(3, 1)

    def forward(self, x, labels):
        y = self.layer(x)[:, 0]
        return {"loss": torch.nn.functional.mse_loss(y, labels), "y": y}


def data_of(x, y):
    pairs = zip(torch.tensor(x).float(), torch.tensor(y).float(), strict=True)
    return [{"x": row, "labels": label} for row, label in pairs]


def fit(x, y, rate, callbacks, settings, *, validation=None):
    """Train, and return how many epochs there were, and the validation losses."""
    torch.manual_seed(0)
    data = data_of(x, y)
    with tempfile.TemporaryDirectory() as folder:
        quiet = {
            "report_to": [],
            "disable_tqdm": True,
            "save_strategy": "no",
            "logging_strategy": "no",
            "use_cpu": True,
        }
        given = {
            "output_dir": folder,
            "eval_strategy": "epoch",
            "learning_rate": rate,
            "optim": "sgd",
            "lr_scheduler_type": "constant",
        }
        given |= {"per_device_train_batch_size": 60, "per_device_eval_batch_size": 60}
        arguments = transformers.TrainingArguments(**given | quiet | settings)
        trainer = transformers.Trainer(
            Linear(), arguments, train_dataset=data, eval_dataset=validation or data, callbacks=callbacks
        )
        trainer.train()
    history = [entry["eval_loss"] for entry in trainer.state.log_history if "eval_loss" in entry]
    return round(trainer.state.epoch), history

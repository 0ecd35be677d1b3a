"""A callback in Hugging Face's Trainer: it reports how each training goes, and ends those that won't become the best.

    pip install alfine 'transformers[torch]'
    python examples/huggingface_callback.py

One argument of `Trainer` is alfine's. The objective trains a small BERT from scratch to say which of two words a text has more of; nothing
is downloaded.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from typing import Any

import torch
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments

import alfine

WORDS, LENGTH, EPOCHS = 8, 5, 8
SPACE = {
    "rate": alfine.Continuous(1e-4, 1e-1, scaling="Logarithmic"),
    "layers": alfine.Integer(1, 2),
}


def texts(count: int, seed: int) -> list[dict[str, Any]]:
    words = torch.randint(0, WORDS, (count, LENGTH), generator=torch.Generator().manual_seed(seed))
    return [{"input_ids": text, "labels": int((text < WORDS // 2).sum() > LENGTH // 2)} for text in words]


def train(hyperparameters: dict[str, Any], report: Callable[[float, float], bool]) -> float:
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=WORDS,
        hidden_size=16,
        num_hidden_layers=hyperparameters["layers"],
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=LENGTH,
    )
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder,
            num_train_epochs=EPOCHS,
            learning_rate=hyperparameters["rate"],
            per_device_train_batch_size=64,
            per_device_eval_batch_size=64,
            eval_strategy="epoch",
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            use_cpu=True,
        )
        trainer = Trainer(
            BertForSequenceClassification(config),
            arguments,
            train_dataset=texts(384, 0),
            eval_dataset=texts(128, 1),
            callbacks=[alfine.callbacks.HuggingFace(report)],
        )
        trainer.train()
        return float(trainer.evaluate()["eval_loss"])


def main() -> None:
    torch.set_num_threads(1)  # more of them cost such a small model more time than they save
    job = alfine.tune(train, SPACE, metric="eval_loss", early_stopping="Auto", max_training_jobs=8, progress=False)
    stopped = sum(training_job.status == "Stopped" for training_job in job.training_jobs)
    print(f"{stopped} of {len(job.training_jobs)} training jobs were stopped early.")
    print(f"Best: eval_loss {job.best.objective:.4f}, {job.best.hyperparameters}")


if __name__ == "__main__":
    main()

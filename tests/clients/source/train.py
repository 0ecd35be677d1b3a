"""The training script of the flows: any framework's, since it needs none."""

import argparse
import json
import os
import time
from pathlib import Path

from costs import cost

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, required=True)
parser.add_argument("--layers", type=int, default=1)
parser.add_argument("--optimizer", default="adam")
parser.add_argument("--epochs", type=int, default=3)
parser.add_argument("--pause", type=float, default=0.0)
words = parser.parse_args()

rows = [line for path in sorted(Path(os.environ["SM_CHANNEL_TRAIN"]).rglob("*.csv")) for line in path.open()]
for epoch in range(1, words.epochs + 1):
    loss = (words.lr - 0.1) ** 2 + cost(words.optimizer) + 1 / epoch
    print(f"epoch={epoch} rows={len(rows)} loss={loss:.6f};", flush=True)
    time.sleep(words.pause)
Path(os.environ["SM_MODEL_DIR"], "model.json").write_text(json.dumps(vars(words)))

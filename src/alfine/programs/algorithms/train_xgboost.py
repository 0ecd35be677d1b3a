"""Trains as the image sagemaker-xgboost does in its built-in mode. Runs in a training job.

The channels `train` and `validation` have CSV (the label first, with csv_weights=1 then the weight) or libsvm (label or label:weight,
qid). Each round prints a line to the log in AWS's form, with #011 for each TAB, as AWS's log pipeline writes it. The model is
`model/xgboost-model`, for xgboost.Booster().load_model (UBJSON).
"""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse

from alfine.programs.algorithms import label_metrics, opt_ml
from alfine.programs.algorithms.label_metrics import Labels
from alfine.programs.algorithms.opt_ml import BadInput
from alfine.programs.algorithms.parsed_files import Arrays, parsed
from alfine.programs.algorithms.xgboost_alone import xgboost

NOT_XGBOOSTS = (
    *("num_round", "csv_weights", "early_stopping_rounds", "eval_metric", "_tuning_objective_metric"),
    *("save_model_on_termination", "use_dask_gpu_training"),
)
"""Hyperparameters of SageMaker's that xgboost itself doesn't know."""

FORGOTTEN = ("deterministic_histogram", "dsplit", "predictor", "sketch_eps", "prob_buffer_row")
"""Hyperparameters that xgboost no longer has."""

MAXIMISED = ("auc", "aucpr", "map", "ndcg")
"""Metrics of xgboost's own of which larger is better. Of those below it is all but mse."""

OF_CLASSES: dict[str, Callable[[Labels, Labels], float]] = {
    "accuracy": label_metrics.accuracy,
    "balanced_accuracy": label_metrics.balanced_accuracy,
    "f1": label_metrics.macro(label_metrics.f1),
    "f1_binary": label_metrics.of_two(label_metrics.f1),
    "f1_macro": label_metrics.macro(label_metrics.f1),
    "precision": label_metrics.of_two(label_metrics.precision),
    "precision_macro": label_metrics.macro(label_metrics.precision),
    "precision_micro": label_metrics.micro(label_metrics.precision),
    "recall": label_metrics.of_two(label_metrics.recall),
    "recall_macro": label_metrics.macro(label_metrics.recall),
    "recall_micro": label_metrics.micro(label_metrics.recall),
}
OF_VALUES: dict[str, Callable[[Labels, Labels], float]] = {"mse": label_metrics.mse, "r2": label_metrics.r2}
OURS = (*OF_CLASSES, *OF_VALUES)


def train(texts: dict[str, str]) -> None:
    """Train a model and write it to `model/`.

    Args:
        texts: The hyperparameters, which were checked against the algorithm's specification when the job was created.
    """
    data = read("train", texts), (read("validation", texts) if opt_ml.has("validation") else None)
    width = max(_width(channel) for channel in data)
    training, validation = (_dmatrix(channel, width) for channel in data)
    wanted = _metrics(texts)
    parameters = {**_parameters(texts), "eval_metric": [name for name in wanted if name not in OURS]}
    ours = [name for name in wanted if name in OURS]
    objective = parameters.get("objective", "reg:squarederror")
    evals = [(training, "train"), *([(validation, "validation")] if validation is not None else [])]
    stopping = [_Report(save=texts.get("save_model_on_termination") != "false")]
    rounds = texts.get("early_stopping_rounds")
    if rounds is not None:
        stopping.append(_early_stopping(int(rounds), wanted, evals[-1][1], parameters.get("booster")))
    booster = xgboost.train(
        parameters,
        training,
        num_boost_round=int(texts["num_round"]),
        evals=evals,
        custom_metric=(lambda scores, of: _scores(ours, scores, of.get_label(), objective)) if ours else None,
        callbacks=stopping,
        verbose_eval=False,
    )
    # save_model would guess the format from the name, and SageMaker's name has no ending.
    (opt_ml.model_folder() / "xgboost-model").write_bytes(booster.save_raw("ubj"))


# ---- hyperparameters ---------------------------------------------------------------------------------------------------


def _parameters(texts: dict[str, str]) -> dict[str, Any]:
    """Return the parameters of xgboost itself. They stay texts: xgboost reads the numbers in them."""
    for name in FORGOTTEN:
        if name in texts:
            print(f"{name} has no effect in xgboost {xgboost.__version__}.")  # noqa: T201
    parameters: dict[str, Any] = {"nthread": os.environ.get("SM_NUM_CPUS", "1")}
    parameters |= {name: text for name, text in texts.items() if name not in (*NOT_XGBOOSTS, *FORGOTTEN)}
    parameters = {name: value for name, value in parameters.items() if not name.startswith("sagemaker_")}
    if parameters.get("objective") == "reg:linear":  # the old name
        parameters["objective"] = "reg:squarederror"
    if parameters.get("tree_method") == "gpu_hist":
        parameters |= {"tree_method": "hist", "device": "cuda"}
    return parameters


def _metrics(texts: dict[str, str]) -> list[str]:
    """Return the metrics in eval_metric, then the objective metric of the tuning job, each once."""
    names = [name.strip() for name in texts.get("eval_metric", "").split(",")]
    tuned = texts.get("_tuning_objective_metric", "").rpartition(":")[2]
    return list(dict.fromkeys(name for name in (*names, tuned) if name))


def _early_stopping(rounds: int, wanted: list[str], data: str, booster: str | None) -> Any:
    """Stop by the last metric on the last data (validation, or else training), and keep the model of the best round."""
    metric = wanted[-1] if wanted else None
    maximise = None if metric is None else metric.partition("@")[0] in MAXIMISED or (metric in OURS and metric != "mse")
    return xgboost.callback.EarlyStopping(
        rounds, metric_name=metric, data_name=data, maximize=maximise, save_best=booster != "gblinear"
    )


# ---- metrics -----------------------------------------------------------------------------------------------------------


def _scores(names: list[str], scores: Any, labels: Any, objective: str) -> list[tuple[str, float]]:
    """Return the metrics that xgboost lacks. scores: its predictions, as the objective returns them."""
    classes = _classes(scores, objective)
    return [
        (name, OF_CLASSES[name](labels, classes) if name in OF_CLASSES else OF_VALUES[name](labels, scores))
        for name in names
    ]


def _classes(scores: Any, objective: str) -> Any:
    if scores.ndim > 1 and scores.shape[1] > 1:
        return np.argmax(scores, axis=1)
    if objective == "multi:softmax":
        return scores.astype(int)
    return (scores.ravel() > (0.0 if objective == "binary:logitraw" else 0.5)).astype(int)


class _Report(xgboost.callback.TrainingCallback):  # type: ignore[misc]  # xgboost has no types here
    """Prints each round to the log. After a SIGTERM it ends the training after the round, so that the model is saved."""

    def __init__(self, *, save: bool) -> None:
        self._asked = False
        if save:
            signal.signal(signal.SIGTERM, self._ask)

    def _ask(self, *_: object) -> None:
        self._asked = True

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:  # noqa: ARG002 - xgboost's signature
        values = (
            f"#011{data}-{metric}:{history[-1]:.5f}"
            for data, each in evals_log.items()
            for metric, history in each.items()
        )
        print(f"[{epoch}]{''.join(values)}", flush=True)  # noqa: T201
        return self._asked


# ---- data --------------------------------------------------------------------------------------------------------------


def read(channel: str, texts: dict[str, str]) -> dict[str, Any]:
    """Read a channel.

    Args:
        channel: Its name.
        texts: The hyperparameters.

    Returns:
        The arguments of xgboost.DMatrix: data, label, weight, qid.

    Raises:
        BadInput: The data can't be read.
    """
    kind = opt_ml.content_type(channel, "text/libsvm")
    if kind.endswith("csv"):
        return _csv(channel, weights=texts.get("csv_weights") == "1")
    return _libsvm(channel)


def _csv(channel: str, *, weights: bool) -> dict[str, Any]:
    table = opt_ml.read_csv(channel)
    first = 2 if weights else 1
    if table.shape[1] <= first:
        raise BadInput(f"the channel {channel!r} has {table.shape[1]} columns; it needs a label and features.")
    return {"data": table[:, first:], "label": table[:, 0], **({"weight": table[:, 1]} if weights else {})}


def _libsvm(channel: str) -> dict[str, Any]:
    parts = [_libsvm_file(path) for path in opt_ml.files(channel)]
    width = max(part["data"].shape[1] for part in parts)
    for part in parts:
        part["data"].resize(part["data"].shape[0], width)
    data = {"data": scipy.sparse.vstack([part["data"] for part in parts]).tocsr()}
    for name in ("label", "weight", "qid"):
        present = [part[name] for part in parts if len(part[name])]
        if present:
            data[name] = np.concatenate(present)
    return data


def _libsvm_file(path: Path) -> dict[str, Any]:
    """Read a libsvm file. Its indices begin at 0, as xgboost's own reader takes them."""
    content = path.read_bytes()
    arrays = dict(parsed("libsvm", content, lambda: _parse_libsvm(path.name, content)))
    values, indices, starts, shape = (arrays.pop(name) for name in ("values", "indices", "starts", "shape"))
    matrix: Any = scipy.sparse.csr_matrix
    return {"data": matrix((values, indices, starts), shape=tuple(shape.tolist())), **arrays}


def _parse_libsvm(name: str, given: bytes) -> Arrays:
    from sklearn.datasets import load_svmlight_file  # slow to import, and a file is parsed once for all training jobs

    content, weights = _weights_apart(given)
    try:
        data, label, qid = load_svmlight_file(io.BytesIO(content), zero_based=True, query_id=True)
    except ValueError as error:
        start = content.partition(b"\n")[0][:50].decode(errors="replace")
        raise BadInput(
            f"{name} isn't in libsvm format ({error}); its first line begins {start!r}. Libsvm is the format of a channel "
            "without a ContentType. For CSV set its ContentType to text/csv."
        ) from error
    matrix = {"values": data.data, "indices": data.indices, "starts": data.indptr, "shape": np.array(data.shape)}
    return {**matrix, "label": label, "weight": np.array(weights), "qid": qid if b"qid:" in content else np.zeros(0)}


def _weights_apart(content: bytes) -> tuple[bytes, list[float]]:
    """Separate lines «label:weight index:value …», as xgboost reads them, into lines without weights and the weights, if any."""
    if b":" not in content.lstrip().partition(b" ")[0]:
        return content, []
    lines, weights = [], []
    for line in filter(bytes.strip, content.splitlines()):
        first, _, rest = line.partition(b" ")
        label, _, weight = first.partition(b":")
        lines.append(label + b" " + rest)
        weights.append(float(weight or 1))
    return b"\n".join(lines), weights


def _width(data: dict[str, Any] | None) -> int:
    return 0 if data is None else int(data["data"].shape[1])


def _dmatrix(data: dict[str, Any] | None, width: int) -> Any:
    """Return the data as xgboost's matrix. width: the largest number of columns of any channel: a sparse one may lack the last."""
    if data is None:
        return None
    table: Any = data["data"]
    if not isinstance(table, np.ndarray):
        table.resize(table.shape[0], width)
    return xgboost.DMatrix(**data)


if __name__ == "__main__":
    opt_ml.run(train)

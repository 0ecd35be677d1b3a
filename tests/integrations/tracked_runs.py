"""What MLflow, W&B and TensorBoard have of a tuning job, read with their own libraries or from their own files."""

import struct
from collections import defaultdict


class Runs:
    """The runs of a tuning job: by name, their values of each metric in order, their parameters and their texts."""

    def __init__(self):
        self.values = defaultdict(lambda: defaultdict(list))
        self.parameters = defaultdict(dict)
        self.texts = defaultdict(dict)
        self.status = {}
        self.parent = {}


def mlflow_runs(uri):
    from mlflow import MlflowClient

    client, runs = MlflowClient(uri), Runs()
    experiment = client.get_experiment_by_name("alfine").experiment_id
    rows = client.search_runs([experiment], max_results=1000)
    names = {row.info.run_id: row.info.run_name for row in rows}
    assert len({*names.values()}) == len(rows), "a run is there twice"
    for row in rows:
        name = row.info.run_name
        runs.parameters[name], runs.texts[name], runs.status[name] = row.data.params, row.data.tags, row.info.status
        runs.parent[name] = names.get(row.data.tags.get("mlflow.parentRunId"))
        for metric in row.data.metrics:
            history = sorted(client.get_metric_history(row.info.run_id, metric), key=lambda one: one.timestamp)
            runs.values[name][metric] = [(one.step, one.value) for one in history]
    return runs


def tensorboard_runs(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    runs = Runs()
    for file in folder.rglob("*tfevents*"):
        name = file.parent.name
        assert name not in runs.status, "a run has two files"
        events = EventAccumulator(str(file.parent), size_guidance={"scalars": 0, "tensors": 0}).Reload()
        runs.status[name], runs.parent[name] = "", file.parent.parent.name
        for metric in events.Tags()["scalars"]:
            runs.values[name][metric] = [(one.step, one.value) for one in events.Scalars(metric)]
        for tag in events.Tags()["tensors"]:
            runs.texts[name][tag] = events.Tensors(tag)[-1].tensor_proto.string_val[0].decode()
        contents = events.summary_metadata
        for tag, metadata in contents.items():
            if tag == "_hparams_/session_start_info":
                read = HParamsPluginData.FromString(metadata.plugin_data.content)
                for key, value in read.session_start_info.hparams.items():
                    runs.parameters[name][key] = value.string_value or value.number_value
    return runs


def wandb_runs(folder):
    import json

    from wandb.proto.wandb_internal_pb2 import Record

    runs = Runs()
    for file in folder.glob("wandb/offline-run-*/*.wandb"):
        name, summary = None, {}
        for data in records(file.read_bytes()):
            record = Record.FromString(data)
            match record.WhichOneof("record_type"):
                case "run":
                    name = record.run.display_name
                    config = {item.key: json.loads(item.value_json) for item in record.run.config.update}
                    runs.parameters[name] |= config
                    runs.parent[name] = record.run.run_group
                case "history":
                    row = {item.key or item.nested_key[0]: json.loads(item.value_json) for item in record.history.item}
                    step = row.get("step", row.get("_step"))
                    for metric in row.keys() - {"step"}:
                        if not metric.startswith("_"):
                            runs.values[name][metric].append((step, row[metric]))
                case "summary":
                    for item in record.summary.update:
                        summary[item.key or "/".join(item.nested_key)] = json.loads(item.value_json)
                case "exit":
                    runs.status[name] = str(record.exit.exit_code)
        assert name not in runs.texts, "a run is there twice"
        runs.texts[name] = summary
    return runs


def records(data, block=32768, header=7):
    """Yield the records of a file of LevelDB's log format, which W&B's are after 7 bytes of their own."""
    at, parts = 7, b""
    while at + header <= len(data):
        if block - at % block < header:
            at += block - at % block
            continue
        _, size, kind = struct.unpack("<IHB", data[at : at + header])
        parts += data[at + header : at + header + size]
        at += header + size
        if kind in (1, 4):  # whole, or the last part
            yield parts
            parts = b""

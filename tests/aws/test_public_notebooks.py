"""What AWS's public notebooks send to built-in algorithms, by boto3 on a live server."""

from __future__ import annotations

import numpy as np

from tests.aws.test_built_in import booster_of, data, final_metrics, finished, request, sagemaker, served

__all__ = ["data", "sagemaker", "served"]  # fixtures


def test_booleans_of_pandas_and_ranges_from_an_open_bound(served, sagemaker, data, tmp_path):
    for name in ("train", "validation"):
        table = np.loadtxt(data / "cancer" / name / "part.csv", delimiter=",")
        lines = [f"{row[0]:.0f},{row[1] > 14},{row[2]},{row[3] > 90}" for row in table]
        (tmp_path / name).mkdir()
        (tmp_path / name / "part.csv").write_text("\n".join(lines) + "\n")
    names = ("eta", "colsample_bytree", "subsample")
    ranges = {"ContinuousParameterRanges": [{"Name": name, "MinValue": "0", "MaxValue": "1"} for name in names]}
    static = {"num_round": "5", "objective": "binary:logistic"}
    asked = request("pandas", tmp_path, static, metric="validation:auc", goal="Maximize", jobs=2, ranges=ranges)
    best = finished(sagemaker, asked)
    assert final_metrics(best)["validation:auc"] > 0.8
    assert booster_of(served, best).num_features() == 3
    told = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName="pandas")
    shown = told["HyperParameterTuningJobConfig"]["ParameterRanges"]["ContinuousParameterRanges"]
    assert shown == ranges["ContinuousParameterRanges"]

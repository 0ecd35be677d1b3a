"""Airflow's SageMakerTuningOperator as it comes from the package index."""

from __future__ import annotations

import json

import pytest


@pytest.mark.clients
def test_the_tuning_operator_waits_or_leaves(flow, served, tmp_path):
    extra = {"endpoint_url": served.url, "region_name": "us-east-1"}
    connection = {"conn_type": "aws", "login": "any", "password": "any", "extra": extra}
    told = flow(
        "airflow",
        "airflow_tuning.py",
        AIRFLOW_HOME=str(tmp_path / "airflow"),
        AIRFLOW_CONN_ALFINE=json.dumps(connection),
        AWS_ENDPOINT_URL=None,
    )
    awaited, left, later = told["awaited"]["Tuning"], told["left"]["Tuning"], told["left_later"]
    assert awaited["HyperParameterTuningJobStatus"] == later["HyperParameterTuningJobStatus"] == "Completed"
    assert left["HyperParameterTuningJobName"] == "left"
    assert left["HyperParameterTuningJobStatus"] in ("InProgress", "Completed")
    for each in (awaited, later):
        assert each["TrainingJobStatusCounters"]["Completed"] == 3
        assert each["TrainingJobDefinition"]["RoleArn"] == "arn:aws:iam::000000000000:role/trainer"
        assert each["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]["MetricName"] == "loss"

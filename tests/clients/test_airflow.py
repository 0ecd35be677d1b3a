"""Airflow's SageMakerTuningOperator as it comes from the package index."""

from __future__ import annotations

import json

import pytest


@pytest.mark.clients
def test_the_tuning_operator_waits_or_leaves(flow, tmp_path):
    check(flow("airflow", "airflow_tuning.py", AIRFLOW_HOME=str(tmp_path / "airflow")), "aws-default")


@pytest.mark.clients
def test_a_connection_of_airflow_leads_to_the_server_without_the_shells_variables(flow, served, tmp_path):
    variables = json.loads(served.cli("client", "--json"))
    connection = {
        "conn_type": "aws",
        "login": variables["AWS_ACCESS_KEY_ID"],
        "password": variables["AWS_SECRET_ACCESS_KEY"],
        "extra": {"endpoint_url": served.url, "region_name": "us-east-1"},
    }
    told = flow(
        "airflow",
        "airflow_tuning.py",
        AIRFLOW_HOME=str(tmp_path / "airflow"),
        AIRFLOW_CONN_ALFINE=json.dumps(connection),
        FLOW_CONNECTION="alfine",
        **dict.fromkeys(variables),
    )
    check(told, "alfine")


def check(told, prefix):
    awaited, left, later = told["awaited"]["Tuning"], told["left"]["Tuning"], told["left_later"]
    assert awaited["HyperParameterTuningJobStatus"] == later["HyperParameterTuningJobStatus"] == "Completed"
    assert left["HyperParameterTuningJobName"] == f"{prefix}-left"
    assert left["HyperParameterTuningJobStatus"] in ("InProgress", "Completed")
    for each in (awaited, later):
        assert each["TrainingJobStatusCounters"]["Completed"] == 3
        assert each["TrainingJobDefinition"]["RoleArn"] == "arn:aws:iam::000000000000:role/trainer"
        assert each["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]["MetricName"] == "loss"

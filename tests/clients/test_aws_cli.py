"""The AWS CLI, version 1, as it comes from the package index."""

from __future__ import annotations

import pytest


@pytest.mark.clients
def test_every_operation_waiter_and_page_of_the_cli(flow):
    told = flow("aws", "aws_cli.py")
    assert told["told"]["HyperParameterTuningJobStatus"] == "Completed"
    assert told["training_jobs"] == sorted(told["training_jobs"])
    assert len(set(told["training_jobs"])) == 5
    assert told["best"] in told["training_jobs"]
    assert told["status"] == "Completed"
    assert (told["listed"], told["more"]) == (4, True)
    assert told["tuning_jobs"] == ["of-the-cli"]
    assert told["tags"] == [{"Key": "kind", "Value": "test"}]
    assert [line.split()[-1].startswith("loss=") for line in told["lines"]] == [True, True]
    assert told["found"] == 2
    assert set(told["training_jobs"]) <= set(told["metrics"])
    assert told["stopped"] == "Stopped"
    assert "Amazon SageMaker can't find a tuning job called of-the-cli-stopped" in told["gone"]
    assert told["model"] == ["model.json"]

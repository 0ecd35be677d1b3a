"""alfine check NOTEBOOK: which cells will be answered, read without running them."""

from __future__ import annotations

import json

import pytest

CELLS = (
    """%%time
import boto3, sagemaker
from sagemaker import image_uris
from sagemaker.tuner import HyperparameterTuner, ContinuousParameter
role = sagemaker.get_execution_role()
bucket = sagemaker.Session().default_bucket()
region = boto3.Session().region_name
smclient = boto3.Session().client("sagemaker")
""",
    """!pip install -q pandas
!aws s3 cp s3://sagemaker-sample-data-us-west-2/autopilot/direct_marketing/bank-additional.zip .
s3 = boto3.client("s3")
s3.download_file(f"sagemaker-example-files-prod-{region}", "datasets/tabular/uci_abalone/abalone.libsvm", "abalone")
""",
    """container = image_uris.retrieve("xgboost", region, "1.7-1")
tuner = HyperparameterTuner(sagemaker.estimator.Estimator(container, role), "validation:auc", {})
smclient.create_hyper_parameter_tuning_job(HyperParameterTuningJobName="a")
[*smclient.get_paginator("list_training_jobs").paginate()]
smclient.list_endpoints()
""",
    """predictor = tuner.deploy(initial_instance_count=1)
smclient.create_model(ModelName="m")
smclient.describe_tuning_job_of_none()
""",
    """sts, ecr = boto3.client("sts"), boto3.client("ecr")
image = f"811284229777.dkr.ecr.{region}.amazonaws.com/image-classification:1"
ecr.describe_repositories()
!docker push my-image
!aws sagemaker create-endpoint --endpoint-name e
""",
    """%%writefile train.py
import json, numpy
from sagemaker_training import environment
import a_module_of_nobody
""",
    """for row in table
    print(row)
""",
    """%%bash
aws s3 mb s3://my-own
curl https://sagemaker-sample-files.s3.amazonaws.com/a.csv
""",
    "bucket?\nfiles = !ls\n%matplotlib inline\nprint('s3://my-own/train')\n",
)


@pytest.fixture
def notebook(folder):
    folder.home.mkdir()
    (folder.home / "alfine.toml").write_text('[run]\nengine = "/nowhere/docker"\n')
    cells = [{"cell_type": "code", "source": source.splitlines(keepends=True)} for source in CELLS]
    text = json.dumps({"cells": [{"cell_type": "markdown", "source": "# Deploy"}, *cells], "nbformat": 4})
    return str(folder.job(text, "tune.ipynb"))


def told(folder, *words):
    result = folder.run("check", *words, "--json")
    report = json.loads(result.stdout)
    uses = {cell["Cell"]: {use["Name"]: use for use in cell["Uses"]} for cell in report["Cells"]}
    return result.exit_code, report, uses


def test_each_cell_is_told_with_what_it_uses(folder, notebook):
    code, report, uses = told(folder, notebook)
    assert code == 1
    assert [cell["Cell"] for cell in report["Cells"] if not cell["Answered"]] == [2, 4, 5, 6, 8]
    assert (report["Answered"], report["Of"]) == (4, 9)
    assert {name: use["By"] for name, use in uses[1].items()} == {
        "sts:GetCallerIdentity": "get_execution_role()",
        "sagemaker:": "boto3.Session().client",
    }
    operations = {name for name in uses[3] if name.startswith("sagemaker:")}
    assert operations == {
        f"sagemaker:{name}"
        for name in ("CreateHyperParameterTuningJob", "CreateTrainingJob", "ListTrainingJobs", "ListEndpoints")
    }
    assert all(use["Answered"] for use in uses[3].values())


def test_what_is_not_there_says_why(folder, notebook):
    _, _, uses = told(folder, notebook)
    messages = {
        name: use["Message"] for cell in uses.values() for name, use in cell.items() if use["Answered"] is False
    }
    for name, expected in {
        "sagemaker:CreateEndpoint": "part of SageMaker's hosting of models",
        "sagemaker:CreateModel": "part of SageMaker's hosting of models",
        "sagemaker:describe_tuning_job_of_none": "alfine doesn't have this operation",
        "811284229777.dkr.ecr.REGION.amazonaws.com/image-classification:1": "AWS's built-in algorithm image-classification",
        "ecr:DescribeRepositories": "alfine doesn't answer for the service ecr",
        "docker push my-image": "there is no registry for images here",
        "a_module_of_nobody": "which doesn't have a_module_of_nobody. Install it there.",
        "curl https://sagemaker-sample-files.s3.amazonaws.com/a.csv": "it asks AWS itself, not alfine",
        "sagemaker-example-files-prod-REGION": "`alfine samples` makes small stand-ins",
    }.items():
        assert expected in messages[name], name
    assert uses[4]["sagemaker:CreateEndpoint"]["Line"] == 1
    assert uses[6]["sagemaker_training"]["Message"] == "a stand-in"
    assert uses[7] == {"line 1 isn't Python: expected ':'.": {**next(iter(uses[7].values())), "Answered": None}}
    assert uses[9]["my-own/train"]["Answered"] is None


def test_stand_ins_answer_for_public_buckets(folder, notebook):
    assert folder.run("samples").exit_code == 0
    _, report, _ = told(folder, notebook)
    assert report["Cells"][1]["Answered"]


def test_a_file_is_read_in_its_parts_and_people_get_lines(folder):
    text = "import sagemaker\n# %%\nfrom sagemaker.processing import Processor\n\nProcessor('a')\n# In[3]:\nprint(1)\n"
    path = str(folder.job(text, "flow.py"))
    result = folder.run("check", path)
    assert result.exit_code == 1
    assert (
        "no    cell 2, line 5: sagemaker CreateProcessingJob (Processor): part of SageMaker's processing jobs"
        in result.stdout
    )
    assert result.stdout.splitlines()[-1] == "2 of 3 cells will be answered."


def test_a_training_script_is_checked_for_its_modules(folder):
    code, report, uses = told(folder, str(folder.job("import numpy, smdebug\n", "script.py")))
    assert (code, report["Of"]) == (0, 1)
    assert {name: use["Message"] for name, use in uses[1].items()} == {"numpy": "", "smdebug": "a stand-in"}


@pytest.mark.parametrize("text", ["", "{}", '{"cells": 3}', "[]"])
def test_what_is_no_notebook_is_refused(folder, text):
    result = folder.run("check", str(folder.job(text, "bad.ipynb")))
    assert result.exit_code == 2
    assert "can't be read" in result.output

"""Linear learner by the API: a grid of categories, then a warm start from it, and several definitions in one job."""

# %%
import json
import os
import time

import boto3

session = boto3.Session()
sm, region = session.client("sagemaker"), session.region_name
arn = session.client("sts").get_caller_identity()["Arn"]
role = arn.replace(":sts:", ":iam:").replace("assumed-role", "role").rpartition("/")[0]
image = f"382416733822.dkr.ecr.{region}.amazonaws.com/linear-learner:1"
base = f"s3://jumpstart-cache-prod-{region}/training-datasets/tabular_regressonehot"
ends = f"{os.getpid()}"

# %%
definition = {
    "AlgorithmSpecification": {"TrainingImage": image, "TrainingInputMode": "File"},
    "RoleArn": role,
    "InputDataConfig": [
        {
            "ChannelName": part,
            "ContentType": "text/csv",
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"{base}/{part}"}},
        }
        for part in ("train", "validation")
    ],
    "OutputDataConfig": {"S3OutputPath": "s3://boto3-grid/output"},
    "ResourceConfig": {"InstanceType": "ml.c4.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 5},
    "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
    "StaticHyperParameters": {"predictor_type": "regressor", "epochs": "3"},
}
objective = {"Type": "Minimize", "MetricName": "validation:objective_loss"}


def run(name, ranges, strategy="Bayesian", jobs=3, **words):
    limits = {"MaxParallelTrainingJobs": 2, **({"MaxNumberOfTrainingJobs": jobs} if jobs else {})}
    config = {"Strategy": strategy, "ResourceLimits": limits}
    if "TrainingJobDefinitions" not in words:
        config |= {"HyperParameterTuningJobObjective": objective, "ParameterRanges": ranges}
        words["TrainingJobDefinition"] = definition
    sm.create_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=name, HyperParameterTuningJobConfig=config, **words
    )
    while (told := sm.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name))[
        "HyperParameterTuningJobStatus"
    ] == "InProgress":
        time.sleep(0.2)
    return told


# %%
grid = {"CategoricalParameterRanges": [{"Name": "use_bias", "Values": ["true", "false"]}]}
first = run(f"grid-{ends}", grid, "Grid", None)
assert first["TrainingJobStatusCounters"]["Completed"] == 2

# %%
rates = {"ContinuousParameterRanges": [{"Name": "learning_rate", "MinValue": "0", "MaxValue": "0.5"}]}
parent = run(f"parent-{ends}", rates)
warm = {
    "ParentHyperParameterTuningJobs": [{"HyperParameterTuningJobName": f"parent-{ends}"}],
    "WarmStartType": "TransferLearning",
}
child = run(f"child-{ends}", rates, WarmStartConfig=warm)
assert child["WarmStartConfig"] == warm

# %%
several = [
    {**definition, "DefinitionName": name, "TuningObjective": objective, "HyperParameterRanges": rates}
    for name in ("one", "two")
]
told = run(f"several-{ends}", {}, "Random", 4, TrainingJobDefinitions=several)
print(
    json.dumps(
        {"status": told["HyperParameterTuningJobStatus"], "jobs": sum(told["TrainingJobStatusCounters"].values())}
    )
)

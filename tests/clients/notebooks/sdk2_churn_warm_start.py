"""Customer churn with XGBoost: random search, then a warm start from it with another range."""

# %%
import json
from io import StringIO

import pandas as pd
import sagemaker
from sagemaker.inputs import TrainingInput
from sagemaker.tuner import ContinuousParameter, HyperparameterTuner, IntegerParameter, WarmStartConfig, WarmStartTypes

session = sagemaker.Session()
region = session.boto_region_name
bucket, prefix = session.default_bucket(), "xgboost-churn"
role = sagemaker.get_execution_role()

# %%
text = session.read_s3_file(f"sagemaker-example-files-prod-{region}", "datasets/tabular/synthetic/churn.txt")
churn = pd.read_csv(StringIO(text)).drop(columns=["Phone", "Day Charge", "Eve Charge", "Night Charge", "Intl Charge"])
churn["Area Code"] = churn["Area Code"].astype(object)
model_data = pd.get_dummies(churn)
model_data = pd.concat([model_data.pop("Churn?_True."), model_data.drop(columns=["Churn?_False."])], axis=1)
model_data[:700].to_csv("train.csv", header=False, index=False)
model_data[700:].to_csv("validation.csv", header=False, index=False)
inputs = {
    name: TrainingInput(session.upload_data(f"{name}.csv", key_prefix=f"{prefix}/{name}"), content_type="csv")
    for name in ("train", "validation")
}

# %%
estimator = sagemaker.estimator.Estimator(
    sagemaker.image_uris.retrieve("xgboost", region, "latest"),
    role,
    instance_count=1,
    instance_type="ml.m4.xlarge",
    output_path=f"s3://{bucket}/{prefix}/output",
    hyperparameters={"num_round": 12, "objective": "binary:logistic", "eval_metric": "error"},
)
ranges = {"eta": ContinuousParameter(0.05, 0.5), "max_depth": IntegerParameter(1, 8)}


def tuned(name, **words):
    tuner = HyperparameterTuner(
        estimator,
        "validation:error",
        ranges,
        objective_type="Minimize",
        max_jobs=3,
        max_parallel_jobs=3,
        base_tuning_job_name=name,
        **words,
    )
    tuner.fit(inputs)
    return tuner


# %%
first = tuned("churn-random", strategy="Random")
parents = {first.latest_tuning_job.name}
ranges["eta"] = ContinuousParameter(0.01, 0.3)
second = tuned("churn-warm", warm_start_config=WarmStartConfig(WarmStartTypes.IDENTICAL_DATA_AND_ALGORITHM, parents))
told = second.describe()
assert told["WarmStartConfig"]["ParentHyperParameterTuningJobs"][0]["HyperParameterTuningJobName"] in parents
assert {"eta", "max_depth"} <= set(second.analytics().dataframe().columns)
print(json.dumps({"status": told["HyperParameterTuningJobStatus"], "jobs": len(second.analytics().dataframe())}))

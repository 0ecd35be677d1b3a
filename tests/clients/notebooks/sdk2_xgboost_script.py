"""XGBoost as a framework: the script that AWS's abalone example sends, with the container's own modules."""

# %%
import json
from pathlib import Path

import boto3
import sagemaker
from sagemaker.inputs import TrainingInput
from sagemaker.tuner import ContinuousParameter, HyperparameterTuner, IntegerParameter
from sagemaker.xgboost.estimator import XGBoost

role = sagemaker.get_execution_role()
session = sagemaker.Session()
bucket, region = session.default_bucket(), boto3.Session().region_name

# %%
Path("abalone.py").write_text(
    """
import argparse, json, os
import xgboost as xgb
from sagemaker_xgboost_container import distributed
from sagemaker_xgboost_container.data_utils import get_dmatrix
from smdebug.xgboost import Hook

def _xgb_train(params, dtrain, evals, num_boost_round, model_dir, is_master):
    booster = xgb.train(params, dtrain, evals=evals, num_boost_round=num_boost_round, callbacks=[Hook.create_from_json_file()])
    if is_master:
        booster.save_model(os.path.join(model_dir, "xgboost-model.json"))

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for name, kind in (("max_depth", int), ("eta", float), ("num_round", int), ("objective", str)):
        parser.add_argument(f"--{name}", type=kind)
    parser.add_argument("--model-dir", default=os.environ["SM_MODEL_DIR"])
    parser.add_argument("--train", default=os.environ["SM_CHANNEL_TRAIN"])
    parser.add_argument("--validation", default=os.environ["SM_CHANNEL_VALIDATION"])
    parser.add_argument("--sm_hosts", default=os.environ["SM_HOSTS"])
    parser.add_argument("--sm_current_host", default=os.environ["SM_CURRENT_HOST"])
    args = parser.parse_args()
    dtrain, dval = get_dmatrix(args.train, "libsvm"), get_dmatrix(args.validation, "libsvm")
    params = {"max_depth": args.max_depth, "eta": args.eta, "objective": args.objective}
    words = dict(params=params, dtrain=dtrain, evals=[(dtrain, "train"), (dval, "validation")],
                 num_boost_round=args.num_round, model_dir=args.model_dir)
    hosts = json.loads(args.sm_hosts)
    if len(hosts) > 1:
        distributed.rabit_run(exec_fun=_xgb_train, args=words, include_in_training=(dtrain is not None), hosts=hosts,
                              current_host=args.sm_current_host, update_rabit_args=True)
    else:
        _xgb_train(**words, is_master=True)
"""
)

# %%
inputs = {}
for part in ("train", "validation"):
    key = f"datasets/tabular/uci_abalone/{part}/abalone.{part}"
    boto3.client("s3").download_file("sagemaker-sample-files", key, f"abalone.{part}")
    uri = session.upload_data(f"abalone.{part}", key_prefix=f"script/{part}")
    inputs[part] = TrainingInput(uri, content_type="text/libsvm")
estimator = XGBoost(
    entry_point="abalone.py",
    hyperparameters={"num_round": "10", "objective": "reg:squarederror"},
    role=role,
    instance_count=2,
    instance_type="ml.m5.2xlarge",
    framework_version="1.7-1",
    output_path=f"s3://{bucket}/script/output",
)

# %%
tuner = HyperparameterTuner(
    estimator,
    "validation:rmse",
    {"eta": ContinuousParameter(0.1, 0.5), "max_depth": IntegerParameter(1, 6)},
    objective_type="Minimize",
    max_jobs=2,
    max_parallel_jobs=1,
    base_tuning_job_name="sdk2-xgboost-script",
)
tuner.fit(inputs)
told = tuner.describe()
print(
    json.dumps(
        {"status": told["HyperParameterTuningJobStatus"], "jobs": told["TrainingJobStatusCounters"]["Completed"]}
    )
)

"""Linear learner on MNIST: is it a zero? RecordIO by record_set, tuning of the learning rate."""

# %%
import gzip
import json
import pickle

import boto3
import numpy as np
import sagemaker
from sagemaker.tuner import ContinuousParameter, HyperparameterTuner, IntegerParameter

role = sagemaker.get_execution_role()
session = sagemaker.Session()
region = boto3.Session().region_name

# %%
key = "datasets/image/MNIST/mnist.pkl.gz"
boto3.client("s3").download_file(f"sagemaker-example-files-prod-{region}", key, "mnist.pkl.gz")
with gzip.open("mnist.pkl.gz", "rb") as file:
    train_set, valid_set, test_set = pickle.load(file, encoding="latin1")

# %%
linear = sagemaker.LinearLearner(
    role, instance_count=1, instance_type="ml.c4.xlarge", predictor_type="binary_classifier", sagemaker_session=session
)
linear.epochs = 5


def records(part, channel):
    vectors = np.array([image.tolist() for image in part[0]]).astype("float32")
    labels = np.where(np.array([label.tolist() for label in part[1]]) == 0, 1, 0).astype("float32")
    return linear.record_set(vectors, labels, channel=channel)


train, validation = records(train_set, "train"), records(valid_set, "validation")

# %%
tuner = HyperparameterTuner(
    linear,
    "validation:objective_loss",
    {"learning_rate": ContinuousParameter(0.001, 0.05), "mini_batch_size": IntegerParameter(50, 200)},
    objective_type="Minimize",
    max_jobs=2,
    max_parallel_jobs=2,
    base_tuning_job_name="sdk2-linear-learner-mnis",
)
tuner.fit([train, validation])
frame = tuner.analytics().dataframe()
assert frame["FinalObjectiveValue"].min() < 2.3  # ln 10: the loss of who guesses
print(json.dumps({"status": tuner.describe()["HyperParameterTuningJobStatus"], "jobs": len(frame)}))

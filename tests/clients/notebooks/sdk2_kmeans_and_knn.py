"""Clusters of MNIST's digits by KMeans, then their classes by KNN: both tuned, from NumPy arrays."""

# %%
import gzip
import json
import pickle

import sagemaker
from sagemaker import KMeans, KNN, get_execution_role
from sagemaker.tuner import CategoricalParameter, HyperparameterTuner, IntegerParameter

role = get_execution_role()
session = sagemaker.Session()
bucket = session.default_bucket()

# %%
from sagemaker.s3 import S3Downloader

S3Downloader.download(
    f"s3://sagemaker-sample-data-{session.boto_region_name}/algorithms/kmeans/mnist/mnist.pkl.gz", "."
)
with gzip.open("mnist.pkl.gz", "rb") as file:
    (images, labels), (held_out, held_out_labels), _ = pickle.load(file, encoding="latin1")

# %%
kmeans = KMeans(
    role=role,
    instance_count=2,
    instance_type="ml.c4.xlarge",
    output_path=f"s3://{bucket}/kmeans/output",
    k=10,
    data_location=f"s3://{bucket}/kmeans/data",
    sagemaker_session=session,
)
clusters = HyperparameterTuner(
    kmeans,
    "test:msd",
    {"epochs": IntegerParameter(1, 10), "init_method": CategoricalParameter(["kmeans++", "random"])},
    objective_type="Minimize",
    max_jobs=2,
    max_parallel_jobs=2,
)
clusters.fit([kmeans.record_set(images), kmeans.record_set(held_out, channel="test")])

# %%
knn = KNN(
    role=role,
    instance_count=1,
    instance_type="ml.m5.2xlarge",
    k=5,
    sample_size=300,
    predictor_type="classifier",
    output_path=f"s3://{bucket}/knn/output",
    sagemaker_session=session,
)
classes = HyperparameterTuner(
    knn,
    "test:accuracy",
    {"k": IntegerParameter(1, 20), "sample_size": IntegerParameter(256, 400)},
    max_jobs=2,
    max_parallel_jobs=2,
)
classes.fit(
    [
        knn.record_set(images, labels.astype("float32")),
        knn.record_set(held_out, held_out_labels.astype("float32"), channel="test"),
    ]
)
told, frame = classes.describe(), classes.analytics().dataframe()
assert frame["FinalObjectiveValue"].max() > 0.6
assert clusters.describe()["HyperParameterTuningJobStatus"] == "Completed"
print(json.dumps({"status": told["HyperParameterTuningJobStatus"], "jobs": len(frame)}))

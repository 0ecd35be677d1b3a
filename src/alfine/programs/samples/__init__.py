"""Stand-ins for the data sets that AWS's notebooks read from buckets of AWS: small, made here, the same each time.

They have the names, columns and formats of the real ones, and labels that depend on the features, so that tuning has something to find.
They are not the real data: each object says so in its metadata, and each bucket in a file of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from alfine.programs.data.buckets.bucket_store import BucketStore
from alfine.programs.data.buckets.errors import S3Error
from alfine.programs.data.buckets.objects import Metadata
from alfine.programs.samples import digits, tables

Make = Callable[[], bytes]

LABEL = {"alfine": "stand-in: made by `alfine samples`, not the real data"}
"""The metadata of each object that is made here."""

NOTE_KEY = "STAND-INS-MADE-BY-ALFINE.txt"
NOTE = (
    "The objects of this bucket that have the metadata «alfine: stand-in» were made by `alfine samples`.\n"
    "They stand in for data sets of AWS's public buckets, and are not the real data. `alfine samples --remove` removes them.\n"
).encode()

DATA_SETS: Mapping[str, Make] = {
    "datasets/tabular/uci_abalone/abalone.libsvm": partial(tables.abalone_libsvm, "all"),
    "datasets/tabular/uci_abalone/train/abalone.train": partial(tables.abalone_libsvm, "train"),
    "datasets/tabular/uci_abalone/validation/abalone.validation": partial(tables.abalone_libsvm, "validation"),
    "datasets/tabular/uci_abalone/test/abalone.test": partial(tables.abalone_libsvm, "test"),
    "datasets/tabular/uci_abalone/train_csv/abalone_dataset1_train.csv": partial(tables.abalone_csv, "train"),
    "datasets/tabular/uci_abalone/test_csv/abalone_dataset1_test.csv": partial(tables.abalone_csv, "test"),
    "datasets/tabular/uci_bank_marketing/bank-additional-full.csv": tables.bank_csv,
    "datasets/tabular/uci_bank_marketing/bank-additional.zip": tables.bank_zip,
    "datasets/tabular/synthetic/churn.txt": tables.churn_csv,
    "datasets/tabular/synthetic/churn.csv": tables.churn_csv,
    "datasets/tabular/iris/iris.data": tables.iris_csv,
    "datasets/image/MNIST/mnist.pkl.gz": digits.pickled,
    **{f"datasets/image/MNIST/{name}": make for name, make in digits.IDX.items()},
    **{f"datasets/image/MNIST/numpy/{name}": make for name, make in digits.NUMPY.items()},
}
"""Objects of the buckets sagemaker-example-files-prod-REGION and sagemaker-sample-files."""

SAMPLE_DATA: Mapping[str, Make] = {
    "autopilot/direct_marketing/bank-additional.zip": tables.bank_zip,
    "processing/census/census-income.csv": tables.census_csv,
    "algorithms/kmeans/mnist/mnist.pkl.gz": digits.pickled,
    "spark/mnist/train/mnist_train.libsvm": partial(digits.libsvm, "train"),
    "spark/mnist/test/mnist_test.libsvm": partial(digits.libsvm, "t10k"),
    **{f"tensorflow/mnist/{name}": make for name, make in digits.TENSORFLOW.items()},
    **{
        f"mxnet/mnist/{'train' if name.startswith('train') else 'test'}/{name}": make
        for name, make in digits.IDX.items()
    },
}
"""Objects of the buckets sagemaker-sample-data-REGION."""

JUMPSTART: Mapping[str, Make] = {
    f"training-datasets/tabular_{kind}/{part}/data.csv": partial(tables.tabular_csv, kind, part)
    for kind in ("binary", "multiclass", "regressonehot")
    for part in ("train", "validation", "test")
}
"""Objects of the buckets jumpstart-cache-prod-REGION."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A data set in a bucket.

    Attributes:
        bucket: The bucket.
        key: The key.
        size: Bytes.
        outcome: What was done: «made», «removed», or «kept», for an object that isn't a stand-in.
    """

    bucket: str
    key: str
    size: int
    outcome: str

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


def buckets(region: str) -> dict[str, Mapping[str, Make]]:
    """Return the buckets that AWS's notebooks read in a region, each with its objects by their keys."""
    return {
        f"sagemaker-example-files-prod-{region}": DATA_SETS,
        "sagemaker-sample-files": DATA_SETS,
        f"sagemaker-sample-data-{region}": SAMPLE_DATA,
        "sagemaker-sample-data-us-west-2": SAMPLE_DATA,  # some notebooks name it in every region
        f"jumpstart-cache-prod-{region}": JUMPSTART,
    }


def fill(store: BucketStore, region: str) -> Iterator[Sample]:
    """Make the data sets of a region, and yield each. An object that is there already and isn't a stand-in is kept.

    Raises:
        S3Error: They can't be stored.
    """
    made: dict[Make, bytes] = {}
    for bucket, objects in buckets(region).items():
        try:
            store.create_bucket(bucket)
        except S3Error as error:
            if error.code != "BucketAlreadyOwnedByYou":
                raise
        for key, make in {**objects, NOTE_KEY: _note}.items():
            if make not in made:
                made[make] = make()
            yield _put(store, bucket, key, made[make])


def _note() -> bytes:
    return NOTE


def _put(store: BucketStore, bucket: str, key: str, content: bytes) -> Sample:
    if store.exists(bucket, key) and not _is_stand_in(store, bucket, key):
        return Sample(bucket=bucket, key=key, size=store.find(bucket, key).size, outcome="kept")
    with store.writer(bucket) as writer:
        writer.write(content)
        writer.commit(key, Metadata(etag=writer.md5, user=LABEL))
    return Sample(bucket=bucket, key=key, size=len(content), outcome="made")


def remove(store: BucketStore, region: str) -> Iterator[Sample]:
    """Remove the stand-ins of a region, and the buckets that are empty then; yield each object.

    Raises:
        S3Error: They can't be removed.
    """
    there = {bucket.name for bucket in store.buckets()}
    for bucket, objects in buckets(region).items():
        for key in (*objects, NOTE_KEY) if bucket in there else ():
            if store.exists(bucket, key) and _is_stand_in(store, bucket, key):
                size = store.find(bucket, key).size
                store.delete(bucket, key)
                yield Sample(bucket=bucket, key=key, size=size, outcome="removed")
        if bucket in there and next(iter(store.list(bucket)), None) is None:
            store.delete_bucket(bucket)


def _is_stand_in(store: BucketStore, bucket: str, key: str) -> bool:
    return store.find(bucket, key).metadata.user.items() >= LABEL.items()

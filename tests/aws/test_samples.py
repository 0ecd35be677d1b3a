"""Stand-ins for the data sets of AWS's public buckets: `alfine samples`, read by boto3 from a live server."""

from __future__ import annotations

import csv
import gzip
import io
import json
import pickle
import zipfile

import numpy as np
import pytest
from sklearn.datasets import load_svmlight_file

from alfine.programs.samples import DATA_SETS, LABEL, SAMPLE_DATA, buckets
from alfine.store.config import FILE

FILES = "sagemaker-example-files-prod-us-east-1"


@pytest.fixture(scope="module")
def served(shared_server):
    return shared_server


@pytest.fixture(scope="module")
def s3(served):
    s3 = served.client("s3")
    s3.create_bucket(Bucket=FILES)
    s3.put_object(Bucket=FILES, Key="datasets/tabular/iris/iris.data", Body=b"the real one")
    s3.outcomes = {each["Uri"]: each["Outcome"] for each in json.loads(served.cli("samples", "--json"))}
    yield s3
    s3.close()


def read(s3, bucket, key):
    return s3.get_object(Bucket=bucket, Key=key)["Body"].read()


def test_each_object_says_that_it_is_a_stand_in_and_what_was_there_is_kept(served, s3):
    objects = [each["Key"] for each in s3.list_objects_v2(Bucket=FILES)["Contents"]]
    assert {*objects} == {*DATA_SETS, "STAND-INS-MADE-BY-ALFINE.txt"}
    for key in objects:
        told = s3.head_object(Bucket=FILES, Key=key)["Metadata"]
        assert (told == LABEL) is (key != "datasets/tabular/iris/iris.data"), key
    outcomes = s3.outcomes
    assert [uri for uri, outcome in outcomes.items() if outcome == "kept"] == [
        f"s3://{FILES}/datasets/tabular/iris/iris.data"
    ]


def test_they_have_the_forms_that_notebooks_read(s3):
    features, rings = load_svmlight_file(io.BytesIO(read(s3, FILES, "datasets/tabular/uci_abalone/abalone.libsvm")))
    assert features.shape[1] == 8
    assert {*rings} <= {*range(1, 30)}
    churn = [*csv.DictReader(io.StringIO(read(s3, FILES, "datasets/tabular/synthetic/churn.txt").decode()))]
    assert {row["Churn?"] for row in churn} == {"True.", "False."}
    archive = zipfile.ZipFile(
        io.BytesIO(read(s3, "sagemaker-sample-data-us-west-2", "autopilot/direct_marketing/bank-additional.zip"))
    )
    bank = [*csv.DictReader(io.StringIO(archive.read("bank-additional/bank-additional-full.csv").decode()))]
    assert {row["y"] for row in bank} == {"yes", "no"}
    assert 0.05 < np.mean([row["y"] == "yes" for row in bank]) < 0.5
    pickled = gzip.decompress(read(s3, FILES, "datasets/image/MNIST/mnist.pkl.gz"))
    (images, labels), _, _ = pickle.loads(pickled, encoding="latin1")
    assert images.shape == (400, 784)
    assert {*labels} == {*range(10)}
    idx = gzip.decompress(read(s3, FILES, "datasets/image/MNIST/train-images-idx3-ubyte.gz"))
    assert np.frombuffer(idx[:16], ">u4").tolist() == [0x803, 500, 28, 28]


def test_they_are_the_same_each_time():
    for objects in (DATA_SETS, SAMPLE_DATA):
        for key in [key for key in objects if "zip" in key or "churn" in key or "t10k" in key]:
            assert objects[key]() == objects[key](), key


def test_they_are_removed_again(served, s3):
    served.cli("samples", "--remove")
    there = {each["Name"] for each in s3.list_buckets()["Buckets"]}
    assert there & {*buckets("us-east-1")} == {FILES}
    assert read(s3, FILES, "datasets/tabular/iris/iris.data") == b"the real one"


def test_with_a_real_s3_nothing_is_made(tmp_path, capfd):
    from alfine.cli import main

    (tmp_path / FILE).write_text('[s3]\nendpoint = "http://127.0.0.1:1"\n')
    with pytest.raises(SystemExit) as left:
        main(["samples", "--home", str(tmp_path)])
    assert left.value.code == 2
    assert "s3:// leads to http://127.0.0.1:1" in capfd.readouterr().err

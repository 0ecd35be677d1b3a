"""What a definition means for the nodes of a Ray cluster: their CPUs and GPUs, and code and data that they fetch themselves."""

import hashlib
import io
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from alfine import Continuous, InvalidSpec
from alfine.api.job_words import job_request
from alfine.core.read_spec import read_spec
from alfine.core.training_job import TrainingJob
from alfine.programs.data.buckets.bucket_store import BucketStore
from alfine.programs.data.buckets.local_buckets import LocalBuckets
from alfine.programs.machine import Machine
from alfine.programs.program import program_for
from alfine.runners.launch import InputChannel, Source
from alfine.runners.node_cache import CacheLimits
from alfine.store.config import Running
from alfine.store.ray_settings import Ray

TYPE = "ml.g5.12xlarge"
ADDRESS = "127.0.0.1:9"
"""Nothing listens there."""

SHARED = Ray(address=ADDRESS, instances={TYPE: {"cpus": 6, "gpus": 4}})
APART = Ray(address=ADDRESS, instances=SHARED.instances, folder="/mnt/alfine", shared_home=False)


def asked(**words):
    request = job_request(
        name="on-ray", space={"x": Continuous(0.0, 1.0)}, metric="loss", regex="loss=(.*)", command=["train"], **words
    )
    definition = request["TrainingJobDefinition"]
    definition["ResourceConfig"] = {"InstanceType": TYPE, "InstanceCount": 1, "VolumeSizeInGB": 1}
    return request


def machine(ray: Ray, **words) -> Machine:
    return Machine(running=Running(runner="ray", gpus=()), ray=ray, **words)


@pytest.mark.parametrize(("gpus", "given"), [(None, 0.0), (8, 8.0), (0.5, 0.5)])
def test_the_gpus_and_cpus_of_the_cluster_count_and_not_those_of_this_machine(tmp_path, gpus, given):
    program = program_for(read_spec(asked(gpus=gpus)), tmp_path, machine=machine(SHARED))
    assert (program.gpus, program.threads) == (given, 6)


@pytest.fixture
def buckets(tmp_path):
    found, code = LocalBuckets(BucketStore(tmp_path / "buckets")), io.BytesIO()
    with tarfile.open(fileobj=code, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("train.py"))
    for uri, content in {"s3://data/code.tar.gz": code.getvalue(), "s3://data/train/a.csv": b"1"}.items():
        found.put(uri, io.BytesIO(content))
    return found


def of_objects(code="s3://data/code.tar.gz", data="s3://data/train/", output="s3://data/models"):
    request = asked()
    definition = request["TrainingJobDefinition"]
    definition["StaticHyperParameters"] = {"sagemaker_program": "train.py", "sagemaker_submit_directory": code}
    source = {"S3Uri": data, "S3DataType": "S3Prefix"}
    definition["InputDataConfig"] = [{"ChannelName": "train", "DataSource": {"S3DataSource": source}}]
    definition["OutputDataConfig"] = {"S3OutputPath": output}
    return read_spec(request)


def test_nodes_that_do_not_share_the_home_are_told_where_code_and_data_are(tmp_path, buckets):
    place = machine(APART, buckets=buckets, s3_endpoint="http://minio:9000")
    job = TrainingJob(number=1, name="on-ray-1", hyperparameters={"x": 0.5}, created_at=datetime.now(UTC))
    program = program_for(of_objects(), tmp_path, machine=place)
    launch = program.launch(job)
    sha256 = hashlib.sha256(buckets.file(buckets.find("s3://data/code.tar.gz")[0]).read_bytes()).hexdigest()
    assert (launch.source, launch.script) == (Source(uri="s3://data/code.tar.gz", sha256=sha256), "train.py")
    assert launch.channels == (InputChannel(name="train", uri="s3://data/train/"),)
    assert "file://" not in repr(launch)
    assert launch.log_uri == "s3://data/models/on-ray-1/log.txt"
    assert program.launch(job, attempt=2).log_uri == "s3://data/models/on-ray-1/attempts/2/log.txt"
    assert program_for(read_spec(asked()), tmp_path, machine=machine(SHARED)).launch(job).log_uri == ""


def test_what_such_nodes_cannot_see_is_refused_with_what_is_needed(tmp_path, buckets):
    (tmp_path / "train.py").touch()
    spec = of_objects(code=str(tmp_path), data=str(tmp_path), output=(tmp_path / "out").as_uri())
    with pytest.raises(InvalidSpec) as refused:
        program_for(spec, tmp_path, machine=machine(APART, buckets=buckets), fetch=False)
    unseen = "is on this machine, and the nodes don't see it ([ray] shared_home = false)"
    faults = {fault.path.removeprefix("TrainingJobDefinition."): fault.message for fault in refused.value.faults}
    assert "Set it to the URL of an S3 service that alfine and every node reach" in faults.pop("[s3] endpoint")
    assert "Connection refused" in faults.pop("[ray] address")
    assert sorted(faults) == [
        "InputDataConfig (train)",
        "OutputDataConfig.S3OutputPath",
        "StaticHyperParameters.sagemaker_submit_directory",
    ]
    assert all(unseen in message for message in faults.values())
    with pytest.raises(InvalidSpec, match="each node needs a folder of its own"):
        Ray(address=ADDRESS, shared_home=False)


def test_the_limits_of_what_nodes_keep_are_checked_and_only_for_what_is_on_their_own_disks():
    assert (APART.cluster(Path()).limits, SHARED.cluster(Path()).limits) == (
        CacheLimits(most_bytes=100 * 10**9, most_seconds=30 * 86400.0),
        CacheLimits(),
    )
    without = {f"{what}_{limit}": "" for what in ("cache", "ended") for limit in ("size", "age")}
    limitless = Ray(folder="/jobs", shared_home=False, **without).cluster(Path())
    assert (limitless.limits, limitless.ended_limits) == (CacheLimits(), CacheLimits())
    in_the_home = (Ray(), Ray(folder="/home/tuning-jobs"))
    assert [ray.cluster(Path("/home")).ended_limits for ray in in_the_home] == [CacheLimits()] * 2
    assert Ray(folder="/jobs").cluster(Path("/home")).ended_limits == APART.cluster(Path()).limits
    for words, message in (
        ({"cache_size": "much"}, "is no size"),
        ({"cache_age": "30"}, "is no"),
        ({"ended_size": "much"}, "is no size"),
    ):
        with pytest.raises(InvalidSpec, match=rf"\[ray\] {next(iter(words))}: .*{message}"):
            Ray(**words)

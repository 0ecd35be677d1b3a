"""A real S3 behind s3://: another alfine's buckets, in a process of its own, that verifies every signature."""

import io
import json
import os
import subprocess
import sys
import tarfile
from functools import partial

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from click.testing import CliRunner

from alfine.cli import main
from alfine.core.errors import InvalidSpec
from alfine.jobs.home import Home
from alfine.programs import host_program
from alfine.programs.data.buckets.home_buckets import node_buckets
from alfine.programs.data.node_inputs import fetch_inputs
from alfine.runners.launch import InputChannel, Launch, Source
from alfine.runners.node import Node
from alfine.runners.node_cache import CacheLimits
from alfine.runners.storage import remote_buckets
from alfine.runners.storage.locations import BucketsUnreachable
from alfine.runners.storage.remote_buckets import RemoteBuckets
from alfine.store.config import S3
from tests.aws.conftest import SCRIPT, Served, until
from tests.cli.conftest import until as wait_until

TRAIN = f"{SCRIPT}\nimport os, pathlib\nprint('saw', sorted(os.listdir(os.environ['SM_CHANNEL_TRAIN'])))\npathlib.Path(os.environ['SM_MODEL_DIR'], 'w').write_text('w')\n"


class Remote:
    """The real S3, its keys in the environment as everybody has them."""

    def __init__(self, home):
        home.mkdir()
        self.home = home
        command = [sys.executable, "-m", "alfine", "keys", "create", "--json", "--home", str(home)]
        made = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)["AccessKey"]
        self.keys = {"AWS_ACCESS_KEY_ID": made["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": made["SecretAccessKey"]}
        self.server = Served(home, signed=True)
        self.url = self.server.url

    def client(self):
        config = Config(retries={"total_max_attempts": 1})
        keys = {name.lower(): value for name, value in self.keys.items()}
        return boto3.client("s3", endpoint_url=self.url, region_name="us-east-1", config=config, **keys)

    def away(self):
        self.server.end()

    def back(self):
        self.server = Served(self.home, "--port", self.url.rpartition(":")[2], signed=True)


@pytest.fixture(scope="module")
def environment():
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def remote(tmp_path_factory, environment):
    found = Remote(tmp_path_factory.mktemp("remote") / "home")
    for name, value in found.keys.items():
        environment.setenv(name, value)
    s3 = found.client()
    s3.create_bucket(Bucket="real")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        member = tarfile.TarInfo("train.py")
        member.size = len(TRAIN)
        archive.addfile(member, io.BytesIO(TRAIN.encode()))
    s3.put_object(Bucket="real", Key="code/sourcedir.tar.gz", Body=packed.getvalue())
    for name in ("a.csv", "b.csv"):
        s3.put_object(Bucket="real", Key=f"data/{name}", Body=name.encode())
    s3.close()
    yield found
    found.server.end()


@pytest.fixture(scope="module")
def local(remote, tmp_path_factory):
    """The alfine that tunes, with its objects at the real S3."""
    home = tmp_path_factory.mktemp("local")
    (home / "alfine.toml").write_text(f'[s3]\nendpoint = "{remote.url}"\n')
    server = Served(home)
    yield server
    server.end()


@pytest.fixture
def asked(make):
    def request(name, data="s3://real/data/", output="s3://real/models", **words):
        made = make(name, max_training_jobs=2, channels={"train": "/tmp"}, **words)
        definition = made["TrainingJobDefinition"]
        definition["StaticHyperParameters"] |= {
            "sagemaker_program": "train.py",
            "sagemaker_submit_directory": "s3://real/code/sourcedir.tar.gz",
        }
        definition["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"] = data
        definition["OutputDataConfig"]["S3OutputPath"] = output
        return made

    return request


def test_code_data_and_models_are_where_s3_is_and_no_key_is_told(local, remote, asked):
    sagemaker = local.client()
    sagemaker.create_hyper_parameter_tuning_job(**asked("real"))
    told = until(sagemaker, "real")
    assert told["TrainingJobStatusCounters"]["Completed"] == 2, told
    best = told["BestTrainingJob"]["TrainingJobName"]
    job = sagemaker.describe_training_job(TrainingJobName=best)
    key = job["ModelArtifacts"]["S3ModelArtifacts"].removeprefix("s3://real/")
    s3 = remote.client()
    with tarfile.open(fileobj=io.BytesIO(s3.get_object(Bucket="real", Key=key)["Body"].read())) as archive:
        assert archive.getnames() == ["w"]
    log = local.home / "tuning-jobs" / "real" / best / ".alfine" / "log"
    assert "saw ['a.csv', 'b.csv']" in log.read_text()
    assert not any((local.home / "buckets").iterdir())
    secret = remote.keys["AWS_SECRET_ACCESS_KEY"]
    assert secret not in repr([told, job])
    files = [path for path in local.home.rglob("*") if path.is_file()]
    assert not [path for path in files if secret.encode() in path.read_bytes()]


def test_tuning_jobs_share_one_copy_for_each_version_of_an_object(local, remote, asked):
    sagemaker, s3 = local.client(), remote.client()
    s3.put_object(Bucket="real", Key="shared/a.csv", Body=b"one")
    before = copies(local)
    for name in ("share-1", "share-2"):
        sagemaker.create_hyper_parameter_tuning_job(**asked(name, "s3://real/shared/"))
        until(sagemaker, name)
    assert len(copies(local) - before) <= 2  # the data, and the code if this is the first to use it
    s3.put_object(Bucket="real", Key="shared/a.csv", Body=b"two")
    sagemaker.create_hyper_parameter_tuning_job(**asked("share-3", "s3://real/shared/"))
    until(sagemaker, "share-3")
    (found,) = (local.home / "tuning-jobs" / "share-3" / ".inputs").glob("channel-train-*/a.csv")
    assert found.read_text() == "two"


@pytest.fixture
def create(local, tmp_path, monkeypatch):
    """`alfine create` of a job with code and data on this machine, at the server that tunes."""
    (tmp_path / "train.py").write_text(TRAIN)
    (tmp_path / "data" / "deep").mkdir(parents=True)
    (tmp_path / "data" / "deep" / "c.csv").write_text("c")
    for name in ("ALFINE_ACCESS_KEY_ID", "ALFINE_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)

    def run(name, *words):
        lines = [
            "script: train.py",
            "metric: loss",
            "strategy: Random",
            "max_training_jobs: 1",
            "channels: {train: data}",
        ]
        space = "space: {x: {min: 0.0, max: 1.0}, n: {min: 1, max: 9}}"
        (tmp_path / "job.yaml").write_text("\n".join([*lines, space, f"name: {name}"]))
        words = ["create", str(tmp_path / "job.yaml"), "--endpoint", local.url, *words]
        return CliRunner().invoke(main, words, catch_exceptions=False)

    return run


def test_create_uploads_code_and_data_to_where_the_servers_s3_is(local, remote, create):
    done = create("sent", "--bucket", "real")
    assert done.exit_code == 0, done.output
    assert until(local.client(), "sent")["TrainingJobStatusCounters"]["Completed"] == 1
    listed = remote.client().list_objects_v2(Bucket="real", Prefix="sent/")["Contents"]
    assert [each["Key"] for each in listed] == ["sent/input/train/deep/c.csv", "sent/source/sourcedir.tar.gz"]
    (log,) = (local.home / "tuning-jobs" / "sent").glob("sent-*/.alfine/log")
    assert "saw ['deep']" in log.read_text()


def test_create_needs_to_know_a_bucket_of_a_real_s3(local, remote, create):
    unnamed = create("unnamed", "--upload")
    assert unnamed.exit_code == 2
    assert f"keeps code and data at {remote.url}. Name a bucket there" in unnamed.output
    gone = create("gone", "--bucket", "no-bucket")
    assert gone.exit_code == 1
    assert "NoSuchBucket" in gone.output


def copies(local):
    return {path for path in (local.home / "cache").rglob("*") if path.is_file() and path.name != ".lock"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"data": "s3://real/nothing/"}, 'No S3 objects found under S3 URL "s3://real/nothing/"'),
        ({"data": "s3://no-bucket/x"}, "No S3 objects found under S3 URL"),
        ({"output": "s3://no-bucket/x"}, "there is no bucket 'no-bucket' in the buckets at http://127.0.0.1"),
    ],
)
def test_what_is_not_there_is_refused_at_create(local, asked, words, message):
    with pytest.raises(ClientError, match="ValidationException") as caught:
        local.client().create_hyper_parameter_tuning_job(**asked("refused", **words))
    assert message in str(caught.value)


def test_an_s3_request_to_the_tuning_alfine_is_told_where_the_objects_are(local, remote):
    with pytest.raises(ClientError) as caught:
        local.client("s3").list_objects_v2(Bucket="real")
    assert caught.value.response["Error"]["Code"] == "NotImplemented"
    assert f"AWS_ENDPOINT_URL_S3={remote.url}" in str(caught.value)


def test_a_model_waits_for_an_s3_that_is_away(local, remote, asked):
    sagemaker = local.client()
    sagemaker.create_hyper_parameter_tuning_job(**asked("patient", static={"wait": 1.5}, max_parallel=1))
    while not sagemaker.list_training_jobs(NameContains="patient", StatusEquals="InProgress")["TrainingJobSummaries"]:
        pass
    remote.away()
    (folder,) = (each for each in (local.home / "tuning-jobs" / "patient").iterdir() if each.name != ".inputs")
    while not (folder / ".alfine" / "exit.json").exists():
        pass
    with pytest.raises(ClientError, match="can't be asked"):
        sagemaker.create_hyper_parameter_tuning_job(**asked("meanwhile"))
    assert sagemaker.describe_training_job(TrainingJobName=folder.name)["TrainingJobStatus"] == "InProgress"
    remote.back()
    told = until(sagemaker, "patient")
    assert told["TrainingJobStatusCounters"]["Completed"] == 2, told


def test_a_model_that_is_not_taken_fails_its_training_job_with_the_reason(local, remote, asked):
    sagemaker, s3 = local.client(), remote.client()
    s3.create_bucket(Bucket="gone")
    request = asked("untaken", output="s3://gone/x", static={"wait": 1.0}, max_parallel=2)
    sagemaker.create_hyper_parameter_tuning_job(**request)
    s3.delete_bucket(Bucket="gone")
    until(sagemaker, "untaken")
    listed = sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(HyperParameterTuningJobName="untaken")
    reasons = [each.get("FailureReason", "") for each in listed["TrainingJobSummaries"]]
    assert len(reasons) == 2
    assert all(each.startswith("ClientError: Artifact upload failed: s3://gone/x/") for each in reasons)


# ---- the store by itself -----------------------------------------------------------------------------------------------


@pytest.fixture
def store(remote, tmp_path):
    return RemoteBuckets(S3(endpoint=remote.url), tmp_path / "cache")


def test_large_files_are_sent_in_parts(store, remote, tmp_path, monkeypatch):
    monkeypatch.setattr(remote_buckets, "PART_BYTES", 5 << 20)
    big = tmp_path / "big"
    big.write_bytes(bytes(range(256)) * (44 << 10))  # 11 MiB
    with big.open("rb") as file:
        store.put("s3://real/big/file", file)
    (found,) = store.find("s3://real/big/")
    assert found.version.endswith('-3"')
    assert store.file(found).read_bytes() == big.read_bytes()
    store.remove("s3://real/big/file")
    assert store.find("s3://real/big/") == []
    store.remove("s3://real/big/file")


def test_an_object_that_changed_meanwhile_is_read_as_it_is_now(store, remote):
    s3 = remote.client()
    s3.put_object(Bucket="real", Key="new/x", Body=b"old")
    (found,) = store.find("s3://real/new/x")
    s3.put_object(Bucket="real", Key="new/x", Body=b"new")
    assert store.file(found).read_bytes() == b"new"
    s3.delete_object(Bucket="real", Key="new/x")
    with pytest.raises(FileNotFoundError):
        store.file(found)


def test_downloaded_objects_that_no_tuning_job_uses_are_kept_within_limits(remote, tmp_path):
    remote.client().put_object(Bucket="real", Key="new/y", Body=b"y")

    def downloaded(key, limits):
        store = RemoteBuckets(S3(endpoint=remote.url), tmp_path / "cache", limits=limits)
        return [store.file(found) for found in store.find(f"s3://real/{key}")]

    linked, unused = downloaded("data/", CacheLimits())
    (tmp_path / "link").hardlink_to(linked)
    [fresh] = downloaded("code/", CacheLimits(most_bytes=0))
    assert unused.exists(), "it was used a short time ago"
    for path in (linked, unused):
        os.utime(path, (0, 0))
    [other] = downloaded("new/y", CacheLimits(most_seconds=86400.0))
    assert [path.exists() for path in (linked, unused, fresh, other)] == [True, False, True, True]
    with pytest.raises(InvalidSpec, match=r"\[s3\] cache_size: 'much' is no size"):
        S3(cache_size="much")


def test_a_wrong_key_is_an_error_with_what_was_answered(remote, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    other = RemoteBuckets(S3(endpoint=remote.url), tmp_path)
    with pytest.raises(OSError, match="answered SignatureDoesNotMatch") as caught:
        other.find("s3://real/data/")
    assert not isinstance(caught.value, BucketsUnreachable)


def test_an_endpoint_that_is_no_url_is_refused_when_the_home_opens(tmp_path):
    (tmp_path / "alfine.toml").write_text('[s3]\nendpoint = "minio:9000"\n')
    with pytest.raises(InvalidSpec, match=r"\[s3\] endpoint: 'minio:9000' isn't an URL"):
        Home(tmp_path)


HOSTED = """
import os, pathlib, time
print("loss=0.5", sorted(os.listdir(os.environ["SM_CHANNEL_TRAIN"])), flush=True)
pathlib.Path(os.environ["SM_MODEL_DIR"], "w").write_text("w")
checkpoints = pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"], "checkpoints")
(checkpoints / "runs").write_text(str(len(list(checkpoints.iterdir()))))
"""


def test_the_host_as_a_program_fetches_from_s3_and_stores_there(remote, tmp_path, capsys, monkeypatch):
    """As a batch system starts it: it has neither a home nor Ray."""
    s3 = remote.client()
    s3.put_object(Bucket="real", Key="hosted/code/train.py", Body=HOSTED.encode())
    s3.put_object(Bucket="real", Key="hosted/checkpoints/before", Body=b"")
    launch = Launch(
        tuning_job="tuning",
        name="hosted",
        source=Source(uri="s3://real/hosted/code/"),
        script="train.py",
        channels=(InputChannel(name="train", uri="s3://real/data/"),),
        metrics=(("loss", "loss=([0-9.]+)"),),
        output_uri="s3://real/hosted/output",
        log_uri="s3://real/hosted/log.txt",
        checkpoint_uri="s3://real/hosted/checkpoints",
    )
    file = tmp_path / "launch.json"
    file.write_text(json.dumps(launch.to_json()))
    words = [str(tmp_path / "node"), str(file)]
    assert host_program.main(words) == 2
    assert "names s3:// URIs. Say where they lead: [s3] endpoint" in capsys.readouterr().err
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", remote.url)
    done = subprocess.run([sys.executable, "-m", host_program.__name__, *words], capture_output=True, check=False)
    assert done.returncode == 0, done
    news = [json.loads(line) for line in done.stdout.splitlines()]
    assert news[-1]["stored"]
    assert [point["value"] for each in news for point in each["points"]] == [0.5]
    stored = {found["Key"]: found["Size"] for found in s3.list_objects_v2(Bucket="real", Prefix="hosted/")["Contents"]}
    assert stored.keys() > {"hosted/output/model.tar.gz", "hosted/checkpoints/before"}
    body = {
        key: s3.get_object(Bucket="real", Key=f"hosted/{key}")["Body"].read() for key in ("log.txt", "checkpoints/runs")
    }
    assert body == {"log.txt": b"loss=0.5 ['a.csv', 'b.csv']\n", "checkpoints/runs": b"1"}
    s3.close()


def test_a_node_removes_what_it_has_fetched_and_no_training_job_uses(remote, tmp_path):
    """The oldest first, beyond the size or the age that is allowed; here nothing is."""
    root = tmp_path / "node"
    buckets = node_buckets(str(root), S3(endpoint=remote.url))
    inputs = partial(fetch_inputs, max_decompressed_bytes=1 << 20)
    script = 'cat "$SM_CHANNEL_TRAIN"/*; while [ ! -e "$GO" ]; do sleep 0.01; done; cat "$SM_CHANNEL_TRAIN"/*'

    def started(tuning_job, limits, data):
        node = Node(root, buckets, inputs=inputs, limits=limits)  # a slot of its own, which looks at once
        launch = Launch(
            tuning_job=tuning_job,
            name=f"{tuning_job}-1",
            command=("/bin/sh", "-c", script, "job"),
            channels=(InputChannel(name="train", uri=data),),
            environment={"GO": str(tmp_path / tuning_job)},
        )
        node.start(launch)
        wait_until(lambda: node.log(launch, 0, 100).data, "it has begun")
        return node, launch

    def ended(node, launch):
        (tmp_path / launch.tuning_job).touch()
        wait_until(lambda: (seen := node.poll(launch, 0)) is not None and seen.exit is not None, "it has ended")
        node.close()
        return node.log(launch, 0, 100).data.decode()

    def kept():
        objects = [path for path in (root / ".buckets").rglob("*") if path.is_file() and path.name != ".lock"]
        return sorted(folder.parent.name for folder in root.glob("*/.inputs")), len(objects)

    nothing = CacheLimits(most_bytes=0)
    first = started("first", nothing, "s3://real/data/")
    assert kept() == (["first"], 2), "a running training job uses them"
    second = started("second", nothing, "s3://real/data/a")
    assert kept() == (["first", "second"], 2)
    assert ended(*first) == 2 * "a.csvb.csv"
    third = started("third", nothing, "s3://real/data/a")
    wait_until(lambda: kept() == (["second", "third"], 1), "what only the first had used is removed")
    assert [ended(*each) for each in (second, third)] == [2 * "a.csv"] * 2
    os.utime(root / "second/.inputs-used", (0, 0))
    fourth = started("fourth", CacheLimits(most_seconds=86400.0), "s3://real/data/b")
    wait_until(lambda: kept() == (["fourth", "third"], 2), "what is too old is removed")
    assert ended(*fourth) == 2 * "b.csv"

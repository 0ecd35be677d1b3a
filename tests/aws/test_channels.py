"""Input channels and outputs as a request asks for them, against a live server."""

import errno
import gzip
import io
import json
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from alfine.core.errors import InvalidSpec
from alfine.core.read_spec import read_spec
from alfine.programs.data.buckets.bucket_store import BucketStore
from alfine.programs.data.buckets.local_buckets import LocalBuckets
from alfine.programs.data.channels import channels
from alfine.programs.data.request_files import RequestFiles
from tests.aws.conftest import until

SCRIPT = """
import json, os, pathlib
for name in json.loads(os.environ["SM_CHANNELS"]):
    folder = pathlib.Path(os.environ["SM_CHANNEL_" + name.upper()])
    found = {str(each.relative_to(folder)): each.read_text() for each in sorted(folder.rglob("*")) if each.is_file()}
    print("seen", json.dumps([name, found]))
print("config", os.environ["SM_INPUT_DATA_CONFIG"])
model = pathlib.Path(os.environ["SM_MODEL_DIR"], "deep")
model.mkdir()
(model / "weights").write_text("w")
print("loss=1.0")
"""


@pytest.fixture(scope="module")
def objects(served):
    s3 = served.client("s3")
    s3.create_bucket(Bucket="data")
    texts = {"set/a.csv": "a", "set/deep/b.csv": "b", "set/c.csv": "c", "other/d.csv": "d"}
    bodies = {key: text.encode() for key, text in texts.items()}
    bodies |= {"packed/a.csv.gz": gzip.compress(b"plain"), "packed/b": gzip.compress(b"b"), "broken/a.gz": b"not gzip"}
    bodies |= {
        "two.manifest": b'[{"prefix": "s3://data/set/"}, "deep/b.csv", "a.csv"]',
        "gone.manifest": b'[{"prefix": "s3://data/set/"}, "a.csv", "x", "y"]',
        "odd.manifest": b'[{"prefix": "s3://data/set/"}, "../a.csv"]',
        "no.manifest": b'{"prefix": "s3://data/set/"}',
    }
    for key, body in bodies.items():
        s3.put_object(Bucket="data", Key=key, Body=body)
    yield s3
    s3.close()


@pytest.fixture
def with_channel(make, tmp_path):
    """A request with the script above and one channel, train, whose entry the words change."""
    (tmp_path / "look.py").write_text(SCRIPT)

    def request(name, uri, output="", **changes):
        asked = make(name, max_training_jobs=1, max_parallel=1, channels={"train": "/tmp"})
        definition = asked["TrainingJobDefinition"]
        definition["StaticHyperParameters"] |= {
            "sagemaker_program": "look.py",
            "sagemaker_submit_directory": tmp_path.as_uri(),
        }
        definition["OutputDataConfig"]["S3OutputPath"] = output
        entry = definition["InputDataConfig"][0]
        source = entry["DataSource"]["S3DataSource"]
        source["S3Uri"] = uri
        for key, value in changes.items():
            (source if key in ("S3DataType", "S3DataDistributionType", "AttributeNames") else entry)[key] = value
        return asked

    return request


def seen(served, name):
    """What the training job of a tuning job saw: {path: content} of its channel, and inputdataconfig.json."""
    events = served.client("logs").filter_log_events(
        logGroupName="/aws/sagemaker/TrainingJobs", logStreamNamePrefix=f"{name}-"
    )["events"]
    lines = dict(event["message"].split(" ", 1) for event in events if " " in event["message"])
    return json.loads(lines["seen"])[1], json.loads(lines["config"])["train"]


@pytest.mark.parametrize(
    ("uri", "changes", "found"),
    [
        ("s3://data/two.manifest", {"S3DataType": "ManifestFile"}, {"deep/b.csv": "b", "a.csv": "a"}),
        ("s3://data/packed/", {"CompressionType": "Gzip"}, {"a.csv": "plain", "b": "b"}),
        ("s3://data/packed/a", {"CompressionType": "Gzip", "InputMode": "FastFile"}, {"a.csv": "plain"}),
        (
            "s3://data/set",
            {"S3DataDistributionType": "ShardedByS3Key"},
            {"a.csv": "a", "c.csv": "c", "deep/b.csv": "b"},
        ),
        ("https://data.s3.us-east-1.amazonaws.com/set/a.csv", {}, {"a.csv": "a"}),
        ("s3://data/set/a.csv", {"ShuffleConfig": {"Seed": 1}, "ContentType": "text/csv"}, {"a.csv": "a"}),
    ],
    ids=["manifest", "gzip", "fastfile", "sharded", "https", "object"],
)
def test_a_channel_has_what_its_fields_ask_for(served, objects, with_channel, request, uri, changes, found):  # noqa: PLR0917
    name = f"ch-{request.node.callspec.id}"
    sagemaker = served.client()
    sagemaker.create_hyper_parameter_tuning_job(**with_channel(name, uri, **changes))
    told = until(sagemaker, name)
    assert told["TrainingJobStatusCounters"]["Completed"] == 1, told
    files, config = seen(served, name)
    assert files == found
    expected = {
        "TrainingInputMode": changes.get("InputMode", "File"),
        "S3DistributionType": changes.get("S3DataDistributionType", "FullyReplicated"),
        "RecordWrapperType": "None",
    }
    assert config == expected | ({"ContentType": "text/csv"} if "ContentType" in changes else {})


def test_a_channel_is_streamed_through_pipes(served, objects, with_channel, tmp_path):
    asked = with_channel("piped", "s3://data/packed/", CompressionType="Gzip")
    asked["TrainingJobDefinition"]["AlgorithmSpecification"]["TrainingInputMode"] = "Pipe"
    code = """
import json, os
print("seen", json.dumps(["", [open(os.environ["SM_CHANNEL_TRAIN"] + f"_{epoch}").read() for epoch in range(2)]]))
print("config", os.environ["SM_INPUT_DATA_CONFIG"])
print("loss=1")
"""
    (tmp_path / "look.py").write_text(code)
    sagemaker = served.client()
    sagemaker.create_hyper_parameter_tuning_job(**asked)
    until(sagemaker, "piped")
    text, config = seen(served, "piped")
    assert text == ["plainb"] * 2
    assert config["TrainingInputMode"] == "Pipe"


@pytest.mark.usefixtures("a_sandbox")
def test_a_sandbox_has_the_same_channels_and_they_are_read_only(served, objects, with_channel, tmp_path):
    asked = with_channel("boxed", "s3://data/two.manifest", S3DataType="ManifestFile")
    asked["Tags"] = [{"Key": "alfine:runner", "Value": "sandbox"}]
    look = tmp_path / "look.py"
    look.write_text(
        f"{SCRIPT}\ntry:\n    next(folder.rglob('a.csv')).write_text('x')\nexcept OSError as error:\n    print('refused', error.errno)\n"
    )
    sagemaker = served.client()
    sagemaker.create_hyper_parameter_tuning_job(**asked)
    told = until(sagemaker, "boxed")
    assert told["TrainingJobStatusCounters"]["Completed"] == 1, told
    assert seen(served, "boxed")[0] == {"deep/b.csv": "b", "a.csv": "a"}
    (log,) = (served.home / "tuning-jobs" / "boxed").glob("boxed-*/.alfine/log")
    assert f"refused {errno.EROFS}" in log.read_text()


def test_a_manifest_of_local_files_is_read(served, with_channel, tmp_path):
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").write_text("b")
    manifest = tmp_path / "manifest"
    manifest.write_text(json.dumps([{"prefix": f"{tmp_path.as_uri()}/"}, "b"]))
    sagemaker = served.client()
    sagemaker.create_hyper_parameter_tuning_job(
        **with_channel("local-list", manifest.as_uri(), S3DataType="ManifestFile")
    )
    until(sagemaker, "local-list")
    assert seen(served, "local-list")[0] == {"b": "b"}


@pytest.mark.parametrize(
    ("uri", "changes", "message"),
    [
        ("s3://data/gone.manifest", {"S3DataType": "ManifestFile"}, "there is no object at s3://data/set/x and 1 more"),
        ("s3://data/odd.manifest", {"S3DataType": "ManifestFile"}, "'../a.csv' isn't the rest of a key"),
        ("s3://data/no.manifest", {"S3DataType": "ManifestFile"}, "its first element must be"),
        ("s3://data/set/", {"S3DataType": "ManifestFile"}, "isn't a manifest: it must be one file"),
        ("s3://data/set/a.csv", {"S3DataType": "ManifestFile"}, "isn't a manifest: it's no JSON"),
        ("s3://data/two.manifest", {"S3DataType": "AugmentedManifestFile"}, "AugmentedManifestFile isn't supported"),
        ("s3://data/set/", {"RecordWrapperType": "RecordIO"}, "RecordIO is for Pipe mode"),
        ("s3://data/set/", {"AttributeNames": ["a"]}, "is for AugmentedManifestFile"),
    ],
)
def test_what_cannot_be_is_refused_at_create(sagemaker, objects, with_channel, uri, changes, message):  # noqa: PLR0917
    with pytest.raises(ClientError, match="ValidationException") as caught:
        sagemaker.create_hyper_parameter_tuning_job(**with_channel("refused", uri, **changes))
    assert message in str(caught.value)


def test_file_systems_are_refused_with_what_to_do(sagemaker, with_channel):
    asked = with_channel("efs", "s3://data/set/")
    asked["TrainingJobDefinition"]["InputDataConfig"][0]["DataSource"] = {
        "FileSystemDataSource": {
            "FileSystemId": "fs-0123456789a",
            "FileSystemAccessMode": "ro",
            "FileSystemType": "EFS",
            "DirectoryPath": "/data",
        }
    }
    with pytest.raises(ClientError, match="Name the folder in S3DataSource, as S3Uri file:///"):
        sagemaker.create_hyper_parameter_tuning_job(**asked)


def test_two_channels_of_one_name_are_refused(sagemaker, with_channel):
    asked = with_channel("twins", "file:///tmp")
    asked["TrainingJobDefinition"]["InputDataConfig"] *= 2
    with pytest.raises(ClientError, match="there are two channels called 'train'"):
        sagemaker.create_hyper_parameter_tuning_job(**asked)


def test_data_that_turn_out_unreadable_fail_the_training_job_with_the_reason(served, objects, with_channel):
    sagemaker = served.client()
    asked = with_channel("broken", "s3://data/broken/", CompressionType="Gzip")
    sagemaker.create_hyper_parameter_tuning_job(**asked)
    told = until(sagemaker, "broken")
    assert told["HyperParameterTuningJobStatus"] == "Failed"
    name = sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(HyperParameterTuningJobName="broken")
    reason = name["TrainingJobSummaries"][0]["FailureReason"]
    assert "ClientError: Data download failed: CompressionType is Gzip, but a.gz isn't a whole gzip file" in reason


@pytest.mark.parametrize("where", ["s3", "file"])
def test_an_uncompressed_model_is_delivered_file_by_file(served, objects, with_channel, where, tmp_path):
    output = "s3://data/models" if where == "s3" else f"{tmp_path.as_uri()}/models"
    asked = with_channel(f"loose-{where}", "s3://data/set/", output=output)
    asked["TrainingJobDefinition"]["OutputDataConfig"] |= {"CompressionType": "NONE", "KmsKeyId": "key"}
    sagemaker = served.client()
    sagemaker.create_hyper_parameter_tuning_job(**asked)
    told = until(sagemaker, f"loose-{where}")
    assert told["TrainingJobDefinition"]["OutputDataConfig"]["KmsKeyId"] == "key"
    best = told["BestTrainingJob"]["TrainingJobName"]
    model = sagemaker.describe_training_job(TrainingJobName=best)["ModelArtifacts"]["S3ModelArtifacts"]
    assert model == f"{output}/{best}/output/model"
    if where == "s3":
        key = f"{model.removeprefix('s3://data/')}/deep/weights"
        assert objects.get_object(Bucket="data", Key=key)["Body"].read() == b"w"
    else:
        assert Path(model.removeprefix("file://"), "deep", "weights").read_text() == "w"


# ---- several hosts -----------------------------------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path):
    own = BucketStore(tmp_path / "buckets")
    own.create_bucket("many")
    for number in range(7):
        own.put_file("many", f"part-{number}", io.BytesIO(str(number).encode()))
    return LocalBuckets(own)


def shares_of(store, with_channel, place, **changes):
    asked = with_channel("hosts", "s3://many/part-", S3DataDistributionType="ShardedByS3Key", **changes)
    asked["TrainingJobDefinition"]["ResourceConfig"]["InstanceCount"] = 3
    files = RequestFiles(place, store, fetch=True, faults=[])
    (channel,) = channels(read_spec(asked), files)
    return [sorted(each.name for each in channel.path_on(host).iterdir()) for host in range(3)]


def test_hosts_share_the_objects_by_turns(store, with_channel, tmp_path):
    assert shares_of(store, with_channel, tmp_path / "in") == [
        ["part-0", "part-3", "part-6"],
        ["part-1", "part-4"],
        ["part-2", "part-5"],
    ]


def test_a_seed_shuffles_who_gets_what_and_always_the_same_way(store, with_channel, tmp_path):
    once = shares_of(store, with_channel, tmp_path / "a", ShuffleConfig={"Seed": 3})
    assert once == shares_of(store, with_channel, tmp_path / "b", ShuffleConfig={"Seed": 3})
    assert once != shares_of(store, with_channel, tmp_path / "c", ShuffleConfig={"Seed": 4})
    assert sorted(each for share in once for each in share) == [f"part-{number}" for number in range(7)]


@pytest.mark.parametrize("name", ["..", ".", "../../out", "a/b", "", "x" * 65, 1])
def test_a_channel_has_the_name_of_a_folder(with_channel, name):
    with pytest.raises(InvalidSpec, match="can't be the name of a folder"):
        read_spec(with_channel("named", "s3://data/set/", ChannelName=name))


def test_a_job_keeps_the_data_it_began_with(store, with_channel, tmp_path):
    spec = read_spec(with_channel("kept", "s3://many/part-"))
    (channel,) = channels(spec, RequestFiles(tmp_path / "in", store, fetch=True, faults=[]))
    store.put("s3://many/part-0", io.BytesIO(b"changed"))
    store.remove("s3://many/part-1")
    assert [(channel.path / name).read_text() for name in ("part-0", "part-1")] == ["0", "1"]
    (again,) = channels(spec, RequestFiles(tmp_path / "in", store, fetch=True, faults=[]))
    assert (again.path / "part-0").read_text() == "changed"
    assert not (again.path / "part-1").exists()


def test_links_of_a_folder_that_lead_out_of_the_roots_are_refused_where_alfine_itself_would_follow_them(tmp_path, make):
    root = tmp_path / "root"
    root.mkdir()
    (root / "link").symlink_to("/etc/passwd")
    store = LocalBuckets(BucketStore(tmp_path / "buckets"), (root,))
    asked = make("linked", channels={"train": root})
    asked["TrainingJobDefinition"]["InputDataConfig"][0]["CompressionType"] = "Gzip"
    files = RequestFiles(tmp_path / "in", store, fetch=False, faults=[])
    assert next(iter(channels(read_spec(asked), files))).trouble.startswith("AccessDenied")
    assert [fault.message.partition(":")[0] for fault in files.faults] == ["AccessDenied"]

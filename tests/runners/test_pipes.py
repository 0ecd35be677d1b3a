"""Pipe input mode: an epoch a named pipe, and a feeder that comes and goes with the training job."""

import gzip
import io
import struct
from pathlib import Path

import pytest

from alfine.runners import pipes
from alfine.runners.executor import LocalChannel
from alfine.runners.pipes import MAGIC, order, record


@pytest.fixture(params=["process", "sandbox"])
def bench(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    (folder / "deep").mkdir(parents=True)
    for name, text in {"a": "1\n", "b": "2\n", "deep/c": "3\n"}.items():
        (folder / name).write_text(text)
    return folder


def pipe(path, name="train", **settings):
    return LocalChannel(name=name, path=path, input_mode="Pipe", **settings)


EPOCHS = """
import os
base = os.environ["SM_CHANNEL_TRAIN"]
for epoch in range(3):
    with open(f"{base}_{epoch}") as pipe:
        print(epoch, pipe.read().split())
print(sorted(os.listdir(os.path.dirname(base))))
"""


def test_each_epoch_is_a_pipe_with_all_the_data(bench, data):
    last, lines = bench.see_out(bench.launch(code=EPOCHS, channels=(pipe(data),), warm=True))
    assert last.exit.succeeded, lines
    assert lines == [*(f"{epoch} ['1', '2', '3']" for epoch in range(3)), "['train_3']"]


def test_an_epoch_that_is_left_early_is_followed_by_the_next(process, tmp_path):
    big = tmp_path / "big"
    big.write_bytes(bytes(4 << 20))  # more than a pipe holds
    code = """
import os
base = os.environ["SM_CHANNEL_TRAIN"]
for epoch in range(2):
    with open(f"{base}_{epoch}", "rb") as pipe:
        print(len(pipe.read(10)))
with open(f"{base}_2", "rb") as pipe:
    print(len(pipe.read()))
"""
    last, lines = process.see_out(process.launch(code=code, channels=(pipe(big),)))
    assert last.exit.succeeded, lines
    assert lines == ["10", "10", str(4 << 20)]


def feeders(launch):
    """The processes that were started to feed the training job's pipes."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = place.read_bytes().split(b"\0")
        except OSError:
            continue
        if any(b"pipes.json" in word and str(launch.folder).encode() in word for word in words):
            found.append(place)
    return found


@pytest.mark.parametrize("ending", ["pass", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"])
def test_the_feeder_goes_with_a_training_job_that_opens_no_pipe(process, data, ending):
    channels = (pipe(data), pipe(data, name="validation"))
    launch = process.launch(code=f"print('here', flush=True)\n{ending}", channels=channels)
    last, lines = process.see_out(launch)
    assert (last.exit.cause, lines) == ("exited", ["here"])
    assert feeders(launch) == []


def test_a_training_job_that_waits_at_a_pipe_can_be_stopped(process, data):
    code = "import os\nopen(os.environ['SM_CHANNEL_TRAIN'] + '_0').read()\nprint('read', flush=True)\nimport signal\nsignal.pause()"
    launch = process.launch(code=code, channels=(pipe(data),))
    process.runner.start(launch)
    process.until_line(launch, "read")
    process.runner.stop(launch)
    last, _ = process.wait(launch)
    assert last.exit.cause == "stopped"
    assert feeders(launch) == []


def test_packed_data_are_decompressed_and_wrapped_on_their_way(bench, tmp_path):
    packed = tmp_path / "packed"
    packed.mkdir()
    (packed / "a.gz").write_bytes(gzip.compress(b"first"))
    (packed / "b.gz").write_bytes(gzip.compress(b"second!!"))
    code = "import os\nprint(open(os.environ['SM_CHANNEL_TRAIN'] + '_0', 'rb').read().hex(), os.environ['SM_INPUT_DATA_CONFIG'])"
    last, lines = bench.see_out(bench.launch(code=code, channels=(pipe(packed, gzip=True, record_io=True),)))
    assert last.exit.succeeded, lines
    content, config = lines[0].split(" ", 1)
    assert read_records(bytes.fromhex(content)) == [b"first", b"second!!"]
    assert '"RecordWrapperType":"RecordIO"' in config
    assert '"TrainingInputMode":"Pipe"' in config


def test_data_that_cannot_be_read_fail_the_training_job_with_the_reason(process, data):
    code = "import os\nopen(os.environ['SM_CHANNEL_TRAIN'] + '_0').read()\nprint('never')\nimport time\ntime.sleep(60)"
    last, lines = process.see_out(process.launch(code=code, channels=(pipe(data, gzip=True),)))
    assert "AlgorithmError: Data download failed: channel train: Not a gzipped file" in last.exit.reason()
    assert "never" not in lines


def test_a_record_that_never_ends_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(pipes, "MAX_RECORD_BYTES", 1000)
    packed = tmp_path / "bomb.gz"
    packed.write_bytes(gzip.compress(bytes(1 << 20)))
    taken = io.BytesIO()
    with pytest.raises(ValueError, match="too large for a RecordIO record"):
        pipes.copy(str(packed), taken, gzipped=True, record_io=True)
    assert taken.getvalue() == b""


def read_records(data):
    """RecordIO as its readers read it: the magic number stands between the parts of a record."""
    found, at, parts = [], 0, []
    while at < len(data):
        magic, word = struct.unpack_from("<II", data, at)
        assert magic == 0xCED7230A
        kind, length = word >> 29, word & ((1 << 29) - 1)
        parts.append(data[at + 8 : at + 8 + length])
        at += 8 + length + -length % 4
        if kind in (0, 3):
            found.append(MAGIC.join(parts))
            parts = []
    return found


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x",
        MAGIC,
        MAGIC * 3,
        b"abcd" + MAGIC + b"e",
        b"abc" + MAGIC,
        b"a" + MAGIC + b"bcd" + MAGIC,
        MAGIC[:3] + MAGIC,
    ],
)
def test_a_record_is_read_back_whatever_it_holds(data):
    written = b"".join(record(data))
    assert read_records(written + b"".join(record(b"next"))) == [data, b"next"]
    assert len(written) % 4 == 0


def test_hosts_share_an_epoch_and_a_seed_shuffles_each_anew():
    def shares(seed, epoch):
        return [order({"files": list("abcdef"), "seed": seed, "host": host, "hosts": 2}, epoch) for host in range(2)]

    assert shares(None, 0) == shares(None, 1) == [["a", "c", "e"], ["b", "d", "f"]]
    assert shares(7, 0) == shares(7, 0)
    assert shares(7, 0) != shares(7, 1)
    assert sorted(shares(7, 1)[0] + shares(7, 1)[1]) == list("abcdef")


def test_each_host_sees_its_share_in_file_mode(bench, data, tmp_path):
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
        (folder / folder.name).touch()
    line = "f\"{os.environ['SM_CURRENT_HOST']} {os.listdir(os.environ['SM_CHANNEL_TRAIN'])}\\n\""
    code = f"import os\nos.write(1, {line}.encode())"  # at once: the hosts share the log
    channel = LocalChannel(name="train", path=data, sharded=True, shards=tuple(folders))
    last, lines = bench.see_out(bench.launch(code=code, channels=(channel,), instance_count=2))
    assert last.exit.succeeded, lines
    assert sorted(lines) == ["algo-1 ['one']", "algo-2 ['two']"]

"""RecordIO-protobuf, as SageMaker's SDK writes it, and what isn't that."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from alfine.programs.algorithms.opt_ml import BadInput
from alfine.programs.algorithms.recordio import read_recordio

# What sagemaker 2.257 writes of [[1.5, -2, 0]] with the label 1, and of a sparse 64-bit [[0, 0, 7]] with the integer label 4.
DENSE = (
    "0a23d7ce300000000a1a0a0676616c7565731210120e0a0c0000c03f000000c00000000012120a0676616c756573120812060a040000803f"
)
SPARSE = "0a23d7ce320000000a1c0a0676616c75657312121a100a080000000000001c401201021a0103120f0a0676616c75657312053a030a01041a01780000"


def sized(tag: int, content: bytes) -> bytes:
    """A field of bytes, of a message."""
    length, size = len(content), b""
    while length >= 0x80:
        size, length = size + bytes([length & 0x7F | 0x80]), length >> 7
    return bytes([tag << 3 | 2]) + size + bytes([length]) + content


def recordio(features, label) -> bytes:
    """One dense record, 32-bit."""

    def entry(tag, numbers):
        tensor = sized(1, np.asarray(numbers, "<f4").tobytes())
        return sized(tag, sized(1, b"values") + sized(2, sized(2, tensor)))

    record = entry(1, features) + entry(2, [label])
    return struct.pack("<II", 0xCED7230A, len(record)) + record + bytes(-len(record) % 4)


@pytest.fixture
def channel(tmp_path, monkeypatch):
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(tmp_path))
    folder = tmp_path / "input" / "data" / "train"
    folder.mkdir(parents=True)
    return folder


def test_it_reads_what_the_sdk_writes(channel):
    (channel / "a").write_bytes(bytes.fromhex(DENSE))
    (channel / "b").write_bytes(bytes.fromhex(SPARSE))
    features, labels = read_recordio("train")
    assert features.tolist() == [[1.5, -2, 0], [0, 0, 7]]
    assert labels.tolist() == [1, 4]


def test_records_of_all_files_make_one_table(channel):
    (channel / "a").write_bytes(recordio([1, 2], 3) + recordio([4, 5], 6))
    (channel / "b").write_bytes(recordio(range(200), 7))
    features, labels = read_recordio("train")
    assert features.shape == (3, 200)
    assert features[2].tolist() == list(range(200))
    assert labels.tolist() == [3, 6, 7]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"1,2,3\n", "isn't RecordIO-protobuf, the format of a channel without a ContentType. For CSV"),
        (recordio([1], 2)[:-8], "ends within one"),
        (recordio([1], [2, 3]), "without one label"),
        (struct.pack("<II", 0xCED7230A, 4) + b"\xff\xff\xff\xff", "can't be read"),
        (b"", "there are no records"),
    ],
)
def test_what_is_not_a_record_is_told(channel, content, said):
    (channel / "a").write_bytes(content)
    with pytest.raises(BadInput, match=said):
        read_recordio("train")

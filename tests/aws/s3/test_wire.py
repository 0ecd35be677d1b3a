"""Bodies as other clients than boto3 send them: aws-chunked, signed and not, with trailers; and cut short."""

from __future__ import annotations

import base64
import hashlib
import os
import socket
import time

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as some

from alfine.aws.s3.request import Chunks
from alfine.programs.data.buckets.checksums import ALGORITHMS
from alfine.programs.data.buckets.errors import S3Error
from tests.aws.s3.conftest import Served

CHUNKED = {"content-encoding": "aws-chunked"}


def checksum(name: str, data: bytes) -> str:
    digest = ALGORITHMS[name]()
    digest.update(data)
    return base64.b64encode(digest.digest()).decode()


def in_chunks(data: bytes, size: int, extension: str = "", trailers: str = "") -> bytes:
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    body = b"".join(b"%x%s\r\n%s\r\n" % (len(piece), extension.encode(), piece) for piece in pieces)
    return body + f"0{extension}\r\n{trailers}\r\n".encode()


@pytest.mark.parametrize("name", ["crc32", "crc32c", "crc64nvme", "sha256"])
def test_unsigned_chunks_with_a_trailer(http: httpx.Client, bucket, name):
    data = os.urandom(300_000)
    headers = CHUNKED | {
        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "x-amz-decoded-content-length": str(len(data)),
        "x-amz-trailer": f"x-amz-checksum-{name}",
    }
    good = in_chunks(data, 65536, trailers=f"x-amz-checksum-{name}:{checksum(name, data)}\r\n")
    answer = http.put(f"/{bucket}/k", content=good, headers=headers)
    assert (answer.status_code, answer.headers[f"x-amz-checksum-{name}"]) == (200, checksum(name, data))
    got = http.get(f"/{bucket}/k", headers={"x-amz-checksum-mode": "ENABLED"})
    assert (got.content, got.headers.get("content-encoding")) == (data, None)
    assert got.headers[f"x-amz-checksum-{name}"] == checksum(name, data)
    bad = in_chunks(data, 65536, trailers=f"x-amz-checksum-{name}:{checksum(name, b'other')}\r\n")
    assert "BadDigest" in http.put(f"/{bucket}/k", content=bad, headers=headers).text
    absent = in_chunks(data, 65536)
    assert "InvalidRequest" in http.put(f"/{bucket}/k", content=absent, headers=headers).text


def test_signed_chunks(http: httpx.Client, bucket):
    data = os.urandom(200_000)
    headers = {
        "content-encoding": "aws-chunked,gzip",
        "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "x-amz-decoded-content-length": str(len(data)),
    }
    body = in_chunks(data, 65536, f";chunk-signature={'0' * 64}")
    assert http.put(f"/{bucket}/k", content=body, headers=headers).status_code == 200
    head = http.head(f"/{bucket}/k")
    assert (head.headers["content-length"], head.headers["content-encoding"]) == (str(len(data)), "gzip")


def test_chunks_that_end_early_store_nothing(http: httpx.Client, bucket):
    headers = CHUNKED | {"x-amz-decoded-content-length": "10"}
    for body in (b"5\r\nhello\r\n", b"5\r\nhello\r\n0\r\n\r\n", b"a\r\nhello\r\n0\r\n\r\n", b""):
        answer = http.put(f"/{bucket}/k", content=body, headers=headers)
        assert (answer.status_code, "IncompleteBody" in answer.text) == (400, True), body
    for body in (b"x\r\n", b"5\r\nhello!\r\n", b"f" * 20000):
        assert "InvalidRequest" in http.put(f"/{bucket}/k", content=body, headers=headers).text
    assert http.head(f"/{bucket}/k").status_code == 404


def test_the_signed_hash_of_the_body_is_verified(http: httpx.Client, bucket):
    headers = {"x-amz-content-sha256": hashlib.sha256(b"a").hexdigest()}
    assert http.put(f"/{bucket}/k", content=b"a", headers=headers).status_code == 200
    assert "XAmzContentSHA256Mismatch" in http.put(f"/{bucket}/k", content=b"b", headers=headers).text


def test_a_client_that_goes_away_leaves_nothing(served: Served, http: httpx.Client, bucket):
    with socket.create_connection(("127.0.0.1", served.port)) as connection:
        connection.sendall(
            f"PUT /{bucket}/k HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n".encode() + b"x" * 9999
        )
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass
    assert http.head(f"/{bucket}/k").status_code == 404
    aside = served.store.folder / bucket / ".alfine" / "temporary"
    deadline = time.monotonic() + 20  # the server notices when it gets to it
    while _content(aside) and time.monotonic() < deadline:
        pass
    assert _content(aside) == []


def _content(folder) -> list:
    """Nothing where there is no folder: it's made when the first body begins to come in."""
    return list(folder.iterdir()) if folder.exists() else []


def test_keys_that_are_not_utf8_come_back_url_encoded(http: httpx.Client, bucket):
    assert http.put(f"/{bucket}/a%FFb%00", content=b"x").status_code == 200
    assert "<Key>a%FFb%00</Key>" in http.get(f"/{bucket}?encoding-type=url").text
    assert http.get(f"/{bucket}/a%FFb%00").content == b"x"
    assert "<Key>a\N{REPLACEMENT CHARACTER}b" in http.get(f"/{bucket}").text


@given(some.binary(max_size=400), some.integers(1, 50), some.integers(1, 40))
def test_chunks_can_arrive_cut_anywhere(data: bytes, size: int, cut: int):
    body = in_chunks(data, size, trailers="x-amz-checksum-crc32:AAAAAA==\r\n")
    chunks = Chunks()
    assert b"".join(chunks.feed(body[at : at + cut]) for at in range(0, len(body), cut)) == data
    assert (chunks.complete, chunks.trailers) == (True, {"x-amz-checksum-crc32": "AAAAAA=="})


@given(some.binary(max_size=200), some.integers(1, 60))
def test_no_bytes_break_the_reading_of_chunks(body: bytes, cut: int):
    chunks = Chunks()
    refusals = []
    for at in range(0, len(body), cut):
        try:
            assert len(chunks.feed(body[at : at + cut])) <= len(body)
        except S3Error as error:
            refusals.append(error.code)
            break
    assert refusals in ([], ["InvalidRequest"])


def test_crcs_have_their_published_check_values():
    for name, check in (("crc32c", 0xE3069283), ("crc64nvme", 0xAE8B14860A799888)):
        digest = ALGORITHMS[name]()
        digest.update(b"123456789")
        assert int.from_bytes(digest.digest(), "big") == check


@pytest.mark.parametrize(
    ("name", "polynomial", "width"), [("crc32c", 0x82F63B78, 32), ("crc64nvme", 0x9A6C9329AC4BC9B5, 64)]
)
def test_a_crc_in_pieces_is_the_bitwise_one(name, polynomial, width):
    data = os.urandom(200_003)
    state = (1 << width) - 1
    for byte in data:
        state ^= byte
        for _ in range(8):
            state = state >> 1 ^ (polynomial if state & 1 else 0)
    digest = ALGORITHMS[name]()
    for begin, end in ((0, 7), (7, 1500), (1500, 200_003)):
        digest.update(data[begin:end])
    assert int.from_bytes(digest.digest(), "big") == state ^ (1 << width) - 1

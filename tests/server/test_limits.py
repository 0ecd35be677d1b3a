"""The limits for unauthenticated connections let every proper request through, whole and in order."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest
import uvicorn

from alfine.server.limits import limited, unclear

HEADER_SECONDS = 0.3
LONGER_THAN_A_HEAD_MAY_TAKE = 0.6


async def echo(scope, receive, send):
    """Answer with the body's length and its first bytes; `/slow` takes longer than a head may."""
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    if scope["path"] == "/slow":
        await asyncio.sleep(LONGER_THAN_A_HEAD_MAY_TAKE)
    answer = b"<%d:%b>" % (len(body), body[:4])
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(answer))]})
    await send({"type": "http.response.body", "body": answer})


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[str, int]]:
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(echo, http="h11", loop="asyncio", log_level="error", lifespan="off", ws="none")
    server = uvicorn.Server(limited(config, HEADER_SECONDS))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    yield listener.getsockname()
    server.should_exit = True
    thread.join()
    listener.close()


@pytest.fixture
def connection(address) -> Iterator[socket.socket]:
    with socket.create_connection(address, timeout=20) as connection:
        yield connection


def rest_of(connection: socket.socket, until: bytes | None = None) -> bytes:
    """What comes until these bytes, or until the server closes the connection."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while (until is None or until not in received) and (piece := connection.recv(1 << 16)):
            received += piece
    return received


def post(body: bytes, path: str = "/", more: str = "") -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n{more}\r\n".encode() + body


LAST = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def test_an_answer_may_take_longer_than_a_head(connection):
    connection.sendall(post(b"", "/slow", "Connection: close\r\n"))
    assert rest_of(connection).endswith(b"<0:>")


def test_requests_in_one_piece_are_answered_one_by_one(connection):
    connection.sendall(post(b"abc") + post(b"GET / HTTP/1.1\r\n\r\n") + post(b"") + LAST)
    answers = rest_of(connection)
    assert [answers.count(each) for each in (b"<3:abc>", b"<18:GET >", b"<0:>", b"HTTP/1.1 200")] == [1, 1, 2, 4]


def test_a_request_may_come_byte_by_byte(connection):
    for byte in post(b"abcd") + LAST:
        connection.sendall(bytes([byte]))
    answers = rest_of(connection)
    assert answers.count(b"HTTP/1.1 200") == 2
    assert b"<4:abcd>" in answers


def test_a_connection_may_rest_between_requests_for_longer_than_a_head_may_take(connection):
    connection.sendall(post(b"one"))
    assert rest_of(connection, b"<3:one>")
    threading.Event().wait(LONGER_THAN_A_HEAD_MAY_TAKE)
    connection.sendall(LAST)
    assert rest_of(connection).endswith(b"<0:>")


def test_a_large_body_comes_whole(connection):
    connection.sendall(post(b"z" * 3_000_000, more="Connection: close\r\n"))
    assert rest_of(connection).endswith(b"<3000000:zzzz>")


def test_nothing_follows_a_body_in_chunks(connection):
    head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    connection.sendall(head + b"3\r\nabc\r\n0\r\n\r\n" + LAST)
    answers = rest_of(connection)
    assert answers.count(b"HTTP/1.1 ") == 1
    assert answers.endswith(b"<3:abc>")
    assert b"connection: close" in answers.lower()


@pytest.mark.parametrize(
    ("head", "body_bytes"),
    [
        ("GET / HTTP/1.1", 0),
        ("GET /a?b=%20c HTTP/1.0\r\nHost: x", 0),
        ("PUT / HTTP/1.1\r\nHost: [::1]:80\r\ncontent-length:\t12 \r\nX-Empty:", 12),
        ("PUT / HTTP/1.1\r\nTransfer-Encoding: chunked", None),
    ],
)
def test_what_is_clear_passes(head, body_bytes):
    assert unclear(f"{head}\r\n\r\n".encode()) == ("", body_bytes)


@pytest.mark.parametrize(
    "head",
    [
        "GET /",
        "GET / HTTP/2.0",
        "GET / HTTP/1.1\nHost: x",
        "GET / HTTP/1.1\r\nHost: x\r\n folded",
        "GET / HTTP/1.1\r\nHost : x",
        "GET / HTTP/1.1\r\n: x",
        "GET / HTTP/1.1\r\nHost",
        "GET / HTTP/1.1\r\nX: a\rContent-Length: 3",
        "GET / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 3",
        "GET / HTTP/1.1\r\nContent-Length: 3, 3",
        "GET / HTTP/1.1\r\nContent-Length: ³",
        "GET / HTTP/1.1\r\nContent-Length:",
        f"GET / HTTP/1.1\r\nContent-Length: {'9' * 5000}",
        "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    ],
)
def test_what_two_programs_could_read_differently_is_refused(head):
    assert unclear(f"{head}\r\n\r\n".encode())[0]

"""The threat model: each line of docs/explanation/security.md names the test that holds it, and here are those without a home."""

import contextlib
import gzip
import io
import os
import re
import socket
import sqlite3
import tarfile
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import uvicorn
from rich.console import Console

from alfine.api.printable import Printable
from alfine.core.errors import InvalidSpec
from alfine.core.read_spec import read_spec
from alfine.jobs.wording import printable, printable_log
from alfine.programs.data import channels, request_files
from alfine.programs.data.archives import unpacked
from alfine.server.limits import limited
from alfine.store.access_keys import KeyFiles
from alfine.store.store import Store
from tests.aws.conftest import Served, make, script, until
from tests.aws.test_keys import Locked, key_of
from tests.building import request
from tests.missing import need_sandbox

__all__ = ["make", "script"]  # fixtures

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/explanation/security.md"
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE.read_text())


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    server = Served(tmp_path_factory.mktemp("home"))
    yield server
    server.end()


# ---- the page ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("file", "name"), NAMED, ids=[name for _, name in NAMED])
def test_every_test_that_the_threat_model_names_is_there(file, name):
    assert re.search(rf"^\s*(async )?def {name}\(", (ROOT / file).read_text(), re.MULTILINE)


def test_every_line_of_the_threat_model_names_a_test():
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| ") and not line.startswith("| ---")]
    rows = [line for line in rows if not line.startswith("| what")]
    assert len(rows) > 20
    assert [line for line in rows if not re.search(r"`tests/[\w/]+\.py::\w+`", line)] == []


# ---- HTTP --------------------------------------------------------------------------------------------------------------


def answers_to(url, data):
    """What comes back on one connection until the server closes it."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        found = b""
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            connection.sendall(data)
            while piece := connection.recv(1 << 16):
                found += piece
        return found


HEAD = b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Amz-Target: SageMaker.ListHyperParameterTuningJobs\r\n"
SECOND = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    "headers",
    [
        b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n{}",
        b"Content-Length: 2\r\nContent-Length: 40\r\n\r\n{}",
        b"Content-Length: +2\r\n\r\n{}",
        b"Content-Length: 0x2\r\n\r\n{}",
        b"Transfer-Encoding: identity, chunked, x\r\n\r\n{}",
        b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        b"X: a\x00b\r\n\r\n",
        b"Content-Length: 2\nX: y\r\n Transfer-Encoding: chunked\r\n\r\n{}",
    ],
)
def test_no_second_request_can_be_smuggled_in_the_first(served, headers):
    """Where two readers could disagree on where a body ends, there is one answer, an error, and the connection is over."""
    found = answers_to(served.url, HEAD + headers + SECOND)
    assert found.startswith(b"HTTP/1.1 400"), found
    assert found.count(b"HTTP/1.1 ") == 1, found


@pytest.mark.parametrize(
    "line", [b"GET /\xff HTTP/1.1", b"GET /a b HTTP/1.1", b"GET", b"\x16\x03\x01\x02", b"GET / HTTP/9.9"]
)
def test_what_is_no_http_is_a_400_and_the_server_goes_on(served, line):
    found = answers_to(served.url, line + b"\r\nHost: 127.0.0.1\r\n\r\n")
    assert found == b"" or found.startswith(b"HTTP/1.1 400"), found
    assert b"200 OK" in answers_to(served.url, SECOND)


@pytest.mark.parametrize("one", [b"X: " + b"a" * (1 << 20), b"".join(b"X-%d: a\r\n" % n for n in range(100_000))])
def test_headers_have_an_end(served, one):
    found = answers_to(served.url, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + one)
    assert found == b"" or found.startswith(b"HTTP/1.1 400"), found[:100]
    assert b"200 OK" in answers_to(served.url, SECOND)


IMPATIENT_SECONDS = 0.3


@pytest.fixture
def impatient():
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, http="h11", log_level="error", lifespan="off", ws="none")
    server = uvicorn.Server(limited(config, IMPATIENT_SECONDS))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    yield listening.getsockname()
    server.should_exit = True
    thread.join()
    listening.close()


@pytest.mark.parametrize(
    "begin", [b"", b"GET / HTT", b"GET / HTTP/1.1\r\nHost: x\r\n", SECOND.replace(b"close", b"x") + b"GET"]
)
def test_headers_that_dont_come_end_the_connection(impatient, begin):
    with socket.create_connection(impatient, timeout=20) as connection:
        connection.sendall(begin)
        found = b""
        while piece := connection.recv(1 << 16):  # a connection that stays open fails here, by the socket's own timeout
            found += piece
    assert found.count(b"HTTP/1.1 204") == (b"\r\n\r\n" in begin)


def test_a_body_has_an_end(served):
    body = b"Content-Length: 5000000\r\n\r\n" + b" " * 5_000_000
    assert answers_to(served.url, HEAD + b"Connection: close\r\n" + body).startswith(b"HTTP/1.1 413")
    chunks = b"Transfer-Encoding: chunked\r\n\r\n" + (b"40000\r\n" + b" " * (1 << 18) + b"\r\n") * 20 + b"0\r\n\r\n"
    assert answers_to(served.url, HEAD + b"Connection: close\r\n" + chunks).startswith(b"HTTP/1.1 413")


def test_an_archive_that_unpacks_to_gigabytes_is_refused(tmp_path):
    bomb = tarfile.TarInfo("train.py")
    bomb.size = 5 << 30
    (tmp_path / "code.tar.gz").write_bytes(gzip.compress(bomb.tobuf() + bytes(1 << 20)))
    with pytest.raises(InvalidSpec, match="larger than an archive of code may be"):
        unpacked(tmp_path / "code.tar.gz", tmp_path / "here")
    assert list((tmp_path / "here").iterdir()) == []


def test_an_archive_whose_header_is_endless_is_refused(tmp_path):
    good = tarfile.TarInfo("train.py")
    bomb = tarfile.TarInfo("././@LongLink")
    bomb.type, bomb.size = tarfile.GNUTYPE_LONGNAME, 3 << 30
    for number, members in enumerate([(bomb,), (good, bomb)]):
        archive = tmp_path / f"{number}.tar.gz"
        archive.write_bytes(gzip.compress(b"".join(each.tobuf() for each in members) + bytes(1 << 20)))
        with pytest.raises(InvalidSpec, match="a header of 3221225472 bytes"):
            unpacked(archive, tmp_path / "here")


@pytest.mark.parametrize(
    ("most", "left_free", "message"),
    [(1 << 20, 0, "more than 1048576 bytes"), (1 << 40, 1 << 60, "free on the disk")],
    ids=["limit", "disk"],
)
def test_a_channel_that_decompresses_to_gigabytes_is_refused(tmp_path, monkeypatch, most, left_free, message):
    monkeypatch.setattr(channels, "LEFT_FREE_BYTES", left_free)
    data = tmp_path / "data"
    data.mkdir()
    for name in ("a.gz", "b.gz"):
        (data / name).write_bytes(gzip.compress(bytes(600 << 10)))
    asked = request(name="bomb", script=__file__, channels={"train": data})
    asked["TrainingJobDefinition"]["InputDataConfig"][0]["CompressionType"] = "Gzip"
    files = request_files.RequestFiles(tmp_path / "here", None, fetch=True, faults=[], max_decompressed_bytes=most)
    (channel,) = channels.channels(read_spec(asked), files)
    assert message in channel.trouble
    assert list((tmp_path / "here").iterdir()) == []


def test_connections_are_bounded(served):
    host, port = served.url.removeprefix("http://").split(":")
    idle = [socket.create_connection((host, int(port)), timeout=20) for _ in range(500)]
    try:
        assert answers_to(served.url, SECOND).startswith(b"HTTP/1.1 503")
    finally:
        for each in idle:
            each.close()
    while not answers_to(served.url, SECOND).startswith(b"HTTP/1.1 200"):
        pass  # the server notices that they have gone


def test_a_request_cannot_write_headers_of_its_answer(served):
    s3 = served.client("s3")
    s3.create_bucket(Bucket="headers")
    s3.put_object(Bucket="headers", Key="x", Body=b"x")
    for name in ("content-type", "content-disposition", "expires"):
        url = f"{served.url}/headers/x?response-{name}=a%0d%0aX-Evil:1%0a%0d%0a%0d"
        with urllib.request.urlopen(url) as answer:
            assert answer.headers["x-evil"] is None
            assert answer.read() == b"x"
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{served.url}/headers/x?response-{name}=%00")
        assert (refused.value.code, b"InvalidArgument" in refused.value.read()) == (400, True)
        refused.value.close()


def test_a_page_in_a_bucket_gets_no_part_in_the_servers_origin(served):
    s3 = served.client("s3")
    s3.create_bucket(Bucket="pages")
    s3.put_object(Bucket="pages", Key="x.html", Body=b"<script>1</script>", ContentType="text/html")
    with urllib.request.urlopen(f"{served.url}/pages/x.html") as answer:
        assert answer.headers["content-security-policy"] == "sandbox"


@pytest.mark.parametrize(
    "path", ["/../../etc/passwd", "/here/..%2f..%2f..%2fetc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd"]
)
def test_no_path_of_a_request_leads_out_of_the_buckets(served, path):
    answer = answers_to(served.url, b"GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n" % path.encode())
    assert re.match(rb"HTTP/1.1 (400|404) ", answer), answer
    assert b"root:" not in answer


@pytest.mark.parametrize(
    "path", ["training-jobs/..%2f..%2f..%2fetc%2fpasswd/log", "training-jobs/../../alfine.db/log", "tuning-jobs/x%00"]
)
def test_no_path_of_alfines_own_documents_leads_out_of_the_home(served, path):
    answer = answers_to(
        served.url, f"GET /_alfine/{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode()
    )
    assert answer.startswith(b"HTTP/1.1 4"), answer


# ---- secrets -----------------------------------------------------------------------------------------------------------


def test_a_new_home_is_its_owners_alone(tmp_path):
    Store.at(tmp_path / "home").close()
    assert (tmp_path / "home").stat().st_mode & 0o777 == 0o700
    key_of(tmp_path / "other")
    assert (tmp_path / "other").stat().st_mode & 0o777 == 0o700


def test_secrets_are_in_no_log(tmp_path, make):
    """Neither a key's nor an Environment's, whether a request succeeds, is refused, or breaks something."""
    id_, secret = key_of(tmp_path)
    server = Served(tmp_path, signed=True)
    words = {"aws_access_key_id": id_, "aws_secret_access_key": secret}
    client = server.client(**words)
    request = make("secret", environment={"TOKEN": "hunter2"}, max_training_jobs=1)
    client.create_hyper_parameter_tuning_job(**request)
    with pytest.raises(client.exceptions.ClientError):
        client.create_hyper_parameter_tuning_job(**request)
    request["TrainingJobDefinition"]["Environment"]["hunter2 hunter2"] = "hunter2"
    with pytest.raises(client.exceptions.ClientError):
        client.create_hyper_parameter_tuning_job(**request)
    until(client, "secret")
    with contextlib.closing(sqlite3.connect(tmp_path / "alfine.db")) as database:
        database.execute("ALTER TABLE tuning_jobs RENAME COLUMN request TO gone")  # what breaks inside is logged
    with pytest.raises(client.exceptions.ClientError, match="InternalFailure"):
        client.create_hyper_parameter_tuning_job(**make("broken", environment={"TOKEN": "hunter2"}))
    client.close()
    server.process.terminate()
    said, _ = server.process.communicate(timeout=40)
    assert "could not answer operation=CreateHyperParameterTuningJob" in said
    assert "hunter2" not in said
    assert secret not in said


def test_a_keys_secret_is_not_in_its_repr(tmp_path):
    _, secret = key_of(tmp_path)
    assert secret not in repr(KeyFiles(tmp_path).all())


def test_a_key_folder_that_cant_be_read_lets_nobody_in(tmp_path):
    (tmp_path / "keys").write_text("not a folder")
    with pytest.raises(OSError):
        bool(KeyFiles(tmp_path))


LINKING = """
import glob, os, shutil
for path in glob.glob("/opt/ml/checkpoints/*"):
    print("found", open(path).read())
print("loss=1")
for name in ("model", "checkpoints"):
    shutil.rmtree("/opt/ml/" + name)
    os.symlink(KEYS, "/opt/ml/" + name)
os.symlink(KEYS, "/opt/ml/output/data/keys")
"""


def test_a_script_in_the_sandbox_gets_no_file_of_the_server_by_links(tmp_path, make):
    """Its model, its output and its checkpoints are links to the folder of keys; the next training job gets its checkpoints."""
    need_sandbox()
    server = Locked(tmp_path / "home")
    script = tmp_path / "train.py"
    script.write_text(LINKING.replace("KEYS", repr(str(server.home / "keys"))))
    request = make("links", max_training_jobs=2, max_parallel=1)
    definition = request["TrainingJobDefinition"]
    definition["StaticHyperParameters"]["sagemaker_submit_directory"] = script.parent.as_uri()
    definition["OutputDataConfig"]["S3OutputPath"] = "s3://out"
    definition["CheckpointConfig"] = {"S3Uri": "s3://out/shared"}
    tags = {"alfine:runner": "sandbox", "alfine:checkpoints": "shared"}
    request["Tags"] = [{"Key": name, "Value": text} for name, text in tags.items()]
    client = server.client()
    client.create_hyper_parameter_tuning_job(**request)
    until(client, "links")
    rows = client.list_training_jobs_for_hyper_parameter_tuning_job(HyperParameterTuningJobName="links")
    server.end()
    assert len(rows["TrainingJobSummaries"]) == 2
    for row in rows["TrainingJobSummaries"]:
        assert row["TrainingJobStatus"] == "Failed"
        assert "opt/ml/model is a symbolic link, not a folder" in row["FailureReason"]
    lines = [line for log in server.home.glob("tuning-jobs/*/*/.alfine/log") for line in log.read_text().splitlines()]
    assert [line for line in lines if "found" in line] == []
    assert sum("Checkpoint upload failed" in line for line in lines) == 2
    kept = [Path(above, name) for above, _, names in os.walk(server.home / "buckets") for name in names]
    assert kept
    for data in (path.read_bytes() for path in kept):
        assert server.key[1].encode() not in (gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data)


# ---- what a terminal is sent -------------------------------------------------------------------------------------------

EVIL = "\x1b]0;owned\x07\x1b[2J\x9b31m\r\x08name"


def test_texts_cannot_command_the_terminal():
    assert not set(printable(EVIL)) & {"\x1b", "\x07", "\x9b", "\r", "\x08"}
    screen = io.StringIO()
    Console(file=screen, force_terminal=True, width=80).print(Printable(f"[bold]{EVIL}"))
    assert "\x1b]" not in screen.getvalue()
    assert "\x07" not in screen.getvalue()
    assert "owned" in screen.getvalue()


def test_a_log_keeps_its_colours_and_nothing_else():
    assert printable_log(b"\x1b[31mred\x1b[0m\tx\r\n") == b"\x1b[31mred\x1b[0m\tx\r\n"
    assert b"\x1b" not in printable_log(b"\x1b]0;owned\x07\x1b[2J\x1bP")

"""The AWS CLI against a live server."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.aws.s3.conftest import Served


@pytest.fixture
def aws(served: Served, tmp_path: Path):
    """Runs the AWS CLI; what it prints."""
    environment = os.environ | {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": served.url,
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        "AWS_MAX_ATTEMPTS": "1",
    }

    def run(*arguments: str) -> str:
        command = [str(Path(sys.executable).with_name("aws")), *arguments]
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_the_aws_cli_copies_syncs_lists_and_removes(aws, served: Served, tmp_path: Path):
    source = tmp_path / "source"
    (source / "deep" / "er").mkdir(parents=True)
    (source / "a.csv").write_text("1,2\n")
    (source / "deep" / "er" / "b c.txt").write_text("b")
    (source / "deep" / "big").write_bytes(os.urandom(9 << 20))  # above 8 MB: in parts
    aws("s3", "mb", "s3://of-the-cli")
    aws("s3", "sync", "source", "s3://of-the-cli/data")
    assert (served.store.folder / "of-the-cli/data/deep/er/b c.txt").read_text() == "b"
    assert aws("s3", "sync", "source", "s3://of-the-cli/data") == ""
    listed = aws("s3", "ls", "s3://of-the-cli/data/")
    assert [line.split()[-1] for line in listed.splitlines()] == ["deep/", "a.csv"]
    aws("s3", "cp", "--recursive", "s3://of-the-cli/data", "back")
    for file in ("a.csv", "deep/er/b c.txt", "deep/big"):
        assert (tmp_path / "back" / file).read_bytes() == (source / file).read_bytes()
    aws("s3", "cp", "s3://of-the-cli/data/deep/big", "s3://of-the-cli/copied")
    assert aws("s3", "rm", "--recursive", "s3://of-the-cli/data").count("delete:") == 3
    assert [each.key for each in served.store.list("of-the-cli")] == ["copied"]
    assert not (served.store.folder / "of-the-cli" / "data").exists()

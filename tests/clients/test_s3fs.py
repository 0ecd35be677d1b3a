"""s3fs as it comes from the package index: it wants another botocore than the AWS CLI does, so it has an environment of its own."""

from __future__ import annotations


def test_s3fs_reads_writes_and_lists(flow):
    told = flow("s3fs", "s3fs_files.py")
    assert told["listed"] == told["found"] == ["of-s3fs/data/a b.bin", "of-s3fs/data/c.txt"]
    assert told["same"]
    assert told["size"] == 4
    assert told["gone"]

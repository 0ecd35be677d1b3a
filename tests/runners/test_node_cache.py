"""What a node has fetched is kept within limits; tests/aws/test_real_buckets.py has it with a real S3 and training jobs."""

import subprocess
from pathlib import Path

from alfine.runners.node_cache import INPUTS, LOCK, CacheLimits, NodeCache


def test_a_process_that_has_the_lock_open_keeps_nothing_from_being_removed(tmp_path):
    """One that has just been started has the files of its parent open for a moment."""
    unused = tmp_path / "old" / INPUTS
    unused.mkdir(parents=True)
    (unused / "data").write_text("data")
    cache = NodeCache(tmp_path, CacheLimits(most_bytes=0))
    with cache.using("job"):
        locks = [int(fd.name) for fd in Path("/dev/fd").iterdir() if fd.resolve() == (tmp_path / LOCK).resolve()]
        assert len(locks) == 1
        process = subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, pass_fds=locks)
    try:
        cache.sweep_if_due()
        assert not unused.exists()
    finally:
        process.communicate()

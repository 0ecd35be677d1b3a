"""Input files are parsed once for a tuning job."""

from __future__ import annotations

import numpy as np
import pytest

from alfine.programs.algorithms.parsed_files import SMALL_BYTES, parsed
from alfine.runners.executor import LocalLaunch
from alfine.runners.job_environment import environment
from alfine.runners.job_folder import hosts_of
from alfine.runners.protocol import SHARED_VARIABLE

CONTENT = b"1,2\n" * SMALL_BYTES


@pytest.fixture
def times(monkeypatch, tmp_path):
    """Parse a content as a form, as a training job does; returns how often parsing was needed so far."""
    monkeypatch.setenv(SHARED_VARIABLE, str(tmp_path / "shared"))
    done = []

    def times(content: bytes = CONTENT, form: str = "csv") -> int:
        def parse() -> dict[str, np.ndarray]:
            done.append(content)
            return {"table": np.arange(6.0).reshape(2, 3)}

        assert parsed(form, content, parse)["table"].tolist() == [[0, 1, 2], [3, 4, 5]]
        return len(done)

    return times


def test_a_file_is_parsed_once(times, tmp_path):
    assert [times(), times(), times()] == [1, 1, 1]
    assert len(list((tmp_path / "shared").iterdir())) == 1


def test_another_content_and_another_form_are_parsed_anew(times):
    assert [times(), times(CONTENT + b"3,4\n"), times(form="libsvm")] == [1, 2, 3]


def test_a_broken_file_is_made_anew(times, tmp_path):
    times()
    (kept,) = (tmp_path / "shared").iterdir()
    kept.write_bytes(b"broken")
    assert [times(), times()] == [2, 2]
    kept.write_bytes(kept.read_bytes()[:-50])
    assert times() == 3


def test_small_files_and_training_jobs_without_a_folder_keep_nothing(times, monkeypatch, tmp_path):
    assert [times(b"1"), times(b"1")] == [1, 2]
    monkeypatch.delenv(SHARED_VARIABLE)
    assert [times(), times()] == [3, 4]
    assert not (tmp_path / "shared").exists()


def test_a_training_job_in_a_sandbox_gets_no_shared_folder(tmp_path):
    launch = LocalLaunch(name="one", folder=tmp_path / "one", script=tmp_path / "train.py", shared=tmp_path / "shared")
    (outside,) = hosts_of(launch)
    (inside,) = hosts_of(launch, root=tmp_path)
    assert environment(launch, [], outside)[SHARED_VARIABLE] == str(tmp_path / "shared")
    assert SHARED_VARIABLE not in environment(launch, [], inside)

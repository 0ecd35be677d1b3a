"""The local mode of SDK 2, tuned by an embedded alfine."""

from __future__ import annotations

import sys

import pytest

NOBODY = "http://127.0.0.1:9"


@pytest.mark.clients
def test_local_mode_tunes_with_no_server_and_no_network(flow, tmp_path):
    told = flow(
        "local",
        "local_session.py",
        AWS_ENDPOINT_URL=None,
        AWS_ACCESS_KEY_ID=None,
        AWS_SECRET_ACCESS_KEY=None,
        AWS_DEFAULT_REGION=None,
        AWS_REGION=None,
        PYTHONPATH=None,
        HTTP_PROXY=NOBODY,
        HTTPS_PROXY=NOBODY,
    )
    assert told["status"] == "Completed"
    assert told["objective"] <= 0.9
    assert told["best"] == told["attached"]
    assert 0 < told["completed"] <= told["rows"] < 20  # the criterion may have stopped one
    assert told["model"].startswith((tmp_path / "home").as_uri())
    assert (told["pressed"], told["slow"]) == (True, "Stopped")
    assert (told["heard"], told["dropped"]) == (True, "Stopped")  # though Python dropped the KeyboardInterrupt
    assert told["one"] == "Stopped"  # though the SDK did


def test_without_the_sdk_its_missing_is_said(monkeypatch):
    for name in ("sagemaker", "alfine.sagemaker", "alfine.api.local_mode"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "sagemaker", None)  # as if it weren't installed
    with pytest.raises(ImportError, match="pip install 'sagemaker<3'"):
        import alfine.sagemaker  # noqa: F401

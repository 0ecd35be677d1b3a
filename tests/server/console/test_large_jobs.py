"""The page of a tuning job with many training jobs comes at once, and shows the same in the end."""

import threading
from dataclasses import replace
from types import SimpleNamespace

import pytest
from starlette.requests import Request

import alfine
from alfine.jobs.home import Home
from alfine.server.console import insights, tuning_job
from alfine.server.console.events import state_of_tuning_job
from alfine.server.console.insights import Insights
from alfine.server.console.page_request import ConsoleBackend, PageRequest

PATIENCE_SECONDS = 60.0


@pytest.fixture
def request_of_page(tmp_path):
    """The request of the page of a job of 105 training jobs, which has ended."""
    space = {"x": alfine.Continuous(0, 1)}
    words = {"strategy": "Random", "seed": 1, "max_training_jobs": 105, "max_parallel": 4, "progress": False}
    alfine.tune(lambda values: values["x"] - 1, space, name="large", home=tmp_path, price_per_hour=3600, **words)
    with Home(tmp_path) as home:
        scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"sort=objective", "headers": []}
        shown = ConsoleBackend(home.service, None, None, None, Insights(home.service, tuning_job.draw), None)
        session = SimpleNamespace(token="t", user="u")
        yield PageRequest(Request({**scope, "path_params": {"name": "large"}}), session, shown, False)


def body(request):
    return tuning_job.page(request).body.decode()


def drawn():
    """Wait for what is drawn aside."""
    for thread in threading.enumerate():
        if thread.name == "alfine-insights":
            thread.join(PATIENCE_SECONDS)


def test_a_large_jobs_page_comes_at_once_and_shows_the_same_in_the_end(request_of_page, monkeypatch):
    before = state_of_tuning_job(request_of_page)
    first = body(request_of_page)
    assert "Being computed" in first
    assert "data-events" in first  # the stream tells when the rest is there
    drawn()
    assert state_of_tuning_job(request_of_page) != before
    whole = body(request_of_page)
    assert ("Being computed" in whole, "data-events" in whole, "as of" in whole) == (False, False, False)
    monkeypatch.setattr(insights, "SMALL", 105)
    assert whole == body(request_of_page)


def test_a_drawing_that_fails_is_logged_and_tried_again_at_the_next_view(request_of_page, caplog):
    broken = Insights(request_of_page.service, lambda *_: 1 / 0)
    request = replace(request_of_page, backend=replace(request_of_page.backend, insights=broken))
    for views in (1, 2):
        assert "Being computed" in body(request)
        drawn()
        assert caplog.text.count("can't make insights of tuning_job=large") == views

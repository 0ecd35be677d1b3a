"""A server with buckets of its own isn't ready while another one, with a real S3, shares its database."""

import asyncio
import json

from alfine.jobs.home import Home
from alfine.server.health import Readiness


def told(home):
    answer = asyncio.run(Readiness(home.store, lambda: "", home.refuse_own_buckets).readyz(None))
    return answer.status_code, json.loads(answer.body).get("reason", "")


def test_a_server_whose_buckets_others_do_not_have_is_not_ready(tmp_path, postgres_url):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "alfine.toml").write_text('[s3]\nendpoint = "http://127.0.0.1:9"\n')
    with Home(tmp_path / "own", store=postgres_url) as own, Home(tmp_path / "real", store=postgres_url) as real:
        own.announce("http://own")
        assert told(own) == (200, "")
        real.announce("http://real")
        assert told(real) == (200, "")
        status, reason = told(own)
    assert (status, "set [s3] endpoint" in reason, "http" in reason) == (503, True, False)

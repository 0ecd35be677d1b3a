"""What an operator watches: /metrics, /readyz, and the log as JSON."""

import base64
import json
import logging
import urllib.error
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from alfine import Continuous
from alfine.api.job_words import job_request
from alfine.cli.log_format import JsonFormatter
from alfine.core.errors import InvalidSpec
from alfine.store.access_keys import KeyFiles
from alfine.store.config import Config
from alfine.store.operating_settings import Metrics
from tests.aws.conftest import Served
from tests.aws.conftest import until as until_status
from tests.cli.conftest import until
from tests.store.damage import execute


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    (home / "alfine.toml").write_text(
        '[server]\nlog_format = "json"\n[limits]\nparallel_training_jobs = 4\ndisk = "1 TB"\n[run]\ngpus = ["0", "1"]\n'
    )
    server = Served(home, signed=True)
    yield server
    server.end()


@pytest.fixture(scope="module")
def key(server):
    (made,) = KeyFiles(server.home).all()
    return {"aws_access_key_id": made.id, "aws_secret_access_key": made.secret}


def read(server, path, user=None, password=""):
    headers = {}
    if user is not None:
        headers["Authorization"] = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    try:
        with urllib.request.urlopen(urllib.request.Request(server.url + path, headers=headers)) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def samples(text):
    """The samples of a text by name and labels, as Prometheus's own parser reads them."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_metrics_count_jobs_steps_and_requests_for_whoever_has_a_key(server, key, tmp_path):
    script = tmp_path / "train.py"
    script.write_text("print('loss=1')")
    client = server.client(**key)
    space = {"x": Continuous(0, 1)}
    words = {"metric": "loss", "strategy": "Random", "max_training_jobs": 3}
    client.create_hyper_parameter_tuning_job(**job_request(name="counted", space=space, script=script, **words))
    until_status(client, "counted")
    client.close()
    status, text = read(server, "/metrics", key["aws_access_key_id"], key["aws_secret_access_key"])
    counted = samples(text)
    assert status == 200
    assert counted["alfine_tuning_jobs", "Completed"] == 1
    assert counted["alfine_training_jobs", "Completed"] == 3
    assert counted["alfine_training_jobs", "InProgress"] == counted["alfine_training_jobs_waiting",] == 0
    assert counted["alfine_http_requests_total", "POST", "200"] > 1
    assert counted["alfine_suggestion_seconds_count",] >= 1
    assert counted["alfine_step_seconds_bucket", "+Inf"] == counted["alfine_step_seconds_count",] >= 3
    assert counted["process_open_fds",] > 0
    assert counted["alfine_home_bytes",] > 0
    assert (counted["alfine_gpu_taken", "0"], counted["alfine_gpu_taken", "1"]) == (0, 0)


def test_a_job_beyond_a_quota_gets_awss_error(server, key, tmp_path):
    script = tmp_path / "train.py"
    script.write_text("")
    client = server.client(**key)
    words = {"metric": "loss", "max_training_jobs": 9, "max_parallel": 5}
    with pytest.raises(
        client.exceptions.ResourceLimitExceeded, match="is 4, with current utilization of 0 and a request"
    ):
        client.create_hyper_parameter_tuning_job(
            **job_request(name="wide", space={"x": Continuous(0, 1)}, script=script, **words)
        )
    client.close()


@pytest.mark.parametrize(("user", "password"), [(None, ""), ("nobody", ""), ("../keys", "x"), ("", "")])
def test_metrics_are_refused_without_a_key(server, user, password):
    assert read(server, "/metrics", user, password)[0] == 401


def test_a_wrong_secret_is_refused(server, key):
    assert read(server, "/metrics", key["aws_access_key_id"], "wrong")[0] == 401


def test_a_bucket_may_still_be_called_metrics(server, key):
    client = server.client("s3", **key)
    client.create_bucket(Bucket="metrics")
    assert client.list_objects_v2(Bucket="metrics")["KeyCount"] == 0
    client.close()


def test_hosts_are_addresses_and_networks(tmp_path):
    settings = Metrics(hosts=("10.0.0.0/8", "::1"))
    assert [settings.admits(host) for host in ("10.9.8.7", "::1", "11.0.0.1", "")] == [True, True, False, False]
    (tmp_path / "alfine.toml").write_text('[metrics]\nhosts = ["prometheus"]\n')
    with pytest.raises(InvalidSpec, match=r"\[metrics\] hosts: 'prometheus' is no address and no network"):
        Config.at(tmp_path)


def test_a_server_is_unready_while_its_database_does_not_answer(server):
    """The last test of this server: it reads its log, which then has lines."""
    assert read(server, "/readyz") == (200, '{"status":"ready","version":"0.1.0"}')
    execute(server.home, "ALTER TABLE tuning_jobs RENAME TO lost")
    until(lambda: read(server, "/readyz")[0] == 503, "unready")
    assert json.loads(read(server, "/readyz")[1])["reason"] == "The database doesn't answer."
    assert read(server, "/healthz")[0] == 200
    execute(server.home, "ALTER TABLE lost RENAME TO tuning_jobs")
    until(lambda: read(server, "/readyz")[0] == 200, "ready again")
    lines = (json.loads(line) for line in server.process.stdout if line.startswith("{"))
    found = next(line for line in lines if line["logger"] == "alfine.server.health")
    assert found["level"] == "ERROR"
    assert "no such table" in found["exception"]
    assert found["time"].endswith("+00:00")


def test_a_json_line_names_the_jobs_that_the_message_is_about_and_none_that_it_quotes():
    record = logging.LogRecord(
        "alfine.jobs", logging.INFO, __file__, 1, "%d%% of tuning_job=%s: %s", (9, "mine", "tuning_job=other"), None
    )
    line = json.loads(JsonFormatter().format(record))
    assert (line["message"], line["tuning_job"]) == ("9% of tuning_job=mine: tuning_job=other", "mine")
    assert "training_job" not in line

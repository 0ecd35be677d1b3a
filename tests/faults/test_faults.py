"""A few seconds of faults and of spoilt requests; `make faults` does it for as long as one likes. docs/explanation/faults.md says what is done and what must hold."""

import errno
import threading

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.aws.conftest import KEYS
from tests.faults.control import FOREVER, Action, Calls, Roles, compiler
from tests.faults.rounds import Rounds
from tests.faults.states import States
from tests.missing import missing

SECONDS = 1.5
JOBS = 3
REQUESTS = 25

CLIENTS = 12
"""At the same time; more than the connections to the database that a server keeps open."""


@pytest.fixture(scope="module")
def rounds(tmp_path_factory):
    if compiler() is None:
        missing("a C compiler", "apt-get install gcc libc6-dev")
    found = Rounds(tmp_path_factory.mktemp("world"), seed=1)
    found.world.start()
    yield found
    found.world.end()


def test_a_server_writes_again_once_its_database_can_be_written_again(rounds):
    """Where SQLite may not write a file it opens it for reading, and the connection would stay so."""
    traffic = rounds.traffic
    arn = traffic.look(traffic.create(most=1, long=False))["HyperParameterTuningJobArn"]

    def writes():
        return traffic.ask("add_tags", ResourceArn=arn, Tags=[{"Key": "a", "Value": "b"}]) is not None

    def reads():
        return traffic.ask("list_tags", ResourceArn=arn)

    words = {"number": errno.EACCES, "times": FOREVER, "part": "alfine.db"}
    with rounds.world.control.armed(Calls.OPEN_TO_WRITE, Roles.SERVER, Action.FAIL, **words) as met:
        while not met()[0]:  # once so many read at a time that one more connection is opened
            threads = [threading.Thread(target=reads) for _ in range(CLIENTS)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    traffic.violations.clear()  # answers of 500 during the fault
    assert all(writes() for _ in range(CLIENTS))


def test_requests_are_answered_with_503_while_the_disk_answers_with_errors(rounds):
    control, sagemaker = rounds.world.control, rounds.world.client()
    s3 = boto3.client("s3", endpoint_url=rounds.world.url, config=Config(retries={"total_max_attempts": 1}), **KEYS)
    s3.create_bucket(Bucket="on-a-bad-disk")
    s3.put_object(Bucket="on-a-bad-disk", Key="object", Body=b"body")
    arn = rounds.traffic.look(rounds.traffic.create(most=1, long=False))["HyperParameterTuningJobArn"]
    asked = {
        ("alfine.db", Calls.WRITE): lambda: sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "a", "Value": "b"}]),
        ("on-a-bad-disk", Calls.OPEN_TO_READ): lambda: s3.get_object(Bucket="on-a-bad-disk", Key="object"),
    }
    for (part, calls), ask in asked.items():
        words = {"number": errno.EIO, "times": FOREVER, "part": part}
        with control.armed(calls, Roles.SERVER, Action.FAIL, **words), pytest.raises(ClientError) as refused:
            ask()
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503, part
        assert refused.value.response["Error"]["Code"] == "ServiceUnavailable", part
        assert "answers with errors" in str(refused.value), part
        assert ask(), part


@pytest.mark.parametrize("number", [errno.ENOENT, errno.EIO])
def test_a_start_that_a_launcher_could_not_read_is_asked_for_again(rounds, number):
    """The launcher said nothing, so the training job was taken to wait for its start as long as the launcher ran."""
    words = {"number": number, "times": 2, "part": "launch.json"}
    with rounds.world.control.armed(Calls.OPEN_TO_READ, Roles.LAUNCHER, Action.FAIL, **words) as met:
        asked = rounds.traffic.create(most=1, long=False, warm=False)
        assert rounds.status_at_end(asked) == "Completed"
        assert met()[0] == 2


def test_faults_lose_nothing_and_double_nothing(rounds):
    rounds.round(SECONDS, JOBS)
    assert rounds.violations == [], rounds.report()
    assert rounds.faults.total() > 0


def test_what_was_accepted_breaks_nothing_later(rounds):
    states = States(rounds.world, seed=1)
    states.run(REQUESTS)
    assert states.violations == [], states.report()
    assert states.counts["looks"] > REQUESTS

"""STS AssumeRole: temporary keys that are made from the caller's own."""

from __future__ import annotations

import urllib.request
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from alfine.aws.auth import session_keys
from tests.aws.test_keys import Locked, key_of, keys

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ROLE = "arn:aws:iam::000000000000:role/any"


@pytest.fixture(scope="module")
def locked(tmp_path_factory):
    server = Locked(tmp_path_factory.mktemp("home"))
    yield server
    server.end()


def clients(server, credentials):
    """A function of a service: a client with temporary credentials."""
    words = {
        "aws_access_key_id": credentials["AccessKeyId"],
        "aws_secret_access_key": credentials["SecretAccessKey"],
        "aws_session_token": credentials["SessionToken"],
        "region_name": "us-east-1",
    }
    config = Config(retries={"total_max_attempts": 1}, signature_version="s3v4")
    return lambda name, **more: boto3.client(
        name, endpoint_url=server.url, **{**words, **more}, **({"config": config} if name == "s3" else {})
    )


def test_a_temporary_key_signs_until_the_key_that_it_was_made_from_is_deleted(locked):
    own = key_of(locked.home)
    told = locked.client("sts", own).assume_role(RoleArn=ROLE, RoleSessionName="notebook", DurationSeconds=900)
    assert told["AssumedRoleUser"]["Arn"] == "arn:aws:sts::000000000000:assumed-role/any/notebook"
    left = told["Credentials"]["Expiration"] - datetime.now(UTC)
    assert timedelta(minutes=13) < left <= timedelta(minutes=15)
    assert own[1] not in str(told)
    client = clients(locked, told["Credentials"])
    assert client("sagemaker").list_training_jobs()["TrainingJobSummaries"] == []
    s3 = client("s3")
    s3.create_bucket(Bucket="by-role")
    s3.put_object(Bucket="by-role", Key="k", Body=b"kept")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "by-role", "Key": "k"})

    with urllib.request.urlopen(url) as answer:
        assert answer.read() == b"kept"
    again = client("sts").assume_role(RoleArn=ROLE, RoleSessionName="nested")["Credentials"]
    assert clients(locked, again)("iam").list_roles()["Roles"]
    with pytest.raises(ClientError, match="InvalidClientTokenId|UnrecognizedClientException"):
        client("sagemaker", aws_session_token=told["Credentials"]["SessionToken"][:-1] + "x").list_training_jobs()
    with pytest.raises(ClientError, match="signature"):
        client("sagemaker", aws_secret_access_key="another").list_training_jobs()
    assert keys(locked.home, "delete", own[0])[0] == 0
    with pytest.raises(ClientError, match="UnrecognizedClientException"):
        client("sagemaker").list_training_jobs()


def test_a_token_is_good_for_its_key_and_its_time_only():
    secrets = {"AKIA": "secret", "OTHER": "another"}
    made = session_keys.make("AKIA", "secret", NOW, 900)

    def found(access_key=made.id, token=made.token, after=0):
        return session_keys.find(access_key, token, secrets.get, NOW + timedelta(seconds=after))

    assert found() == ("AKIA", made.secret) == found(after=899)
    assert "secret" not in (made.secret, made.token)
    assert made.secret not in repr(made)
    later = made.token.replace(made.token.split(".")[2], "9999999999")
    for wrong in ("", "...", "x", made.token + "0", later, made.token.replace("AKIA", "OTHER", 1), "é.é.é.é"):
        assert found(token=wrong) is None, wrong
    assert found(access_key="ASIAOTHER") is None
    assert found(after=900) is None
    assert made.token != session_keys.make("AKIA", "secret", NOW, 900).token

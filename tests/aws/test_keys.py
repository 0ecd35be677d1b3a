"""Keys: with one, every request must be signed with it, and alfine may listen where other machines reach it."""

import base64
import hashlib
import http.client
import io
import json
import re
import shutil
import subprocess
import urllib.error
import urllib.request
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from click.testing import CliRunner

from alfine.aws.auth.sigv4 import Chain, signing_key
from alfine.cli import main
from tests.aws.conftest import Served
from tests.aws.test_guard import post
from tests.missing import missing

SESSION = boto3.Session()  # its clients share the models that it loaded
ODD = "a b/ü+&=~(1)*'!%2F//.txt"
CALLS = {
    "sagemaker": "list_hyper_parameter_tuning_jobs",
    "sts": "get_caller_identity",
    "cloudwatch": "list_metrics",
    "s3": "list_buckets",
}


def keys(home, *words):
    run = CliRunner().invoke(main, ["--home", str(home), "keys", *words], catch_exceptions=False)
    return run.exit_code, run.stdout, run.stderr


def key_of(home):
    key = json.loads(keys(home, "create", "--json")[1])["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]


class Locked(Served):
    """A server whose home has a key."""

    def __init__(self, home, *words):
        self.home, self.key = home, key_of(home)
        super().__init__(home, *words, signed=True)

    def client(self, name="sagemaker", key=None, region="us-east-1", **config):
        settings = Config(retries={"total_max_attempts": 1}, **config)
        id_, secret = key or self.key
        words = {"aws_access_key_id": id_, "aws_secret_access_key": secret, "region_name": region, "config": settings}
        return SESSION.client(name, endpoint_url=self.url, **words)


@pytest.fixture(scope="module")
def locked(tmp_path_factory):
    server = Locked(tmp_path_factory.mktemp("home"))
    server.client("s3").create_bucket(Bucket="here")
    yield server
    server.end()


def code(call, *words, **more):
    with pytest.raises(ClientError) as error:
        call(*words, **more)
    return error.value.response["Error"]["Code"]


@pytest.mark.parametrize("service", CALLS)
def test_what_is_signed_with_a_key_is_answered(locked, service):
    assert getattr(locked.client(service), CALLS[service])()["ResponseMetadata"]["HTTPStatusCode"] == 200


@pytest.mark.parametrize(
    ("service", "unknown", "wrong", "elsewhere"),
    [
        ("sagemaker", "UnrecognizedClientException", "InvalidSignatureException", "InvalidSignatureException"),
        ("sts", "InvalidClientTokenId", "SignatureDoesNotMatch", "SignatureDoesNotMatch"),
        ("cloudwatch", "UnrecognizedClientException", "InvalidSignatureException", "InvalidSignatureException"),
        ("s3", "InvalidAccessKeyId", "SignatureDoesNotMatch", "AuthorizationHeaderMalformed"),
    ],
)
def test_another_key_or_region_is_refused_as_the_service_does(locked, service, unknown, wrong, elsewhere):
    id_, secret = locked.key
    assert code(getattr(locked.client(service, ("AKIAQQQQQQQQQQQQQQQQ", secret)), CALLS[service])) == unknown
    assert code(getattr(locked.client(service, (id_, f"{secret}x")), CALLS[service])) == wrong
    assert code(getattr(locked.client(service, region="eu-west-1"), CALLS[service])) == elsewhere


def test_a_request_without_a_signature_is_refused_as_the_service_does(locked):
    target = {"X-Amz-Target": "SageMaker.ListHyperParameterTuningJobs", "Content-Type": "application/x-amz-json-1.1"}
    assert json.loads(post(locked, target)[1])["__type"] == "MissingAuthenticationTokenException"
    status, text = post(locked, {"Content-Type": "application/x-www-form-urlencoded"}, b"Action=GetCallerIdentity")
    assert (status, b"<Code>MissingAuthenticationToken</Code>" in text) == (403, True)
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(f"{locked.url}/here/file")
    assert b"<Code>AccessDenied</Code>" in error.value.read()
    error.value.close()


def test_health_needs_no_signature(locked):
    with urllib.request.urlopen(f"{locked.url}/healthz") as answer:
        assert json.load(answer)["status"] == "ok"


def test_buckets_work_signed(locked):
    s3 = locked.client("s3")
    s3.put_object(Bucket="here", Key=ODD, Body=b"body", Metadata={"a": "b  c"}, ContentType="text/plain")
    assert s3.get_object(Bucket="here", Key=ODD)["Body"].read() == b"body"
    assert s3.list_objects_v2(Bucket="here", Prefix="a b/ü+")["KeyCount"] == 1
    s3.upload_fileobj(io.BytesIO(bytes(9 << 20)), "here", "big")  # in two parts
    assert s3.head_object(Bucket="here", Key="big")["ContentLength"] == 9 << 20
    s3.delete_objects(Bucket="here", Delete={"Objects": [{"Key": "big"}, {"Key": ODD}]})
    assert s3.list_objects_v2(Bucket="here")["KeyCount"] == 0


def test_a_presigned_url_works_for_what_it_was_signed_for(locked):
    s3 = locked.client("s3", signature_version="s3v4")
    s3.put_object(Bucket="here", Key=ODD, Body=b"body")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "here", "Key": ODD}, ExpiresIn=60)
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == b"body"
    for other in (url.replace("Expires=60", "Expires=61"), url.replace("/here/a", "/here/b")):
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(other)
        assert b"SignatureDoesNotMatch" in error.value.read()
        error.value.close()
    s3.delete_object(Bucket="here", Key=ODD)


def presigned_by_default(locked, operation="get_object", key=ODD, seconds=60, signer=None, **params):
    """What boto3 makes of a URL in us-east-1 unless told otherwise: Signature Version 2."""
    client = locked.client("s3", signer)
    url = client.generate_presigned_url(operation, Params={"Bucket": "here", "Key": key, **params}, ExpiresIn=seconds)
    assert "AWSAccessKeyId=" in url
    return url


def opened(url, method="GET", **headers):
    """(status, body) of what is at a URL."""
    request = urllib.request.Request(url, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def test_a_url_presigned_with_boto3s_defaults_reads_its_object(locked):
    locked.client("s3").put_object(Bucket="here", Key=ODD, Body=b"body")
    assert opened(presigned_by_default(locked)) == (200, b"body")
    assert opened(presigned_by_default(locked, "head_object"), "HEAD") == (200, b"")
    named = presigned_by_default(locked, ResponseContentDisposition='attachment; filename="a+b&c.txt"')
    with urllib.request.urlopen(named) as answer:
        assert answer.headers["content-disposition"] == 'attachment; filename="a+b&c.txt"'
    locked.client("s3").delete_object(Bucket="here", Key=ODD)


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        (lambda url: url.replace("/here/a", "/here/b"), b"SignatureDoesNotMatch"),
        (lambda url: re.sub(r"Expires=\d+", "Expires=9999999999", url), b"SignatureDoesNotMatch"),
        (lambda url: f"{url}&response-content-type=text%2Fhtml", b"SignatureDoesNotMatch"),
        (lambda url: f"{url}&tagging", b"AuthorizationQueryParametersError"),
        (lambda url: f"{url}&Expires=9999999999", b"AuthorizationQueryParametersError"),
        (lambda url: url.replace("AKIA", "AKIB", 1), b"InvalidAccessKeyId"),
    ],
)
def test_such_a_url_holds_for_nothing_else(locked, change, wanted):
    status, text = opened(change(presigned_by_default(locked)))
    assert (status in (400, 403), wanted in text) == (True, True), text


def test_such_a_url_holds_for_the_bucket_that_its_host_names(locked):
    locked.client("s3").put_object(Bucket="here", Key="key", Body=b"body")
    path = presigned_by_default(locked, key="key")
    assert b"SignatureDoesNotMatch" in opened(path, Host="here.localhost")[1]
    assert opened(path.replace("/here/key", "/key"), Host="here.localhost") == (200, b"body")
    assert b"SignatureDoesNotMatch" in opened(path.replace("/here/key", "/key"), Host="other.localhost")[1]
    locked.client("s3").delete_object(Bucket="here", Key="key")


def test_such_a_url_is_held_to_the_same_limits(locked):
    url = presigned_by_default(locked)
    assert b"Request has expired" in opened(presigned_by_default(locked, seconds=-5))[1]
    assert b"at most 604800 seconds" in opened(presigned_by_default(locked, seconds=8 * 24 * 3600))[1]
    assert b"SignatureDoesNotMatch" in opened(presigned_by_default(locked, signer=(locked.key[0], "wrong")))[1]
    assert opened(url, **{"x-amz-acl": "private"})[0] == 400
    assert b"Please use AWS4-HMAC-SHA256" in opened(presigned_by_default(locked, "put_object"), "PUT")[1]
    assert b"Please use AWS4-HMAC-SHA256" in opened(url, "DELETE")[1]


class Streaming(S3SigV4Auth):
    """Signs what the body will say of itself."""

    def __init__(self, key, kind):
        super().__init__(Credentials(*key), "s3", "us-east-1")
        self.kind = kind

    def payload(self, request):
        return self.kind


def put_streaming(locked, kind, body_of, **more):
    """(status, answer, key) of a PUT whose body is made by body_of(chain)."""
    key = f"streamed-{kind.lower()}"
    headers = {"Host": urlsplit(locked.url).netloc, "x-amz-decoded-content-length": "66560", **more}
    request = AWSRequest("PUT", f"{locked.url}/here/{key}", headers=headers)
    Streaming(locked.key, kind).add_auth(request)
    found = re.search(r"Credential=[^/]+/(.*?), .*Signature=(\w+)", request.headers["Authorization"])
    scope, seed = found.groups()
    signing = signing_key(locked.key[1], *scope.split("/")[:3])
    chain = Chain(request.headers["X-Amz-Date"], scope, signing, seed, trailers=kind.endswith("TRAILER"))
    connection = http.client.HTTPConnection(urlsplit(locked.url).netloc, timeout=30)
    connection.request("PUT", f"/here/{key}", body=body_of(chain), headers=dict(request.headers.items()))
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, text, key


def chunks(chain, trailers):
    body, before = b"", chain.seed
    for size in (65536, 1024, 0):
        data = b"a" * size
        before = chain.chunk(before, hashlib.sha256(data).hexdigest())
        body += b"%x;chunk-signature=%s\r\n%s" % (size, before.encode(), data + b"\r\n" * (size > 0))
    if trailers:
        body += trailers + b"\r\nx-amz-trailer-signature:" + chain.trailer(before, trailers + b"\n").encode() + b"\r\n"
    return body + b"\r\n"


CRC = {"x-amz-trailer": "x-amz-checksum-crc32c"}
TRAILER = b"x-amz-checksum-crc32c:sOO8/Q=="
KINDS = {
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD": ({}, b""),
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER": (CRC, TRAILER),
}


@pytest.mark.parametrize("kind", KINDS)
def test_signed_chunks_are_stored_and_spoilt_ones_are_not(locked, kind):
    headers, trailers = KINDS[kind]
    for old, new, wanted in [(b"aaaa", b"aaab", 403), (b"signature=", b"signature=0", 403), (b"", b"", 200)]:

        def body(chain, old=old, new=new):
            return chunks(chain, trailers).replace(old, new, 1)

        status, text, key = put_streaming(locked, kind, body, **headers)
        assert status == wanted, text
    assert locked.client("s3").get_object(Bucket="here", Key=key)["Body"].read() == b"a" * 66560


def test_unsigned_chunks_with_a_trailer_are_held_against_it(locked):
    def body(_):
        return b"10400\r\n" + b"a" * 66560 + b"\r\n0\r\n" + TRAILER + b"\r\n\r\n"

    kind = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    assert put_streaming(locked, kind, body, **CRC)[0] == 200
    assert put_streaming(locked, kind, lambda chain: body(chain).replace(b"aaa", b"aab", 1), **CRC)[0] == 400


@pytest.mark.parametrize("kind", ["", "x", "A" * 64, "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"])
def test_a_payload_that_names_no_hash_is_refused(locked, kind):
    status, text, _ = put_streaming(locked, kind, lambda _: b"a" * 66560)
    assert status == 400, text


def test_another_body_than_the_signed_one_is_refused_and_nothing_is_stored(locked):
    hash_of_other = hashlib.sha256(b"other").hexdigest()
    status, text, key = put_streaming(locked, hash_of_other, lambda _: b"a" * 66560)
    assert (status, b"XAmzContentSHA256Mismatch" in text) == (400, True)
    assert code(locked.client("s3").head_object, Bucket="here", Key=key) == "404"


def test_a_new_key_works_at_once_and_a_deleted_one_no_longer(locked):
    key = key_of(locked.home)
    client = locked.client(key=key)
    client.list_hyper_parameter_tuning_jobs()
    assert keys(locked.home, "delete", key[0])[0] == 0
    assert code(client.list_hyper_parameter_tuning_jobs) == "UnrecognizedClientException"
    client.close()


def test_without_its_last_key_a_server_answers_nobody_until_there_is_another(tmp_path):
    server = Locked(tmp_path)
    assert "no request is answered" in keys(tmp_path, "delete", server.key[0])[2]
    assert "There are no keys" in keys(tmp_path, "list")[1]
    assert code(server.client().list_hyper_parameter_tuning_jobs) == "UnrecognizedClientException"
    server.client(key=key_of(tmp_path)).list_hyper_parameter_tuning_jobs()
    server.end()


def test_a_secret_is_shown_once_and_only_its_owner_can_read_it(tmp_path):
    _, shown, _ = keys(tmp_path, "create")
    id_, secret = re.search(r"AWS_ACCESS_KEY_ID=(AKIA[A-Z2-7]{16}) AWS_SECRET_ACCESS_KEY=(\S{40})", shown).groups()
    assert id_ in keys(tmp_path, "list")[1]
    assert [each["AccessKeyId"] for each in json.loads(keys(tmp_path, "list", "--json")[1])["AccessKeyMetadata"]] == [
        id_
    ]
    assert secret not in keys(tmp_path, "list")[1] + keys(tmp_path, "list", "--json")[1]
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "keys" / id_).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["AKIAQQQQQQQQQQQQQQQQ", "../alfine.db", "", "AKIA"])
def test_a_key_that_isnt_there_cant_be_deleted(tmp_path, name):
    (tmp_path / "alfine.db").touch()
    status, _, said = keys(tmp_path, "delete", name)
    assert (status, "There is no access key" in said) == (1, True)
    assert (tmp_path / "alfine.db").exists()


# ---- TLS ---------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory):
    """A server with a certificate, and what its clients check it by."""
    folder = tmp_path_factory.mktemp("tls")
    if shutil.which("openssl") is None:
        missing("openssl", "apt-get install openssl")
    cert, key = folder / "cert.pem", folder / "key.pem"
    made = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=127.0.0.1",
    ]
    made += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)]
    subprocess.run(made, check=True, capture_output=True)
    server = Locked(folder / "home", "--tls-cert", str(cert), "--tls-key", str(key))
    yield server, cert
    server.end()


def test_over_tls_clients_send_their_own_unsigned_chunks_with_a_trailer(encrypted):
    server, cert = encrypted
    assert server.url.startswith("https://")
    id_, secret = server.key
    words = {"aws_access_key_id": id_, "aws_secret_access_key": secret, "region_name": "us-east-1", "verify": str(cert)}
    s3 = SESSION.client("s3", endpoint_url=server.url, config=Config(retries={"total_max_attempts": 1}), **words)
    sent = []
    s3.meta.events.register("before-send.s3.PutObject", lambda request, **_: sent.append(request.headers))
    s3.create_bucket(Bucket="here")
    s3.put_object(Bucket="here", Key=ODD, Body=io.BytesIO(b"a" * 100_000))
    assert sent[0]["X-Amz-Content-SHA256"] in (
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        b"STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    )
    assert s3.get_object(Bucket="here", Key=ODD)["Body"].read() == b"a" * 100_000
    s3.put_object(Bucket="here", Key="md5", Body=b"x", ContentMD5=base64.b64encode(hashlib.md5(b"x").digest()).decode())
    sagemaker = SESSION.client("sagemaker", endpoint_url=server.url, **words)
    assert sagemaker.list_hyper_parameter_tuning_jobs()["HyperParameterTuningJobSummaries"] == []
    s3.close()
    sagemaker.close()


def test_one_line_makes_clients_trust_the_certificate_beside_the_public_ones(encrypted, monkeypatch):
    server, cert = encrypted
    shown = CliRunner().invoke(main, ["--home", str(server.home), "client", "--json"], catch_exceptions=False)
    for name, value in json.loads(shown.stdout).items():
        monkeypatch.delenv(name, raising=False) if value is None else monkeypatch.setenv(name, value)
    client = boto3.Session().client("sagemaker")
    assert client.list_hyper_parameter_tuning_jobs()["HyperParameterTuningJobSummaries"] == []
    client.close()
    bundle = (server.home / "client" / "certificates.pem").read_text()
    assert bundle.endswith(cert.read_text())
    assert bundle.count("BEGIN CERTIFICATE") > 50


def test_a_certificate_that_is_none_is_told_at_once(tmp_path):
    (tmp_path / "none.pem").write_text("none")
    words = ["serve", "--port", "0", "--tls-cert", str(tmp_path / "none.pem")]
    both = [*words, "--tls-key", str(tmp_path / "none.pem")]
    for given, said in ((words, "--tls-key"), (both, "aren't a certificate and its key")):
        run = CliRunner().invoke(main, ["--home", str(tmp_path), *given], catch_exceptions=False)
        assert run.exit_code == 2
        assert said in run.output


# ---- beyond loopback ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def reachable(tmp_path_factory):
    """On all addresses, with a name of its own."""
    home = tmp_path_factory.mktemp("reachable")
    (home / "alfine.toml").write_text('[server]\nhosts = ["Tuner.example"]\n')
    server = Locked(home, "--host", "0.0.0.0")
    server.url = server.url.replace("0.0.0.0", "127.0.0.1")
    yield server
    server.end()


def test_with_a_key_it_listens_on_every_address(reachable):
    reachable.client().list_hyper_parameter_tuning_jobs()


@pytest.mark.parametrize(
    ("host", "wanted"),
    [
        ("tuner.example:8765", 400),
        ("TUNER.example", 400),
        ("bucket.tuner.example", 400),
        ("127.0.0.1", 400),
        ("10.9.8.7", 403),
        ("evil.example", 403),
        ("eviltuner.example", 403),
        ("tuner.example.evil.example", 403),
        ("", 403),
    ],
)
def test_only_its_own_names_and_addresses_get_past_the_guard(reachable, host, wanted):
    status, text = post(reachable, {"X-Amz-Target": "SageMaker.ListHyperParameterTuningJobs", "Host": host})
    assert status == wanted, text  # 400: past the guard, and not signed


def test_beyond_loopback_nothing_is_open_even_when_the_last_key_is_deleted(reachable):
    client = reachable.client()
    client.list_hyper_parameter_tuning_jobs()
    keys(reachable.home, "delete", reachable.key[0])
    assert code(client.list_hyper_parameter_tuning_jobs) == "UnrecognizedClientException"
    reachable.key = key_of(reachable.home)

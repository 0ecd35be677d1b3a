"""boto3 against a live server."""

from __future__ import annotations

import io
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError

from tests.aws.s3.conftest import Served


def refused(call: Any, **arguments: Any) -> tuple[int, str]:
    with pytest.raises(ClientError) as error:
        call(**arguments)
    response = error.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


def keys(page: dict[str, Any]) -> list[str]:
    return [each["Key"] for each in page.get("Contents", [])]


def prefixes(page: dict[str, Any]) -> list[str]:
    return [each["Prefix"] for each in page.get("CommonPrefixes", [])]


def test_buckets_are_listed_in_pages_by_prefix_and_region(s3):
    for name, region in {"pages-a": "eu-west-1", "pages-b": "us-east-2", "pages-c": "eu-west-1"}.items():
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": region})
    pages = s3.get_paginator("list_buckets").paginate(Prefix="pages-", PaginationConfig={"PageSize": 2})
    assert [[each["Name"] for each in page["Buckets"]] for page in pages] == [["pages-a", "pages-b"], ["pages-c"]]
    there = s3.list_buckets(Prefix="pages-", BucketRegion="eu-west-1")["Buckets"]
    assert [each["Name"] for each in there] == ["pages-a", "pages-c"]


def test_nothing_is_deleted_on_a_condition_that_nobody_checks(s3):
    s3.create_bucket(Bucket="conditions")
    s3.put_object(Bucket="conditions", Key="k", Body=b"")
    one = {"Objects": [{"Key": "k", "ETag": '"of another"'}]}
    assert refused(s3.delete_objects, Bucket="conditions", Delete=one) == (501, "NotImplemented")
    assert refused(s3.delete_object, Bucket="conditions", Key="k", IfMatchSize=7) == (501, "NotImplemented")
    assert s3.head_object(Bucket="conditions", Key="k")["ContentLength"] == 0


def test_a_bucket_lives_from_create_to_delete(s3):
    s3.create_bucket(Bucket="a-life", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    assert refused(s3.create_bucket, Bucket="a-life") == (409, "BucketAlreadyOwnedByYou")
    assert s3.head_bucket(Bucket="a-life")["BucketRegion"] == "eu-west-1"
    assert s3.get_bucket_location(Bucket="a-life")["LocationConstraint"] == "eu-west-1"
    assert "a-life" in [each["Name"] for each in s3.list_buckets()["Buckets"]]
    s3.put_object(Bucket="a-life", Key="k", Body=b"")
    assert refused(s3.delete_bucket, Bucket="a-life") == (409, "BucketNotEmpty")
    s3.delete_object(Bucket="a-life", Key="k")
    s3.delete_bucket(Bucket="a-life")
    assert refused(s3.head_bucket, Bucket="a-life") == (404, "404")
    assert refused(s3.list_objects_v2, Bucket="a-life") == (404, "NoSuchBucket")
    assert refused(s3.put_object, Bucket="a-life", Key="k", Body=b"x") == (404, "NoSuchBucket")


def test_bad_bucket_names_are_refused(http):
    for name in ("ab", "UPPER", "a..b", "127.0.0.1", "-a-", "%2e%2e"):
        answer = http.put(f"/{name}")
        assert (answer.status_code, "InvalidBucketName" in answer.text) == (400, True), name
    assert http.get("/..%2f..%2fetc").status_code == 404


def test_an_object_comes_back_with_all_that_was_said_of_it(s3, bucket):
    said = {"ContentType": "text/csv", "CacheControl": "no-cache", "ContentEncoding": "gzip", "ContentLanguage": "de"}
    put = s3.put_object(
        Bucket=bucket, Key="a/b c+d%é.csv", Body=b"1,2", Metadata={"owner": "me"}, Tagging="team=a%20b", **said
    )
    got = s3.get_object(Bucket=bucket, Key="a/b c+d%é.csv")
    assert got["Body"].read() == b"1,2"
    assert {name: got[name] for name in said} == said
    assert (got["Metadata"], got["ETag"], got["TagCount"]) == ({"owner": "me"}, put["ETag"], 1)
    assert s3.get_object_tagging(Bucket=bucket, Key="a/b c+d%é.csv")["TagSet"] == [{"Key": "team", "Value": "a b"}]
    head = s3.head_object(Bucket=bucket, Key="a/b c+d%é.csv")
    assert (head["ContentLength"], head["LastModified"]) == (3, got["LastModified"])
    assert datetime.now(UTC) - head["LastModified"] < timedelta(minutes=5)


def test_a_missing_key_is_404_and_head_has_no_body(s3, http, bucket):
    assert refused(s3.get_object, Bucket=bucket, Key="no") == (404, "NoSuchKey")
    assert refused(s3.head_object, Bucket=bucket, Key="no") == (404, "404")
    assert http.head(f"/{bucket}/no").content == b""
    assert s3.delete_object(Bucket=bucket, Key="no")["ResponseMetadata"]["HTTPStatusCode"] == 204


@pytest.mark.parametrize(
    ("asked", "status", "bytes_"),
    [
        ("bytes=0-2", 206, b"012"),
        ("bytes=7-", 206, b"789"),
        ("bytes=7-99", 206, b"789"),
        ("bytes=-3", 206, b"789"),
        ("bytes=-99", 206, b"0123456789"),
        ("bytes=5-2", 200, b"0123456789"),
        ("lines=1-2", 200, b"0123456789"),
    ],
)
def test_ranges(s3, bucket, asked, status, bytes_):
    s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789")
    got = s3.get_object(Bucket=bucket, Key="k", Range=asked)
    assert (got["ResponseMetadata"]["HTTPStatusCode"], got["Body"].read()) == (status, bytes_)


def test_a_range_beyond_the_end_is_invalid(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789")
    assert refused(s3.get_object, Bucket=bucket, Key="k", Range="bytes=10-") == (416, "InvalidRange")
    assert refused(s3.get_object, Bucket=bucket, Key="k", Range="bytes=-0") == (416, "InvalidRange")
    assert refused(s3.head_object, Bucket=bucket, Key="k", Range="bytes=10-") == (416, "416")


def test_reads_can_be_conditional(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"x")["ETag"]
    past, future = (datetime.now(UTC) + timedelta(hours=hours) for hours in (-1, 1))
    here = {"Bucket": bucket, "Key": "k"}
    for passing in (
        {"IfMatch": etag},
        {"IfNoneMatch": '"no"'},
        {"IfModifiedSince": past},
        {"IfUnmodifiedSince": future},
    ):
        assert s3.get_object(**here, **passing)["Body"].read() == b"x"
    for unmodified in ({"IfNoneMatch": etag}, {"IfModifiedSince": future}):
        assert refused(s3.get_object, **here, **unmodified)[0] == 304
        assert refused(s3.head_object, **here, **unmodified)[0] == 304
    for failing in ({"IfMatch": '"no"'}, {"IfUnmodifiedSince": past}):
        assert refused(s3.get_object, **here, **failing) == (412, "PreconditionFailed")


def test_writes_can_be_conditional(s3, bucket):
    here = {"Bucket": bucket, "Key": "k"}
    assert refused(s3.put_object, **here, Body=b"", IfMatch='"x"') == (404, "NoSuchKey")
    etag = s3.put_object(**here, Body=b"1", IfNoneMatch="*")["ETag"]
    assert refused(s3.put_object, **here, Body=b"2", IfNoneMatch="*") == (412, "PreconditionFailed")
    s3.put_object(**here, Body=b"2", IfMatch=etag)
    assert refused(s3.put_object, **here, Body=b"3", IfMatch=etag) == (412, "PreconditionFailed")
    assert s3.get_object(**here)["Body"].read() == b"2"


def test_of_parallel_creates_exactly_one_wins(served: Served, s3, bucket):
    def create(number: int) -> bool:
        try:
            s3.put_object(Bucket=bucket, Key="lock", Body=str(number).encode(), IfNoneMatch="*")
        except ClientError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(create, range(16))) == 1


def test_lists_page_group_and_start_where_asked(s3, bucket):
    names = ["a", "a-b", "a/b", "a/c/d", "a0", "b/", "b/x", "c d", "é", "z\n\x01"]
    for name in names:
        s3.put_object(Bucket=bucket, Key=name, Body=b"x")
    listed = s3.list_objects_v2(Bucket=bucket)
    assert keys(listed) == sorted(names)
    assert (listed["KeyCount"], listed["IsTruncated"]) == (len(names), False)
    for function in ("list_objects", "list_objects_v2"):
        for size in (1, 2, 3):
            pages = list(s3.get_paginator(function).paginate(Bucket=bucket, PaginationConfig={"PageSize": size}))
            assert [key for page in pages for key in keys(page)] == sorted(names)
            pages = list(
                s3.get_paginator(function).paginate(Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": size})
            )
            assert [key for page in pages for key in keys(page)] == ["a", "a-b", "a0", "c d", "z\n\x01", "é"]
            assert [each for page in pages for each in prefixes(page)] == ["a/", "b/"]
    assert keys(s3.list_objects_v2(Bucket=bucket, StartAfter="a/b")) == sorted(names)[3:]
    below = s3.list_objects_v2(Bucket=bucket, Prefix="a/", Delimiter="/")
    assert (keys(below), prefixes(below)) == (["a/b"], ["a/c/"])
    assert keys(s3.list_objects_v2(Bucket=bucket, Prefix="b/", Delimiter="/")) == ["b/", "b/x"]
    assert prefixes(s3.list_objects_v2(Bucket=bucket, Delimiter="-")) == ["a-"]
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket, Prefix="nothing")
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket, MaxKeys=0)


def test_many_objects_are_deleted_at_once(s3, bucket):
    for name in ("a", "b/", "b/c", "<&>"):
        s3.put_object(Bucket=bucket, Key=name, Body=b"x")
    asked = [{"Key": name} for name in ("a", "b/", "<&>", "never was")]
    deleted = s3.delete_objects(Bucket=bucket, Delete={"Objects": asked})["Deleted"]
    assert [each["Key"] for each in deleted] == [each["Key"] for each in asked]
    assert "Deleted" not in s3.delete_objects(Bucket=bucket, Delete={"Objects": asked, "Quiet": True})
    assert keys(s3.list_objects_v2(Bucket=bucket)) == ["b/c"]


def test_copies_keep_or_replace_metadata(s3, bucket):
    s3.put_object(Bucket=bucket, Key="a é", Body=b"x", Metadata={"n": "1"}, Tagging="t=1", ContentType="text/plain")
    source = {"Bucket": bucket, "Key": "a é"}
    s3.copy_object(Bucket=bucket, Key="b", CopySource=source)
    assert s3.head_object(Bucket=bucket, Key="b")["Metadata"] == {"n": "1"}
    s3.copy_object(Bucket=bucket, Key="b", CopySource=source, MetadataDirective="REPLACE", Metadata={"n": "2"})
    head = s3.head_object(Bucket=bucket, Key="b")
    assert (head["Metadata"], head["ContentType"], head["TagCount"]) == ({"n": "2"}, "binary/octet-stream", 1)
    assert refused(s3.copy_object, Bucket=bucket, Key="a é", CopySource=source) == (400, "InvalidRequest")
    gone = {"Bucket": bucket, "Key": "gone"}
    assert refused(s3.copy_object, Bucket=bucket, Key="b", CopySource=gone) == (404, "NoSuchKey")
    unwanted = {"CopySourceIfMatch": '"no"'}
    assert refused(s3.copy_object, Bucket=bucket, Key="b", CopySource=source, **unwanted) == (412, "PreconditionFailed")


def test_a_large_file_goes_up_in_parts_and_comes_back(s3, bucket, tmp_path):
    data = os.urandom(20 << 20)
    (tmp_path / "model.tar.gz").write_bytes(data)
    s3.upload_file(str(tmp_path / "model.tar.gz"), bucket, "out/model.tar.gz", ExtraArgs={"Metadata": {"m": "1"}})
    head = s3.head_object(Bucket=bucket, Key="out/model.tar.gz", ChecksumMode="ENABLED")
    assert head["ETag"].endswith('-3"')
    assert head["ChecksumCRC32"].endswith("-3")
    assert (head["ChecksumType"], head["Metadata"]) == ("COMPOSITE", {"m": "1"})
    s3.download_file(bucket, "out/model.tar.gz", str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == data
    s3.copy({"Bucket": bucket, "Key": "out/model.tar.gz"}, bucket, "copy")  # UploadPartCopy
    assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == data
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_parts_are_listed_replaced_chosen_and_aborted(s3, bucket):
    here = {"Bucket": bucket, "Key": "a b"}
    upload = s3.create_multipart_upload(**here, ContentType="x/y")["UploadId"]
    for number, body in ((1, b"old"), (3, b"three"), (1, b"one"), (2, b"two")):
        s3.upload_part(**here, UploadId=upload, PartNumber=number, Body=body)
    parts = s3.list_parts(**here, UploadId=upload)["Parts"]
    assert [(part["PartNumber"], part["Size"]) for part in parts] == [(1, 3), (2, 3), (3, 5)]
    paged = s3.get_paginator("list_parts").paginate(**here, UploadId=upload, PaginationConfig={"PageSize": 1})
    assert [part["PartNumber"] for page in paged for part in page.get("Parts", [])] == [1, 2, 3]
    assert [each["UploadId"] for each in s3.list_multipart_uploads(Bucket=bucket)["Uploads"]] == [upload]
    chosen = [{"PartNumber": part["PartNumber"], "ETag": part["ETag"]} for part in parts]

    def complete(*wanted: dict[str, Any], upload: str = upload) -> dict[str, Any]:
        return {**here, "UploadId": upload, "MultipartUpload": {"Parts": list(wanted)}}

    finish = s3.complete_multipart_upload
    assert refused(finish, **complete({"PartNumber": 1, "ETag": '"0"'})) == (400, "InvalidPart")
    assert refused(finish, **complete({"PartNumber": 9, "ETag": '"0"'})) == (400, "InvalidPart")
    assert refused(finish, **complete(chosen[1], chosen[0])) == (400, "InvalidPartOrder")
    assert refused(finish, **complete(chosen[0], upload="0" * 32)) == (404, "NoSuchUpload")
    assert refused(finish, **complete(chosen[0], upload="../../x")) == (404, "NoSuchUpload")
    finish(**complete(chosen[0], chosen[2]))
    got = s3.get_object(**here)
    assert (got["Body"].read(), got["ContentType"]) == (b"onethree", "x/y")
    assert refused(s3.list_parts, **here, UploadId=upload) == (404, "NoSuchUpload")
    upload = s3.create_multipart_upload(**here)["UploadId"]
    s3.upload_part(**here, UploadId=upload, PartNumber=1, Body=b"x")
    s3.abort_multipart_upload(**here, UploadId=upload)
    assert refused(s3.upload_part, **here, UploadId=upload, PartNumber=1, Body=b"x") == (404, "NoSuchUpload")


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256", "SHA512"])
def test_checksums_are_verified_kept_and_given_back(s3, bucket, algorithm):
    here = {"Bucket": bucket, "Key": "k"}
    put = s3.put_object(**here, Body=io.BytesIO(b"data"), ChecksumAlgorithm=algorithm)
    got = s3.get_object(**here, ChecksumMode="ENABLED")
    assert got["Body"].read() == b"data"  # boto3 verifies it
    assert got[f"Checksum{algorithm}"] == put[f"Checksum{algorithm}"]
    wrong = {f"Checksum{algorithm}": "A" + put[f"Checksum{algorithm}"][1:]}
    assert refused(s3.put_object, **here, Body=b"other", **wrong) == (400, "BadDigest")
    assert s3.get_object(**here)["Body"].read() == b"data"


def test_content_md5_is_verified(s3, bucket):
    here = {"Bucket": bucket, "Key": "k"}
    s3.put_object(**here, Body=b"data", ContentMD5="jXd/OF09/siBXSD3SWAm3A==")
    assert refused(s3.put_object, **here, Body=b"Data", ContentMD5="jXd/OF09/siBXSD3SWAm3A==") == (400, "BadDigest")
    assert refused(s3.put_object, **here, Body=b"Data", ContentMD5="???") == (400, "InvalidDigest")


def test_the_bucket_may_be_in_the_host(served: Served, s3, bucket, monkeypatch):
    resolve = socket.getaddrinfo
    # Not every resolver knows that what ends in .localhost is this machine (RFC 6761).
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest: resolve("127.0.0.1", *rest))
    named = served.boto3("localhost", s3={"addressing_style": "virtual"})
    named.put_object(Bucket=bucket, Key="x/y z", Body=b"v")
    assert s3.get_object(Bucket=bucket, Key="x/y z")["Body"].read() == b"v"
    assert keys(named.list_objects_v2(Bucket=bucket)) == ["x/y z"]
    named.head_bucket(Bucket=bucket)
    named.close()


def test_presigned_urls_get_and_put(served: Served, s3, bucket):
    put = s3.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "é"})
    assert httpx.put(put, content=b"by hand").status_code == 200
    asked = {"Bucket": bucket, "Key": "é", "ResponseContentDisposition": "attachment"}
    answer = httpx.get(s3.generate_presigned_url("get_object", asked))
    assert (answer.content, answer.headers["content-disposition"]) == (b"by hand", "attachment")


def test_what_is_not_here_says_so(s3, http, bucket):
    assert refused(s3.get_bucket_policy, Bucket=bucket) == (501, "NotImplemented")
    assert refused(s3.list_object_versions, Bucket=bucket) == (501, "NotImplemented")
    assert http.post(f"/{bucket}").status_code == 405
    assert http.patch(f"/{bucket}/k").status_code == 405
    answer = http.put(f"/{bucket}/k", headers={"x-amz-server-side-encryption-customer-algorithm": "AES256"})
    assert (answer.status_code, "<Code>NotImplemented</Code>" in answer.text) == (501, True)
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<Delete>",
        b"<Other/>",
        b"<Delete/>",
        b"\xff\xfe<\0",
        b'<!DOCTYPE d [<!ENTITY e "x">]><Delete>&e;</Delete>',
    ],
)
def test_malformed_xml_is_refused(http, bucket, body):
    answer = http.post(f"/{bucket}?delete", content=body)
    assert (answer.status_code, "<Code>MalformedXML</Code>" in answer.text) == (400, True)

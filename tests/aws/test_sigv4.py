"""Signatures against two oracles: AWS's published examples, and botocore's own signer."""

import hashlib
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, quote, unquote_to_bytes, urlsplit

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from alfine.aws.auth.sigv4 import EMPTY_SHA256, UNSIGNED_PAYLOAD, Chain, Refused, Unproved, claimed, signing_key
from alfine.aws.s3.request import Chunks
from alfine.programs.data.buckets.errors import S3Error

ID, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
S3_ID, S3_SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
SECRETS = {ID: SECRET, S3_ID: S3_SECRET}
THEN = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
FORM = b"application/x-www-form-urlencoded"
UNRESERVED = b"-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def claim(request, now=THEN, region="us-east-1", services=("service",)):
    return claimed(request, SECRETS.get, now, regions_of=lambda _: (region,), services=services)


# ---- AWS's test suite for Signature Version 4 --------------------------------------------------------------------------

SUITE = {
    "get-vanilla": ("GET", b"/", b"", {}, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    "get-unreserved": ("GET", b"/" + UNRESERVED, b"", {}, "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"),
    "get-relative": ("GET", b"/example/..", b"", {}, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    "get-relative-relative": ("GET", b"/example1/example2/../..", b"", {}, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    "get-slash": ("GET", b"//", b"", {}, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    "get-slash-dot-slash": ("GET", b"/./", b"", {}, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    "get-slash-pointless-dot": ("GET", b"/./example", b"", {}, "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5"),
    "get-slashes": ("GET", b"//example//", b"", {}, "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"),
    "get-space": ("GET", b"/example space/", b"", {}, "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"),
    "get-vanilla-query-unreserved": ("GET", b"/", UNRESERVED + b"=" + UNRESERVED, {}, "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"),
    "get-vanilla-utf8-query": ("GET", b"/", "ሴ=bar".encode(), {}, "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"),
    "get-vanilla-empty-query-key": ("GET", b"/", b"Param1=value1", {}, "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"),
    "get-vanilla-query-order-key": ("GET", b"/", b"Param1=value2&Param1=Value1", {}, "eedbc4e291e521cf13422ffca22be7d2eb8146eecf653089df300a15b2382bd1"),
    "get-vanilla-query-order-key-case": ("GET", b"/", b"Param2=value2&Param1=value1", {}, "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
    "get-vanilla-query-order-value": ("GET", b"/", b"Param1=value2&Param1=value1", {}, "5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694"),
    "get-header-key-duplicate": ("GET", b"/", b"", {"my-header1": [b"value2", b"value2", b"value1"]}, "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"),
    "get-header-value-order": ("GET", b"/", b"", {"my-header1": [b"value4", b"value1", b"value3", b"value2"]}, "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01"),
    "get-header-value-trim": ("GET", b"/", b"", {"my-header1": [b" value1"], "my-header2": [b' "a   b   c"']}, "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"),
    "post-vanilla": ("POST", b"/", b"", {}, "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
    "post-vanilla-query": ("POST", b"/", b"Param1=value1", {}, "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"),
    "post-header-key-sort": ("POST", b"/", b"", {"my-header1": [b"value1"]}, "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"),
    "post-header-value-case": ("POST", b"/", b"", {"my-header1": [b"VALUE1"]}, "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d"),
    "post-x-www-form-urlencoded": ("POST", b"/", b"", {"content-type": [FORM]}, "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"),
    "post-x-www-form-urlencoded-parameters": ("POST", b"/", b"", {"content-type": [FORM + b"; charset=utf8"]}, "1a72ec8f64bd914b0e42e42607c7fbce7fb2c7465f63e3092b3b0d39fa77a6fe"),
}  # fmt: skip


def of_suite(name, **changes):
    method, path, query, more, signature = SUITE[name]
    named = {"host": [b"example.amazonaws.com"], "x-amz-date": [b"20150830T123600Z"], **more}
    authorization = (
        f"AWS4-HMAC-SHA256 Credential={ID}/20150830/us-east-1/service/aws4_request, "
        f"SignedHeaders={';'.join(sorted(named))}, Signature={signature}"
    )
    headers = [(each.encode(), value) for each, values in named.items() for value in values]
    return Unproved(method, path, query, [*headers, (b"authorization", authorization.encode())])


@pytest.mark.parametrize("name", SUITE)
def test_awss_test_suite_is_verified(name):
    body = b"Param1=value1" if "form" in name else b""
    claim(of_suite(name)).check(hashlib.sha256(body).hexdigest())


# ---- the examples in S3's documentation --------------------------------------------------------------------------------

OF_S3 = datetime(2013, 5, 24, tzinfo=UTC)


def of_s3(method, path, query, signature, **headers):
    named = {
        "host": "examplebucket.s3.amazonaws.com",
        "x-amz-date": "20130524T000000Z",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    authorization = (
        f"AWS4-HMAC-SHA256 Credential={S3_ID}/20130524/us-east-1/s3/aws4_request,"
        f"SignedHeaders={';'.join(sorted(named))},Signature={signature}"
    )
    pairs = [(name.encode(), value.encode()) for name, value in {**named, "authorization": authorization}.items()]
    return claim(Unproved(method, path, query, pairs), OF_S3, services=("s3",))


def test_s3s_examples_of_signed_headers_are_verified():
    get = of_s3(
        *("GET", b"/test.txt", b"", "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"),
        range="bytes=0-9",
        x_amz_content_sha256=EMPTY_SHA256,
    )
    get.check(EMPTY_SHA256)
    payload = hashlib.sha256(b"Welcome to Amazon S3.").hexdigest()
    put = of_s3(
        *("PUT", b"/test%24file.text", b"", "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"),
        date="Fri, 24 May 2013 00:00:00 GMT",
        x_amz_content_sha256=payload,
        x_amz_storage_class="REDUCED_REDUNDANCY",
    )
    put.check(payload)
    of_s3(
        *("GET", b"/", b"lifecycle", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
        x_amz_content_sha256=EMPTY_SHA256,
    ).check(EMPTY_SHA256)


PRESIGNED = (
    "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
    "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
    "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
)


def presigned(query=PRESIGNED, now=OF_S3, **headers):
    pairs = [(b"host", b"examplebucket.s3.amazonaws.com"), *((n.encode(), v.encode()) for n, v in headers.items())]
    return claim(Unproved("GET", b"/test.txt", query.encode(), pairs), now, services=("s3",))


def test_s3s_example_of_a_presigned_url_is_verified():
    presigned().check(UNSIGNED_PAYLOAD)


@pytest.mark.parametrize(
    ("after", "kind"),
    [
        (timedelta(seconds=86400), ""),
        (timedelta(seconds=86401), "presigned-late"),
        (-timedelta(minutes=16), "presigned-early"),
    ],
)
def test_a_presigned_url_holds_until_it_expires(after, kind):
    if not kind:
        presigned(now=OF_S3 + after).check(UNSIGNED_PAYLOAD)
        return
    with pytest.raises(Refused) as refused:
        presigned(now=OF_S3 + after)
    assert refused.value.kind == kind


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Expires=86400", "Expires=604801"),
        ("Expires=86400", "Expires=0"),
        ("Expires=86400", "Expires=-1"),
        ("Expires=86400", "Expires="),
        ("&X-Amz-Expires=86400", ""),
        ("X-Amz-Expires=86400", "X-Amz-Expires=86400&X-Amz-Expires=1"),
        ("HMAC-SHA256", "HMAC-SHA1"),
    ],
)
def test_a_presigned_urls_parameters_are_checked(old, new):
    with pytest.raises(Refused) as refused:
        presigned(PRESIGNED.replace(old, new))
    assert refused.value.kind == "query"


def test_a_presigned_url_with_another_signature_in_a_header_is_refused():
    with pytest.raises(Refused) as refused:
        presigned(authorization="AWS4-HMAC-SHA256 Credential=x")
    assert refused.value.kind == "two-ways"


# ---- aws-chunked bodies ------------------------------------------------------------------------------------------------

KEY = signing_key(S3_SECRET, "20130524", "us-east-1", "s3")
SCOPE = "20130524/us-east-1/s3/aws4_request"
PLAIN = Chain(
    "20130524T000000Z", SCOPE, KEY, "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9", trailers=False
)
TRAILED = Chain("20130524T000000Z", SCOPE, KEY, "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e", trailers=True)  # fmt: skip


def chunked(signatures, trailers=b"\r\n"):
    sizes = (65536, 1024, 0)
    chunks = [b"%x;chunk-signature=%s\r\n%s" % (size, signature, b"a" * size + b"\r\n" * (size > 0)) for size, signature in zip(sizes, signatures, strict=True)]  # fmt: skip
    return b"".join(chunks) + trailers


OF_PLAIN = chunked(
    [
        b"ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
        b"0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
        b"b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
    ]
)
OF_TRAILED = chunked(
    [
        b"b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
        b"1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
        b"2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
    ],
    b"x-amz-checksum-crc32c:sOO8/Q==\r\n"
    b"x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n",
)


def read(body, chain, step=5000):
    chunks = Chunks(chain)
    payload = b"".join(chunks.feed(body[at : at + step]) for at in range(0, len(body), step))
    if not chunks.whole:
        raise S3Error("IncompleteBody")
    return payload


@pytest.mark.parametrize(("body", "chain"), [(OF_PLAIN, PLAIN), (OF_TRAILED, TRAILED)], ids=["plain", "trailed"])
def test_s3s_examples_of_chunked_bodies_are_verified(body, chain):
    assert read(body, chain) == b"a" * 66560


@pytest.mark.parametrize(("body", "chain"), [(OF_PLAIN, PLAIN), (OF_TRAILED, TRAILED)], ids=["plain", "trailed"])
@settings(max_examples=60)
@given(data=st.data())
def test_no_bit_of_a_chunked_body_can_be_flipped(body, chain, data):
    at = data.draw(st.one_of(st.integers(0, 90), st.integers(65600, 65720), st.integers(66720, len(body) - 5)))
    flipped = bytearray(body)
    flipped[at] ^= 1 << data.draw(st.integers(0, 7))
    try:
        payload = read(bytes(flipped), chain)
    except S3Error:
        return
    assert payload == b"a" * 66560  # a line end, or a letter's case in a chunk's size


def test_a_chunked_body_that_ends_early_is_refused():
    for end in (0, 80, 65619, 66700, len(OF_PLAIN) - 88):
        with pytest.raises(S3Error):
            read(OF_PLAIN[:end], PLAIN)


def test_trailers_without_their_signature_are_refused():
    with pytest.raises(S3Error):
        read(OF_TRAILED.partition(b"x-amz-trailer-signature")[0] + b"\r\n", TRAILED)
    with pytest.raises(S3Error):
        read(OF_PLAIN[:-2] + b"x-amz-checksum-crc32c:sOO8/Q==\r\n\r\n", PLAIN)


# ---- what botocore signs -----------------------------------------------------------------------------------------------

CREDENTIALS = Credentials(ID, SECRET)
VALUES = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=12)
SPACED = st.lists(VALUES, min_size=1, max_size=3).map("  ".join)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=12)
NAMES = st.text(st.sampled_from("abcdefgh0123456789-"), min_size=1, max_size=8)


@st.composite
def requests(draw):
    """(method, URL, headers, body) of a request that a client of S3 might send."""
    key = draw(TEXTS)
    pairs = draw(st.lists(st.tuples(NAMES, TEXTS), max_size=4))
    query = "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in pairs)
    url = f"http://127.0.0.1:8765/{quote(key, safe='/~')}" + (f"?{query}" if query else "")
    headers = {f"x-amz-meta-{name}": value for name, value in draw(st.dictionaries(NAMES, SPACED, max_size=3)).items()}
    headers |= draw(st.sampled_from([{}, {"content-type": "application/x-amz-json-1.1"}]))
    return draw(st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD"])), url, headers, draw(st.binary(max_size=64))


def signed(signer, given):
    method, url, headers, body = given
    request = AWSRequest(method=method, url=url, headers={**headers, "Host": "127.0.0.1:8765"}, data=body)
    signer.add_auth(request)
    sent = request.prepare()
    parts = urlsplit(sent.url)
    pairs = [
        (name.lower().encode(), value if isinstance(value, bytes) else value.encode())
        for name, value in sent.headers.items()
    ]
    return Unproved(method, (parts.path or "/").encode(), parts.query.encode(), pairs)


def without_body(given, kind):
    """Botocore moves the body of what it presigns into the URL."""
    return (*given[:3], b"") if kind.endswith("presigned") else given


SIGNERS = {
    "s3": lambda: S3SigV4Auth(CREDENTIALS, "s3", "us-east-1"),
    "s3-presigned": lambda: S3SigV4QueryAuth(CREDENTIALS, "s3", "us-east-1", 60),
    "sagemaker": lambda: SigV4Auth(CREDENTIALS, "sagemaker", "us-east-1"),
    "sts-presigned": lambda: SigV4QueryAuth(CREDENTIALS, "sts", "us-east-1", 60),
}


def verified(request, kind, body):
    claim = claimed(request, SECRETS.get, datetime.now(UTC), regions_of=lambda _: ("us-east-1",), services=(kind.partition("-")[0],))  # fmt: skip
    claim.check(UNSIGNED_PAYLOAD if kind == "s3-presigned" else hashlib.sha256(body).hexdigest())
    return claim


@pytest.mark.parametrize("kind", SIGNERS)
@settings(max_examples=60)
@given(given=requests())
def test_what_botocore_signs_is_verified(kind, given):
    given = without_body(given, kind)
    verified(signed(SIGNERS[kind](), given), kind, given[3])


@pytest.mark.parametrize("kind", SIGNERS)
@settings(max_examples=60)
@given(given=requests(), data=st.data())
def test_a_flipped_bit_is_refused(kind, given, data):
    given = without_body(given, kind)
    request, body = signed(SIGNERS[kind](), given), given[3]
    path, query, headers = request.path, request.query, [*request.headers]
    places = ["path", "query", "header"] if kind.startswith("s3") else ["query", "header", "body"]
    place = data.draw(st.sampled_from([*places, "body"] if kind == "s3" else places))
    assume(place != "query" or query)
    assume(place != "body" or body)
    if place == "path":
        path = flip(path, data)
    elif place == "query":
        query = flip(query, data)
    elif place == "body":
        body = flip(body, data)
    else:
        at = data.draw(st.integers(0, len(headers) - 1))
        name, value = headers[at]
        assume(name not in (b"content-length", b"expect", b"user-agent") and value)
        headers[at] = name, flip(value, data)
        assume(b" ".join(headers[at][1].split()) != b" ".join(value.split()))
    changed = Unproved(request.method, path, query, headers)
    assume(place not in ("path", "query") or meaning(changed) != meaning(request))
    with pytest.raises(Refused):
        verified(changed, kind, body)


def flip(text, data):
    at = data.draw(st.integers(0, len(text) - 1))
    return text[:at] + bytes([text[at] ^ 1 << data.draw(st.integers(0, 7))]) + text[at + 1 :]


def meaning(request):
    """What S3 takes a request for."""
    pairs = parse_qsl(request.query.decode("latin-1"), keep_blank_values=True, encoding="latin-1")
    return unquote_to_bytes(request.path), sorted(pairs)


# ---- what is refused whoever signed it ---------------------------------------------------------------------------------


def changed(name=None, value=b"", replace=(b"", b"")):
    request = of_suite("get-vanilla")
    pairs = [(each, old.replace(*replace) if each == b"authorization" else old) for each, old in request.headers]
    return Unproved(
        "GET", b"/", b"", [*((n, v) for n, v in pairs if n != name), *([(name, value)] if name and value else [])]
    )


@pytest.mark.parametrize(
    ("request_", "kind"),
    [
        (changed(b"authorization"), "none"),
        (changed(b"authorization", b"AWS AKIDEXAMPLE:xyz"), "version-2"),
        (changed(b"authorization", b"Bearer x"), "incomplete"),
        (changed(b"authorization", b"AWS4-HMAC-SHA256 Credential=x"), "incomplete"),
        (changed(replace=(b"AKIDEXAMPLE", b"AKIDEXAMPLF")), "unknown-key"),
        (changed(replace=(b"20150830/", b"20150831/")), "scope"),
        (changed(replace=(b"us-east-1", b"us-east-2")), "region"),
        (changed(replace=(b"/service/", b"/sts/")), "scope"),
        (changed(replace=(b"aws4_request", b"aws4_requesu")), "scope"),
        (changed(replace=(b"/service/aws4_request", b"/aws4_request")), "incomplete"),
        (changed(replace=(b"host;", b"")), "unsigned-headers"),
        (changed(replace=(b"host;x-amz-date", b"host")), "unsigned-headers"),
        (changed(replace=(b"host;x-amz-date", b"x-amz-date;host")), "incomplete"),
        (changed(b"x-amz-target", b"SageMaker.X"), "unsigned-headers"),
        (changed(b"x-amz-security-token", b"x"), "token"),
        (changed(b"x-amz-date"), "date"),
        (changed(b"x-amz-date", b"00010101T000000Z"), "date"),
        (changed(b"x-amz-date", b"99991231T235959Z"), "date"),
        (changed(b"x-amz-date", b"20150830T1236"), "date"),
        (changed(b"x-amz-date", "２０150830T123600Z".encode()), "date"),
        (changed(replace=(b"5fa00fa3", b"5fa00fa4")), "mismatch"),
        (changed(replace=(b"5fa00fa3", b"5FA00FA3")), "mismatch"),
        (changed(replace=(b"5fa00fa3", "５fa00fa3".encode())), "mismatch"),
        (changed(b"content-type", b"text/plain"), ""),
    ],
)
def test_a_request_that_isnt_the_one_that_was_signed_is_refused(request_, kind):
    if not kind:  # a header that needn't be signed, and wasn't
        claim(request_).check(EMPTY_SHA256)
        return
    with pytest.raises(Refused) as refused:
        claim(request_).check(EMPTY_SHA256)
    assert refused.value.kind == kind


@pytest.mark.parametrize("minutes", [-15.1, 15.1])
def test_a_clock_that_is_more_than_15_minutes_off_is_refused(minutes):
    claim(of_suite("get-vanilla"), THEN + timedelta(minutes=minutes) * (15 / 15.1))
    with pytest.raises(Refused) as refused:
        claim(of_suite("get-vanilla"), THEN + timedelta(minutes=minutes))
    assert refused.value.kind == "skewed"


@pytest.mark.parametrize("name", [b"host", b"x-amz-date", b"authorization", b"x-amz-target"])
def test_a_header_that_counts_is_there_once(name):
    request = of_suite("get-vanilla")
    values = [value for each, value in request.headers if each == name] or [b"SageMaker.X"]
    with pytest.raises(Refused, match="more than once"):
        claim(
            Unproved(
                "GET",
                b"/",
                b"",
                [*request.headers, (name, values[0]), *([(name, values[0])] if name == b"x-amz-target" else [])],
            )
        )

"""Agents without a valid access key read what is wrong and what to do; the others reach the protocol's application."""

import asyncio

import httpx
import pytest
from starlette.responses import PlainTextResponse

from alfine.server.mcp_http import KeyExplained

HOW = "Send the header 'Authorization: Bearer ID.SECRET'."


async def application(scope, receive, send):
    """Answer like the SDK's: 401 without the key."""
    right = (b"authorization", b"Bearer A.b") in scope["headers"]
    await PlainTextResponse("welcome" if right else "no", 200 if right else 401)(scope, receive, send)


def asked(path, key=None):
    async def ask():
        transport = httpx.ASGITransport(KeyExplained(application, HOW))
        async with httpx.AsyncClient(transport=transport, base_url="http://agents") as client:
            return await client.post(path, headers={"Authorization": key} if key else {})

    return asyncio.run(ask())


def test_a_right_key_reaches_the_application():
    assert asked("/mcp", "Bearer A.b").text == "welcome"
    assert asked("/mcp/", "Bearer A.b").text == "welcome"


@pytest.mark.parametrize(
    ("key", "error", "sentence"),
    [
        (None, "invalid_request", f"The request has no access key. {HOW}"),
        ("Basic QTpi", "invalid_request", f"The request has no access key. {HOW}"),
        ("Bearer Ab", "invalid_token", f"The access key isn't of the form ID.SECRET: it has no point. {HOW}"),
        ("Bearer A.c", "invalid_token", f"The access key is wrong: no key has this id and this secret. {HOW}"),
    ],
)
def test_without_one_the_answer_says_what_is_wrong_and_what_to_do(key, error, sentence):
    answer = asked("/mcp", key)
    assert (answer.status_code, answer.json()) == (401, {"error": error, "error_description": sentence})
    challenge = answer.headers["WWW-Authenticate"]
    assert challenge.startswith('Bearer realm="alfine"')
    assert (f'error_description="{sentence}"' in challenge) == (error == "invalid_token")


@pytest.mark.parametrize("path", ["/register", "/.well-known/oauth-protected-resource/mcp", "/authorize", "/"])
def test_a_client_that_looks_for_oauth_reads_that_its_key_is_wrong(path):
    answer = asked(path, "Bearer A.c")
    assert answer.status_code == 404
    assert (
        "has no OAuth: if you were sent here, your access key is missing or wrong. Send"
        in answer.json()["error_description"]
    )

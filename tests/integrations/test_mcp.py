"""alfine mcp, asked by the official SDK's own client: over stdio, a job that an agent creates and that runs meanwhile; over HTTP, with a key."""

import asyncio
import base64
import json
import os
import re
import subprocess
import sys
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from alfine.api.job_file import job_of
from alfine.jobs.home import Home
from tests.missing import of_integration

of_integration("mcp")
pytestmark = pytest.mark.filterwarnings("ignore")

SCRIPT = """
import sys, time
x = float(sys.argv[sys.argv.index("--x") + 1])
for epoch in range(3):
    time.sleep(0.1)
    print(f"loss={x + 1 / (epoch + 1)}", flush=True)
"""
JOB = {
    "script": "train.py",
    "metric": "loss",
    "space": {"x": {"min": 0.0, "max": 1.0}},
    "criteria": ["BestObjectiveNotImproving 100"],
    "max_training_jobs": 500,
    "strategy": "Random",
}
PAGE = (Path(__file__).parents[2] / "docs/how-to/agents.md").read_text()
ENTRIES = [
    next(iter(json.loads(text).values()))["alfine"] for text in re.findall(r"`({\".+})`", PAGE) if "ervers" in text
]
"""What the page tells clients to write into their settings, which are in JSON: a command, or a URL with headers."""


@asynccontextmanager
async def agent(home):
    from mcp import Client, StdioServerParameters
    from mcp.client.stdio import stdio_client

    shown = [[entry["command"], *entry["args"]] for entry in ENTRIES if "command" in entry]
    shown += [words.split() for words in re.findall(r"`\w+ mcp add alfine -- (.+?)`", PAGE)]
    command, *words = shown[0]
    assert all([command, *words] == each for each in shown), "of Claude Code, Claude Desktop, Cursor, VS Code and Codex"
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "ALFINE_HOME": str(home)}
    server = StdioServerParameters(command=command, args=words, env=environment, cwd="/")
    async with Client(stdio_client(server)) as client:

        async def call(tool, **arguments):
            answer = await client.call_tool(tool, arguments)
            [content] = answer.content
            return (content.text if content.type == "text" else content), bool(answer.is_error)

        yield client, call


async def told(call, tool, **arguments):
    text, is_error = await call(tool, **arguments)
    assert not is_error, text
    return text


def test_an_agent_creates_a_job_follows_it_asks_why_changes_and_stops_it(tmp_path):
    (tmp_path / "train.py").write_text(SCRIPT)
    home = tmp_path / "home"

    async def talk():
        async with agent(home) as (client, call):
            tools = (await client.list_tools()).tools
            assert all(tool.description and tool.annotations is not None for tool in tools)
            assert "There are no tuning jobs" in await told(call, "list_jobs")
            folder = str(tmp_path)
            assert "at most 500 training jobs" in await told(call, "check_job", job=JOB, name="agent", folder=folder)
            whole = {"x": {"min": 0, "max": 900}}  # what a client in JavaScript makes of 0.0 and 900.0
            checked = await told(call, "check_job", job={**JOB, "space": whole}, folder=folder)
            assert "x is an integer range, since min and max are whole numbers." in checked
            text, is_error = await call("create_job", job={**JOB, "spase": {}}, folder=folder)
            assert is_error
            assert "spase: isn't known. Did you mean space?" in text
            assert "Created agent. This process runs it" in await told(
                call, "create_job", job=JOB, name="agent", folder=folder
            )
            while "training job" not in (watched := await told(call, "watch_job", name="agent", seconds=30)):
                pass
            assert "InProgress" in watched
            why = await told(call, "why_does_it_go_on", name="agent")
            assert why.startswith("It goes on (InProgress). No completion criterion is met.")
            assert "BestObjectiveNotImproving" in why
            assert "loss" in await told(call, "best", name="agent")
            assert "Completed" in (rows := await told(call, "training_jobs", name="agent", status="Completed"))
            assert "loss=" in await told(call, "log", training_job=rows.partition(":")[0])
            assert "as recorded" in await told(
                call, "replay", name="agent", criteria=["BestObjectiveNotImproving 3", "ConvergenceDetected"]
            )
            assert "Changed max_training_jobs" in await told(call, "change_job", name="agent", max_training_jobs=400)
            assert "400" in await told(call, "describe_job", name="agent")
            if find_spec("vl_convert"):
                picture, is_error = await call("figure", name="agent", kind="best")
                assert base64.b64decode(picture.data).startswith(b"\x89PNG")
            assert "Nothing was stopped" in await told(call, "stop_job", name="agent")
            assert "agent is stopping" in await told(call, "stop_job", name="agent", confirm=True)
            for _ in range(30):
                if "Stopped" in await told(call, "watch_job", name="agent", seconds=1):
                    break
            text, is_error = await call("best", name="agnt")
            assert is_error
            assert "Did you mean agent?" in text
            record = await client.read_resource("alfine://tuning-jobs/agent")
            assert json.loads(record.contents[0].text)["HyperParameterTuningJobStatus"] == "Stopped"
            assert "max_parallel" in (await client.read_resource("alfine://job-words")).contents[0].text

    async def look_at_a_job_that_nobody_runs():
        async with agent(home) as (_, call):
            assert "resume_job goes on with it here." in await told(call, "describe_job", name="left")

    asyncio.run(talk())
    with Home(home) as opened:
        assert opened.service.get("agent").status == "Stopped"
        opened.service.create(job_of(JOB, tmp_path / "left.yaml").request)
    asyncio.run(look_at_a_job_that_nobody_runs())


async def ask_as_clients_do_that_know_oauth(url, headers):
    import httpx2 as httpx
    from mcp import Client
    from mcp.client.auth import OAuthClientProvider
    from mcp.client.streamable_http import streamable_http_client
    from mcp.shared.auth import OAuthClientMetadata

    class Nothing:
        """A client's store of what authorization servers gave it: empty."""

        async def get_tokens(self):
            return None

        async def get_client_info(self):
            return None

    metadata = OAuthClientMetadata(redirect_uris=["http://localhost:9/callback"])
    async with (
        httpx.AsyncClient(headers=headers, auth=OAuthClientProvider(url, metadata, Nothing())) as http,
        Client(streamable_http_client(url, http_client=http)),
    ):
        pass


def test_read_only_it_changes_nothing_and_over_http_it_asks_for_a_key(tmp_path):
    import httpx2 as httpx
    from mcp import Client
    from mcp.client.auth import OAuthFlowError
    from mcp.client.streamable_http import streamable_http_client

    home = tmp_path / "home"
    words = [sys.executable, "-m", "alfine", "mcp", "--home", str(home), "--http", "--port", "0", "--read-only"]
    server = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    try:
        url = next(word for line in server.stderr for word in line.split() if word.startswith("http://"))
        with Home(home) as opened:
            [key] = opened.keys.all()
        refused = httpx.post(url, json={})
        assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, 'Bearer realm="alfine"')
        assert refused.json()["error_description"].startswith("The request has no access key. Each request needs")
        refused = httpx.post(url, json={}, headers={"Authorization": f"Bearer {key.id}"})
        assert refused.json()["error_description"].startswith("The access key isn't of the form ID.SECRET")
        wrong = {"Authorization": f"Bearer {key.id}.wrong"}
        refused = httpx.post(url, json={}, headers=wrong)
        sentence = refused.json()["error_description"]
        assert sentence.startswith("The access key is wrong: no key has this id and this secret. Each request needs")
        assert f'error="invalid_token", error_description="{sentence}"' in refused.headers["WWW-Authenticate"]
        with pytest.raises(ExceptionGroup) as failed:
            asyncio.run(ask_as_clients_do_that_know_oauth(url, wrong))
        assert failed.group_contains(OAuthFlowError, match="has no OAuth: .* your access key is missing or wrong. Each")
        [own, *others] = [entry["headers"] for entry in ENTRIES if entry.get("url") == "http://127.0.0.1:8766/mcp"]
        assert others == [own]
        own = {name: value.replace("ID.SECRET", f"{key.id}.{key.secret}") for name, value in own.items()}
        assert httpx.post(url, json={}, headers={**own, "Host": "elsewhere.example"}).status_code == 421
        assert httpx.post(url, json={}, headers={**own, "Origin": "https://elsewhere.example"}).status_code == 403

        async def talk():
            async with (
                httpx.AsyncClient(headers=own) as http,
                Client(streamable_http_client(url, http_client=http)) as client,
            ):
                names = {tool.name for tool in (await client.list_tools()).tools}
                assert "why_does_it_go_on" in names
                assert names.isdisjoint({"create_job", "change_job", "stop_job", "resume_job"})
                answer = await client.call_tool("list_jobs", {})
                assert "There are no tuning jobs" in answer.content[0].text

        asyncio.run(talk())
    finally:
        server.terminate()
        server.communicate(timeout=20)

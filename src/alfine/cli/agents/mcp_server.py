"""The server of the Model Context Protocol, on the official SDK: tools and resources over stdio, or over HTTP with a key."""

from __future__ import annotations

import functools
import hmac
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import Image, MCPServer
from mcp.server.mcpserver.exceptions import ResourceError, ToolError
from mcp.types import ToolAnnotations

from alfine._version import __version__
from alfine.cli.agents import words
from alfine.cli.agents.tools import CHANGING, READING, JobTools
from alfine.cli.errors import lines_of
from alfine.core.errors import AlfineError
from alfine.core.field import Face
from alfine.core.messages import spelling

if TYPE_CHECKING:
    from alfine.cli.job_access import JobAccess

INSTRUCTIONS = """\
alfine tunes hyperparameters and knows when to stop. A tuning job launches training jobs until a completion criterion is met.
Create one with check_job and create_job, follow it with watch_job, ask why_does_it_go_on, look at best and figure. replay says when other
criteria would have ended it. stop_job, and change_job of a job that has ended, need the user's agreement.
"""

DESTRUCTIVE = ("stop_job",)
"""Tools that end something."""


def mcp_server(
    tools: JobTools,
    jobs: JobAccess,
    *,
    read_only: bool,
    is_key: Callable[[str, str], bool] | None = None,
    url: str = "",
) -> MCPServer:
    """Return the server.

    Args:
        tools: What its tools do.
        jobs: The record, for its resources.
        read_only: Whether it has only the tools that change nothing.
        is_key: Returns whether an id and a secret are an access key: then each request needs one. None for stdio.
        url: Where it is served; only with `is_key`.
    """
    keyed: dict[str, Any] = {}
    if is_key is not None:
        keyed = {
            "token_verifier": _Keys(is_key),
            "auth": AuthSettings.model_validate({"issuer_url": url, "resource_server_url": None}),
        }
    server = MCPServer(
        "alfine", title="alfine", instructions=INSTRUCTIONS, version=__version__, log_level="WARNING", **keyed
    )
    for name in (*READING, *(() if read_only else CHANGING)):
        notes = ToolAnnotations(
            read_only_hint=name in READING,
            destructive_hint=name in DESTRUCTIVE,
            idempotent_hint=name in READING,
            open_world_hint=name == "create_job",
        )
        server.tool(name=name, annotations=notes, structured_output=False)(_told(getattr(tools, name)))
    _add_resources(server, jobs)
    return server


def _told(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a tool whose expected errors reach the agent as sentences, and whose PNGs are images."""

    @functools.wraps(method)
    def tool(*args: Any, **kwargs: Any) -> Any:
        try:
            with spelling(Face.PYTHON):
                answer = method(*args, **kwargs)
        except (AlfineError, OSError) as error:
            raise ToolError("\n".join(lines_of(error))) from error
        return Image(data=answer, format="png") if isinstance(answer, bytes) else answer

    return tool


def _add_resources(server: MCPServer, jobs: JobAccess) -> None:
    """Add the record, as JSON with SageMaker's names, and the words of jobs."""

    def record(read: Callable[..., Any]) -> str:
        try:
            return json.dumps(read(), indent=1, default=str, ensure_ascii=False)
        except (AlfineError, OSError) as error:
            raise ResourceError("\n".join(lines_of(error))) from error

    def tuning_jobs() -> str:
        """List all tuning jobs: rows of ListHyperParameterTuningJobs."""
        return record(lambda: [*jobs.list()])

    def tuning_job(name: str) -> str:
        """Describe a tuning job: DescribeHyperParameterTuningJob, with verdicts, forecast and cost under «Alfine»."""
        return record(lambda: jobs.describe(name))

    def training_jobs(name: str) -> str:
        """List the training jobs of a tuning job, in order of launch."""
        return record(lambda: [*jobs.training_jobs(name)])

    def job_words() -> str:
        """Explain the keys of a job and the completion criteria, each with its meaning."""
        return words.job_words_text()

    for uri, kind, reads in (
        ("alfine://tuning-jobs", "application/json", tuning_jobs),
        ("alfine://tuning-jobs/{name}", "application/json", tuning_job),
        ("alfine://tuning-jobs/{name}/training-jobs", "application/json", training_jobs),
        ("alfine://job-words", "text/plain", job_words),
    ):
        server.resource(uri, mime_type=kind)(reads)


class _Keys:
    """Verifies bearer tokens: an access key's id and its secret, with a point between them."""

    def __init__(self, is_key: Callable[[str, str], bool]) -> None:
        self._is_key = is_key

    async def verify_token(self, token: str) -> AccessToken | None:
        """Return whose token it is; None for a wrong one."""
        name, _, secret = token.partition(".")
        return AccessToken(token=token, client_id=name, scopes=[]) if self._is_key(name, secret) else None


def same_secret(given: str, secret: str | None) -> bool:
    """Return whether a secret is right, in a time that doesn't depend on it."""
    return secret is not None and hmac.compare_digest(given.encode(), secret.encode())

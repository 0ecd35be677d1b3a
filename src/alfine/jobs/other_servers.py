"""Other servers on the same database, asked over HTTP for what lies on their machines: parts of logs."""

from __future__ import annotations

import os
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from alfine.runners.protocol import LogPiece

if TYPE_CHECKING:
    from alfine.store.access_keys import Keys

CONNECT_SECONDS = 3.0
"""How long a server may take to be reached."""

ANSWER_SECONDS = 20.0
"""How long it may take to answer."""

SERVICE = "alfine"
"""The name of the service that requests for alfine's own documents are signed for."""

ANY_KEY = ("any", "any")
"""The key where there are none: such servers take any."""

HOST = "localhost"
"""The Host header: every server takes it for its own name, while the one in its URL may not be in its [server] hosts."""

REGION = re.compile(rb"expecting '([a-z0-9-]+)'")
"""A server's answer to a request that was signed for another region than its own."""


class OtherServers:
    """Asks other servers. Requests are signed with a key that they share with this one, since it is in the database.

    Args:
        keys: The keys.
        region: The region that requests are signed for, unless a server has another.
    """

    def __init__(self, keys: Keys, region: str) -> None:
        self._keys = keys
        self._region = region

    def log(self, url: str, training_job: str, begin: int, most: int) -> LogPiece:
        """Return bytes of the log of a training job that ran on the machine of another server.

        Args:
            url: The server.
            training_job: Its name.
            begin: See `Runner.log`.
            most: See `Runner.log`.

        Raises:
            OSError: The server can't be asked at present.
        """
        path = f"/_alfine/training-jobs/{quote(training_job, safe='')}/log-piece?begin={begin}&most={most}"
        headers, data = self._get(url, path, self._region)
        return LogPiece(
            begin=int(headers["x-alfine-begin"]),
            data=data,
            size=int(headers["x-alfine-size"]),
            path=unquote(headers["x-alfine-path"]),
        )

    def _get(self, url: str, path: str, region: str) -> tuple[Any, bytes]:
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials
        from botocore.exceptions import BotoCoreError
        from botocore.httpsession import URLLib3Session

        request = AWSRequest("GET", url + path, headers={"Host": HOST})
        SigV4Auth(Credentials(*self._key), SERVICE, region).add_auth(request)
        session = URLLib3Session(
            verify=os.environ.get("AWS_CA_BUNDLE") or True, timeout=(CONNECT_SECONDS, ANSWER_SECONDS)
        )
        try:
            answer = session.send(request.prepare())
        except BotoCoreError as error:
            raise OSError(f"the server {url} on its machine can't be asked: {error}") from error
        finally:
            session.close()
        if answer.status_code == HTTPStatus.OK:
            return answer.headers, answer.content
        right = REGION.search(answer.content)
        if right is not None and right[1].decode() != region:
            return self._get(url, path, right[1].decode())
        said = answer.content.decode(errors="replace")[:300]
        raise OSError(f"the server {url} on its machine answered {answer.status_code}: {said}")

    @property
    def _key(self) -> tuple[str, str]:
        newest = self._keys.all()[-1:]
        return (newest[0].id, newest[0].secret) if newest else ANY_KEY

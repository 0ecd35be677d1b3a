"""Training jobs of this machine's runners, where several servers with machines of their own share a database.

A training job belongs to the node that was recorded before its start. A server of another node never starts it a second time, for it
can't see whether it runs: it waits until the node's servers have been silent for longer than the training job's leash. By then the
node's launcher has ended it, if the node is there at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from alfine.core.errors import NotFound
from alfine.core.wording import duration
from alfine.jobs.other_servers import OtherServers
from alfine.runners.launch import Launch
from alfine.runners.protocol import NO_COUNTS, Exit, LogPiece, Observation, Runner
from alfine.store.store import Store

MARGIN = timedelta(seconds=60)
"""Time beyond the leash until a training job counts as lost: for its grace, and for clocks that don't run equally fast."""


class OwnNode:
    """A runner of this machine that knows which training jobs are another machine's, and asks that machine's server for their logs.

    Args:
        runner: Runs those of this machine.
        node: The name of this machine's node (`node_of`).
        store: Where servers say that they run.
        leash: How long training jobs run on when no server asks for them.
        others: The other servers.
    """

    def __init__(self, runner: Runner, node: str, store: Store, leash: timedelta, others: OtherServers) -> None:
        self.node = node
        self.tells_news = bool(getattr(runner, "tells_news", False))
        self._runner = runner
        self._store = store
        self._leash = leash
        self._others = others

    def start(self, launch: Launch) -> None:
        """See `Runner.start`. One of another node is never started here."""
        if self._is_here(launch):
            self._runner.start(self._on_leash(launch))

    def poll(self, launch: Launch, offset: int, counts: Mapping[str, int] = NO_COUNTS) -> Observation | None:
        """See `Runner.poll`. One of another node is lost once that node was silent for too long."""
        if self._is_here(launch):
            return self._runner.poll(self._on_leash(launch), offset, counts)
        silence = self._store.silence_of(str(launch.node))
        if silence is not None and silence <= self._leash + MARGIN:
            return Observation(offset=offset)
        known = "an unknown time" if silence is None else duration(silence.total_seconds())
        detail = f"no server of its machine ({launch.node}) has been heard of for {known}"
        return Observation(offset=offset, exit=Exit(cause="lost", detail=detail))

    def stop(self, launch: Launch) -> None:
        """See `Runner.stop`. One of another node is stopped by that node's server, or ends by its leash."""
        if self._is_here(launch):
            self._runner.stop(self._on_leash(launch))

    def log(self, launch: Launch, begin: int, most: int) -> LogPiece:
        """See `Runner.log`. That of another node is read by a server there.

        Raises:
            NotFound: There is none at present.
        """
        if self._is_here(launch):
            return self._runner.log(launch, begin, most)
        trouble = "no server runs there at present"
        for server in self._store.engines():
            if server.node == launch.node and server.url:
                try:
                    return self._others.log(server.url, launch.name, begin, most)
                except OSError as error:
                    trouble = str(error)
        raise NotFound(f"The log of {launch.name} lies on another machine ({launch.node}): {trouble}.")

    def close(self) -> None:
        """See `Runner.close`."""
        self._runner.close()

    def _is_here(self, launch: Launch) -> bool:
        return launch.node in (None, self.node)

    def _on_leash(self, launch: Launch) -> Launch:
        return replace(launch, leash_seconds=self._leash.total_seconds())

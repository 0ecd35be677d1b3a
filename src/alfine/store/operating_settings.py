"""The tables of alfine.toml for whoever operates a server: monitoring. store/config.py reads them."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from alfine.core.errors import Fault, InvalidSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """The table [metrics]: who may read /metrics.

    A reader gives the id and the secret of an access key of the home as user and password (HTTP Basic), or comes from one of the `hosts`.

    Attributes:
        hosts: Addresses and networks, such as "10.1.2.3" and "10.0.0.0/8", from which it is readable without a key.
        keys: Ids of the access keys that may read it. Empty: every key of the home.

    Raises:
        InvalidSpec: One of `hosts` is no address and no network.
    """

    hosts: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for host in self.hosts:
            try:
                ipaddress.ip_network(host)
            except ValueError as error:
                message = f"{host!r} is no address and no network: {error}. Give it as 10.1.2.3 or 10.0.0.0/8."
                raise InvalidSpec([Fault("[metrics] hosts", message)]) from error

    def admits(self, address: str) -> bool:
        """Return whether /metrics is readable from an address without a key."""
        try:
            client = ipaddress.ip_address(address)
        except ValueError:  # a connection without an address, such as one by a Unix socket
            return False
        return any(client in ipaddress.ip_network(host) for host in self.hosts)

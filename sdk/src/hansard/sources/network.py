"""Which network addresses a source may lead to: by default none that only this network reaches.

A name is resolved once and its addresses are checked; what connects then uses those addresses, so
that a name cannot mean something else by the time of connecting.
"""

import ipaddress
import re
import socket
from collections.abc import Callable, Sequence

from hansard.sources.errors import AddressRefused, SourceUnavailable

Resolver = Callable[[str, int], Sequence[str]]
"""From a name and a port to its addresses, as text. Raises OSError."""

# Beyond what the standard library calls not global, which differs between its versions: forms
# that carry another address within them, ranges for special purposes, and an address by which a
# cloud's virtual machines ask for their secrets.
_REFUSED = tuple(
    map(
        ipaddress.ip_network,
        (
            "100.64.0.0/10",
            "168.63.129.16/32",
            "192.0.0.0/24",
            "192.88.99.0/24",
            "198.18.0.0/15",
            "::/96",
            "::ffff:0:0/96",
            "::ffff:0:0:0/96",
            "64:ff9b::/96",
            "64:ff9b:1::/48",
            "2001::/32",
            "2002::/16",
            "3fff::/20",
            "5f00::/16",
            "fec0::/10",
        ),
    )
)
_NUMBER = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)\Z", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252}[A-Za-z0-9_])?\.?\Z")
_LAST_PORT = 65_535


def system_resolver(host: str, port: int) -> Sequence[str]:
    """The addresses that the system finds for a name."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(item[4][0]) for item in found))


def is_public(address: str) -> bool:
    """Whether an address is one of the open internet.

    >>> is_public("93.184.215.14"), is_public("127.0.0.1"), is_public("::ffff:93.184.215.14")
    (True, False, False)
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    if any(found in network for network in _REFUSED):
        return False
    return found.is_global and not (found.is_multicast or found.is_unspecified or found.is_reserved)


class Guard:
    """Resolves each host once, and refuses addresses that are not public unless told otherwise."""

    def __init__(
        self, *, allow_private: bool = False, resolver: Resolver = system_resolver
    ) -> None:
        self._allow_private = allow_private
        self._resolver = resolver
        self._known: dict[tuple[str, int], tuple[str, ...]] = {}

    def addresses(self, host: str, port: int) -> tuple[str, ...]:
        """What to connect to for a host. Raises AddressRefused, SourceUnavailable."""
        if not 0 < port <= _LAST_PORT:
            raise AddressRefused(f"{port} is no port")
        key = host.lower().removesuffix("."), port
        if key not in self._known:
            self._known[key] = self._resolve(*key)
        return self._known[key]

    def _resolve(self, host: str, port: int) -> tuple[str, ...]:
        literal = _literal(host)
        found = (literal,) if literal else self._look_up(host, port)
        if not self._allow_private and not all(map(is_public, found)):
            raise AddressRefused(
                f"`{host}` leads to an address inside a private network: allow_private=True permits"
                " that where the address comes from somebody you trust"
            )
        return found

    def _look_up(self, host: str, port: int) -> tuple[str, ...]:
        try:
            found = tuple(self._resolver(host, port))
        except (OSError, UnicodeError):
            found = ()
        if not found:
            raise SourceUnavailable(f"the name `{host}` has no address")
        return found


def _literal(host: str) -> str | None:
    """The address that a host is written as, None for a name. Raises AddressRefused."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        pass
    if not _NAME.match(host):
        raise AddressRefused("the address names no host")
    if _NUMBER.match(host.rpartition(".")[2]):
        # Systems read 2130706433, 0x7f.1 and 0177.0.0.1 as 127.0.0.1.
        raise AddressRefused(f"`{host}` is no host: write an address as four decimal numbers")
    return None

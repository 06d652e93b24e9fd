"""The client: `Client` blocks, `AsyncClient` awaits; everything else they share."""

import ssl
from functools import cache
from types import TracebackType
from typing import Self

import httpx

from hansard.client.events import Change, Event, EventDecision
from hansard.client.people_results import Group, Invitation, Login, Token, User
from hansard.client.platform import Platform
from hansard.client.policies import Supposition
from hansard.client.policy_results import Decision, Explanation, Policy
from hansard.client.requesting import Fill
from hansard.client.results import (
    Abstraction,
    Experiment,
    HardwareEvent,
    LiveEvent,
    LogEvent,
    MetricsEvent,
    ProgressEvent,
    Project,
    Pushed,
    Run,
    StatusEvent,
    Version,
)
from hansard.client.run_results import Outlook, RunGroup, Spread, Verdict
from hansard.client.secrets import NamedSecret
from hansard.client.sender import TIMEOUT, AsyncSender, SyncSender
from hansard.client.series_results import Hardware, Series, SeriesSet
from hansard.client.session import Session
from hansard.credentials import find_credentials

__all__ = [
    "Abstraction",
    "AsyncClient",
    "Change",
    "Client",
    "Decision",
    "Event",
    "EventDecision",
    "Experiment",
    "Explanation",
    "Fill",
    "Group",
    "Hardware",
    "HardwareEvent",
    "Invitation",
    "LiveEvent",
    "LogEvent",
    "Login",
    "MetricsEvent",
    "NamedSecret",
    "Outlook",
    "Policy",
    "ProgressEvent",
    "Project",
    "Pushed",
    "Run",
    "RunGroup",
    "Series",
    "SeriesSet",
    "Spread",
    "StatusEvent",
    "Supposition",
    "Token",
    "User",
    "Verdict",
    "Version",
]

PATIENCE_S = 30.0
"""How long failures that may pass are retried: the server restarts, or is busy."""


class Client(Platform[SyncSender]):
    """The platform from blocking code.

    Without arguments: HANSARD_URL and HANSARD_TOKEN, else what `hansard login` saved, else the
    server that `hansard up` runs on this machine. Raises NotConfigured if none of them is there.
    An address with an empty token is for who has none yet: `login` and `invitations.join` give one.
    A client is for one thread at a time. `transport` is for tests.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        patience_s: float = PATIENCE_S,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        found = find_credentials(url, token)
        http = httpx.Client(
            base_url=found.url, timeout=TIMEOUT, transport=transport, verify=_certificates()
        )
        super().__init__(Session(patience_s), SyncSender(http))
        self._sender.identify(found.token)

    def close(self) -> None:
        """Close the connections."""
        self._sender.http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class AsyncClient(Platform[AsyncSender]):
    """The platform from asynchronous code: the methods of `Client`, awaited."""

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        patience_s: float = PATIENCE_S,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        found = find_credentials(url, token)
        http = httpx.AsyncClient(
            base_url=found.url, timeout=TIMEOUT, transport=transport, verify=_certificates()
        )
        super().__init__(Session(patience_s), AsyncSender(http))
        self._sender.identify(found.token)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._sender.http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()


@cache
def _certificates() -> ssl.SSLContext:
    """Read once: it takes longer than a question to the server."""
    return httpx.create_ssl_context()

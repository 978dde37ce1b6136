"""The contract of a kind of trigger. A kind is a folder under kinds/, and is named nowhere else."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Literal, NamedTuple, Protocol

from services.triggers.config import Triggers
from services.triggers.deliveries import Deliveries
from services.triggers.shares import Shares
from services.triggers.targets import Targets
from shared.app_directory import AppDirectory
from shared.boot import Service
from shared.callers.auth import Auth
from shared.callers.edge import Edge
from shared.callers.identity import Identity
from shared.directory import Directory, Tenants
from shared.exchange import Receive, Scope, Send
from shared.waiting import Waiting

Serve = Callable[[Scope, Receive, Send, Mapping[str, str]], Awaitable[None]]
"""An ASGI application, which is given the parts of the path that its route names, percent-decoded."""


class Route(NamedTuple):
    """A path of the door and who serves it. In the pattern, `{word}` is one segment: `/v1/{app}/webhook/{name}`.

    Requests by one of the methods in `lasting` stay open: they are bounded by their kind, not by the door.
    """

    pattern: str
    serve: Serve
    protocol: Literal["http", "websocket"] = "http"
    lasting: frozenset[str] = frozenset()


class World(NamedTuple):
    """What every kind is given.

    `requests` is what each tenant has of the requests in progress, once they are here and believed. `ending` is set
    when the service begins to drain: what lasts is to end then.
    """

    service: Service
    settings: Triggers
    apps: AppDirectory
    functions: Directory
    tenants: Tenants
    targets: Targets
    deliveries: Deliveries
    waiting: Waiting
    auth: Auth
    edge: Edge
    identity: Identity
    requests: Shares
    ending: asyncio.Event


class Kind(Protocol):
    """One kind of trigger."""

    @property
    def routes(self) -> Sequence[Route]:
        """Where the world reaches it."""
        ...

    def work(self) -> AbstractAsyncContextManager[None]:
        """Do what is to be done beside requests, for as long as the block runs; then bring it to an end."""
        ...


Open = Callable[[World], Kind]
"""What a kind's module has under the name `open`."""

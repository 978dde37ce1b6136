"""What arrives at the scheduler service by bus. Nothing does yet: it runs, answers its health page, and waits."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.boot import Service


@asynccontextmanager
async def serve(service: Service) -> AsyncIterator[None]:
    """The service at work."""
    yield

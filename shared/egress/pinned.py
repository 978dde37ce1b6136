"""Addresses that users chose, for protocols other than HTTP: resolved and judged, to be connected to as they are."""

import asyncio

import httpcore

from shared.config import Platform
from shared.egress.addresses import guard_of
from shared.egress.backend import EgressRefused
from shared.egress.lookup import Lookup


async def pinned(platform: Platform, host: str, port: int) -> list[str]:
    """The addresses of a host that may be connected to, best first: by them, for the name may change its mind.

    Raises EgressRefused where there is none, ConfigError.
    """
    guard = guard_of(platform)
    try:
        async with asyncio.timeout(platform.egress_lookup_s):
            found = await Lookup()(host, port)
    except (TimeoutError, httpcore.ConnectError):
        raise EgressRefused(f"the name {host} has no address") from None
    permitted = [address for address in found if guard.permits(address)]
    if not permitted:
        raise EgressRefused(f"{host} is not on the public internet")
    return permitted

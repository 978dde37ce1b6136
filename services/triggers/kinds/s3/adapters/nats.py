"""A NATS server that MinIO publishes to."""

import asyncio
from typing import NamedTuple
from urllib.parse import urlsplit

from services.triggers.kinds.s3 import parse
from services.triggers.kinds.s3.adapter import Source, SourceFault
from services.triggers.kinds.s3.event import ObjectEvent
from shared import egress, telemetry
from shared.bus import foreign
from shared.domain.event_source import NatsConfig

_PORT = 4222
_SCHEMES = {"nats": False, "tls": True}
_log = telemetry.logger("s3")


async def run(source: Source) -> None:
    """Learn of uploads from a subject. Implements services.triggers.kinds.s3.adapter.Adapter."""
    config = source.config
    assert isinstance(config, NatsConfig)
    login = foreign.Login(config.user, source.secrets.get("password", ""), source.secrets.get("token", ""))
    try:
        place = await _place(source, config)
        async with foreign.reading(place, login) as reader:
            await _read(source, reader)
    except foreign.ForeignFault as fault:
        raise SourceFault(str(fault)) from None
    except egress.EgressRefused as refused:
        raise SourceFault(f"The NATS server's address cannot be used: {refused}") from None


async def _read(source: Source, reader: foreign.Reader) -> None:
    dropped = 0
    while True:
        source.well()
        events: list[ObjectEvent] = []
        for body in await reader.batch():
            events += _uploads(source, body)
            await asyncio.sleep(0)  # a hundred large ones would keep everybody else waiting
        if events:
            await source.take(events)
        await reader.done()
        if reader.dropped > dropped:
            _log.warning("events lost: they came too fast", source=source.source.public_id, count=reader.dropped)
            dropped = reader.dropped


def _uploads(source: Source, body: bytes) -> list[ObjectEvent]:
    """What a message tells of, as far as it can be understood: it would be no better the next time."""
    try:
        return parse.parse(body)
    except parse.Malformed as fault:
        _log.warning("event not understood", source=source.source.public_id, reason=str(fault))
        return list(fault.uploads)


class _Address(NamedTuple):
    host: str
    port: int
    tls: bool


async def _place(source: Source, config: NatsConfig) -> foreign.Place:
    platform = source.world.service.platform
    host, port, tls = _address(config.url)
    return foreign.Place(
        host=host,
        port=port,
        addresses=await egress.pinned(platform, host, port),
        tls=tls,
        trust=egress.trust(platform),
        subject=config.subject,
        stream=config.stream,
        durable=f"shoal-{source.source.public_id}",
        since=source.source.created_at,
    )


def _address(url: str) -> _Address:
    try:
        parts = urlsplit(url)
        port = parts.port or _PORT
    except ValueError:
        raise SourceFault("The url is none") from None
    if parts.scheme not in _SCHEMES or not parts.hostname:
        raise SourceFault("The url must be nats://host:port or tls://host:port")
    if parts.username is not None:
        raise SourceFault("The url must have no user in it: `user`, `password` and `token` are for that")
    return _Address(parts.hostname, port, _SCHEMES[parts.scheme])

"""Which consumers a stream has, and how far each of them is."""

import msgspec
import nats.errors

from shared.bus.broker import Bus
from shared.bus.publisher import AWAY
from shared.domain.problem import Problem


class Reading(msgspec.Struct, frozen=True):
    """How far a consumer is that reads `subject`: all of it up to the sequence `delivered` was handed out.

    So many messages behind that are `pending`, and so many were handed out and are not settled.
    """

    subject: str
    delivered: int
    pending: int
    unacknowledged: int


class _Config(msgspec.Struct, frozen=True):
    filter_subject: str = ""


class _Delivered(msgspec.Struct, frozen=True):
    stream_seq: int = 0


class _Consumer(msgspec.Struct, frozen=True):
    config: _Config
    delivered: _Delivered
    num_pending: int = 0
    num_ack_pending: int = 0


class _Page(msgspec.Struct, frozen=True):
    total: int
    consumers: list[_Consumer] | None = None


_PAGE = msgspec.json.Decoder(_Page)


async def consumers_in(bus: Bus, stream: str) -> list[Reading]:
    """All of them. Raises Problem(unavailable), also where the stream is not there."""
    found: list[Reading] = []
    while True:
        request = b'{"offset":%d}' % len(found)
        try:
            answer = await bus.client.request(f"$JS.API.CONSUMER.LIST.{stream}", request, timeout=bus.timeout_s)
            page = _PAGE.decode(answer.data)
        except (TimeoutError, nats.errors.Error, OSError, msgspec.ValidationError) as error:
            raise Problem("unavailable", AWAY) from error
        found += [
            Reading(one.config.filter_subject, one.delivered.stream_seq, one.num_pending, one.num_ack_pending)
            for one in page.consumers or []
        ]
        if not page.consumers or len(found) >= page.total:
            return found

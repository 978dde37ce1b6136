"""Which subjects of a stream have messages, and how many."""

import msgspec
import nats.errors

from shared.bus.broker import Bus
from shared.bus.publisher import AWAY
from shared.domain.problem import Problem


class _State(msgspec.Struct, frozen=True):
    subjects: dict[str, int] | None = None


class _Info(msgspec.Struct, frozen=True):
    """The server's answer: one page of subjects, of `total`."""

    state: _State | None = None
    total: int = 0


_INFO = msgspec.json.Decoder(_Info)


async def subjects_in(bus: Bus, stream: str, pattern: str) -> dict[str, int]:
    """Messages by subject, of those that match. Raises Problem(unavailable)."""
    found: dict[str, int] = {}
    while True:
        request = msgspec.json.encode({"subjects_filter": pattern, "offset": len(found)})
        try:
            answer = await bus.client.request(f"$JS.API.STREAM.INFO.{stream}", request, timeout=bus.timeout_s)
            info = _INFO.decode(answer.data)
        except (TimeoutError, nats.errors.Error, OSError, msgspec.ValidationError) as error:
            raise Problem("unavailable", AWAY) from error
        if info.state is None:  # an error: the stream is not there
            raise Problem("unavailable", AWAY)
        page = info.state.subjects
        found |= page or {}
        if not page or len(found) >= info.total:
            return found

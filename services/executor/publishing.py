"""What functions push to the channels of their app: within bounds, so that one call does not flood them."""

from shared.bus.broker import Bus
from shared.bus.channels import push
from shared.bus.notices import Pushed
from shared.domain import channel as channels
from shared.domain.function import Function
from shared.domain.problem import Problem


class Publishing:
    """For all functions. A call may push `most` times, payloads of `most_bytes`."""

    def __init__(self, bus: Bus, *, most: int, most_bytes: int) -> None:
        self._bus = bus
        self._most = most
        self._most_bytes = most_bytes

    async def publish(self, function: Function, channel: str, payload: bytes, *, event: str, number: int) -> None:
        """The `number`th of a call. Raises Problem(invalid, too_large, rate_limited, unavailable)."""
        if number > self._most:
            raise Problem("rate_limited", f"A call may publish {self._most} times")
        channels.check_name(channel)
        channels.check_event(event)
        line = channels.payload_of(payload, most_bytes=self._most_bytes)
        await push(
            self._bus, Pushed(tenant=function.tenant, app=function.app, channel=channel, event=event, payload=line)
        )

"""What a socket says of channels: subscribe, unsubscribe and publish."""

from typing import Any

import msgspec

from services.triggers.kinds.websocket.channels import Deliver, Form, Hub, Subscription, frame
from shared.bus.broker import Bus
from shared.bus.channels import push
from shared.bus.notices import Pushed
from shared.callers.edge import Asker
from shared.domain import channel as channels
from shared.domain.app import App
from shared.domain.problem import Problem

_encoder = msgspec.json.Encoder()


class Subscribing:
    """One socket's channels. It may have `most` at a time, and push payloads of `most_bytes`.

    `who` is the asker with whom the socket was opened; `deliver` takes what is pushed, as `form` writes it.
    """

    def __init__(
        self,
        hub: Hub,
        who: Asker,
        *,
        app: App,
        bus: Bus,
        deliver: Deliver,
        form: Form = frame,
        most: int,
        most_bytes: int,
    ) -> None:
        self._hub = hub
        self._who = who
        self._app = app
        self._bus = bus
        self._deliver = deliver
        self._form = form
        self._most = most
        self._most_bytes = most_bytes
        self._subscriptions: dict[str, Subscription] = {}

    def __len__(self) -> int:
        return len(self._subscriptions)

    async def frame(self, message: dict[str, Any]) -> dict[str, Any]:
        """The answer to one frame, whose type is one of `frames.CHANNELS`. Frames come one after the other."""
        channel = message.get("channel")
        named: dict[str, str] = {}
        try:
            if not isinstance(channel, str):
                raise Problem("invalid", 'Missing "channel" field')
            channels.check_name(channel)
            named["channel"] = channel
            told = await self._told(message, channel)
        except Problem as problem:
            return {"type": "error", "message": problem.message, "code": problem.code, **named}
        return {"type": told, **named}

    async def close(self) -> None:
        """Leave every channel."""
        subscriptions, self._subscriptions = self._subscriptions, {}
        for subscription in subscriptions.values():
            await subscription.leave()

    async def _told(self, message: dict[str, Any], channel: str) -> str:
        match message["type"]:
            case "subscribe":
                await self._subscribe(channel)
                return "subscribed"
            case "unsubscribe":
                if channel in self._subscriptions:
                    await self._subscriptions.pop(channel).leave()
                return "unsubscribed"
        await self._publish(message, channel)
        return "published"

    async def _subscribe(self, channel: str) -> None:
        """A second time changes nothing."""
        check_listen(self._who, channel)
        if channel in self._subscriptions:
            return
        if len(self._subscriptions) >= self._most:
            raise Problem("rate_limited", f"A socket may listen on {self._most} channels")
        app = self._app
        self._subscriptions[channel] = await self._hub.join(app.tenant, app.id, channel, self._deliver, form=self._form)

    async def _publish(self, message: dict[str, Any], channel: str) -> None:
        if self._who.caller is None:
            raise Problem("forbidden", "Only a service token may publish; an end user calls a function that does")
        event = message.get("event", "")
        if not isinstance(event, str):
            raise Problem("invalid", "event must be a string")
        if "payload" not in message:
            raise Problem("invalid", 'Missing "payload" field')
        payload = channels.payload_of(_encoder.encode(message["payload"]), most_bytes=self._most_bytes)
        await push(self._bus, pushed(self._app, channel, event=event, payload=payload))


def check_listen(who: Asker, channel: str) -> None:
    """Raises Problem(forbidden) where the asker may not listen on a channel."""
    if who.caller is None and not channels.may_listen(channel, user_id=who.actor.user_id):
        raise Problem("forbidden", f"This channel is for {channel} only")


def pushed(app: App, channel: str, *, event: str, payload: msgspec.Raw) -> Pushed:
    """What is pushed to a channel of an app. Raises Problem(invalid)."""
    channels.check_name(channel)
    channels.check_event(event)
    return Pushed(tenant=app.tenant, app=app.id, channel=channel, event=event, payload=payload)

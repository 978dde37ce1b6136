"""One request at a webhook, from its head to its verdict: bounds, signature, time, delivery id, run."""

import hmac
import time
from typing import NamedTuple

import msgspec

from services.triggers.kind import World
from services.triggers.kinds.webhook import verdicts
from services.triggers.kinds.webhook.handed import handed, query_of, url_of
from services.triggers.kinds.webhook.places import Place, Places
from services.triggers.kinds.webhook.reply import Reply
from services.triggers.kinds.webhook.run import Run
from services.triggers.kinds.webhook.verdicts import Verdict
from services.triggers.kinds.webhook.verify import Forged, Sent, Verified, admitted, source_of, verify
from services.triggers.sns import NotFromSns, Sns
from shared import exchange, telemetry
from shared.domain.problem import Problem
from shared.domain.signing_secrets import SigningSecrets
from shared.exchange import Receive, Scope
from shared.secrets import SealBrokenError

_NEEDS_SIGNATURE = "unsigned webhooks are taken at the URL that the deployment returned, with its signature"
_log = telemetry.logger("webhook")


class _Challenge(msgspec.Struct, frozen=True):
    type: str
    challenge: str


class _Delivery(NamedTuple):
    """A request whose body is here."""

    place: Place
    scope: Scope
    receive: Receive
    host: str
    url: str
    sent: Sent


class Door:
    """Verifies what is sent, and has it run once."""

    def __init__(self, world: World, places: Places) -> None:
        self._world = world
        self._places = places
        self._sns = Sns(world.service.platform, hosts=world.settings.sns_hosts)

    async def verdict(self, place: Place, scope: Scope, receive: Receive, *, host: str) -> Verdict:
        """What becomes of a request; nothing that its sender can send makes it raise."""
        url = url_of(scope, host, public_url=self._world.settings.public_url)
        asked = scope["query_string"].decode("latin-1")
        lines = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        sent = Sent("POST", f"{url}?{asked}" if asked else url, lines, b"")
        source = ""
        try:
            source = source_of(sent, place.config) or ""
            admitted(sent, place.config)
            body = await self._body(place, scope, receive)
            delivery = _Delivery(place, scope, receive, host, url, sent._replace(body=body))
            return await self._taken(delivery, source)
        except Forged as forged:
            if forged.reason == "source":
                return verdicts.not_allowed(source, forged.message)
            return verdicts.rejected(source, forged.message)
        except NotFromSns as fault:
            return verdicts.rejected(source, str(fault))
        except Problem as problem:
            return verdicts.stopped(problem, source)

    async def close(self) -> None:
        """Close what is open."""
        await self._sns.close()

    async def _body(self, place: Place, scope: Scope, receive: Receive) -> bytes:
        """As it came: what is encoded is not decoded, so that it cannot grow. Raises Problem(too_large, invalid)."""
        most_bytes = place.limits.params_bytes
        exchange.announced(scope["headers"], most_bytes=most_bytes)
        return await exchange.read(receive, most_bytes=most_bytes, within_s=self._world.settings.body_wait_s)

    async def _taken(self, delivery: _Delivery, source: str) -> Verdict:
        """Raises Forged, Problem."""
        if source == "sns":
            return await self._told_by_sns(delivery)
        secrets = self._secrets(delivery.place)
        now = time.time()
        verified = verify(delivery.sent, delivery.place.config, secrets.valid(now), now)
        if not verified.is_signed:
            if not _is_signed_url(delivery.place, secrets, query_of(delivery.scope).signature):
                return verdicts.rejected(source, "Neither it nor its URL is signed", told=_NEEDS_SIGNATURE)
        elif verified.source == "slack" and (challenge := _challenge(delivery.sent.body)):
            return verdicts.confirmed("slack", "Slack has verified the URL", challenge=challenge)
        return await self._run(delivery, verified)

    async def _told_by_sns(self, delivery: _Delivery) -> Verdict:
        place, body = delivery.place, delivery.sent.body
        message = await self._sns.verified(body, topics=place.config.sns_topics)
        if message.type == "SubscriptionConfirmation":
            await self._sns.confirm(message)
            return verdicts.confirmed("sns", "The subscription was confirmed", delivery_id=message.message_id, ok=True)
        if message.type == "UnsubscribeConfirmation":
            return verdicts.confirmed("sns", "The subscription has ended", delivery_id=message.message_id, ok=True)
        return await self._run(delivery, Verified("sns", message.message_id, is_signed=True))

    async def _run(self, delivery: _Delivery, verified: Verified) -> Verdict:
        """It is who it says: from here on, what goes wrong is not the sender's fault."""
        source = verified.source if verified.is_signed else ""
        try:
            with self._world.requests.held(delivery.place.app.tenant):
                return await self._set_off(delivery, source, verified.delivery_id)
        except Problem as problem:
            return verdicts.stopped(problem, source, verified.delivery_id)

    async def _set_off(self, delivery: _Delivery, source: str, delivery_id: str) -> Verdict:
        world, place = self._world, delivery.place
        scope, body = delivery.scope, delivery.sent.body
        given = await handed(scope, body, url=delivery.url, host=delivery.host, source=source, edge=world.edge)
        run = Run(world, place, given)
        # Not by its source: that is told by headers which nobody has signed. SNS gives ids of its own.
        event = f"webhook/{'sns/' if source == 'sns' else ''}{delivery_id}"
        try:
            delivered = await world.deliveries.submit(place.function, event, run.prepare, again=True)
        except BaseException:
            run.give_up()
            raise
        if not delivered.fresh:
            run.give_up()
            return verdicts.duplicate(source, delivery_id, delivered.task_id)
        if run.wait is None:
            return verdicts.accepted(source, delivery_id, delivered.task_id)
        reply = Reply(run.wait, delivery.receive, place, within_s=run.within_s)
        answer = await reply.answer()
        if reply.has_failed:
            await self._know_failed(place, event, delivered.task_id)
        return verdicts.accepted(source, delivery_id, delivered.task_id, answer=answer)

    async def _know_failed(self, place: Place, event: str, task_id: str) -> None:
        """The sender will send it again, perhaps before the failure is on record."""
        try:
            await self._world.deliveries.failed(place.function, event, task_id)
        except Problem as problem:
            facts = {"tenant": place.function.tenant, "function": place.function.slug}
            _log.warning("a failure is known to the record alone", task_id=task_id, **facts, reason=problem.message)

    def _secrets(self, place: Place) -> SigningSecrets:
        """Raises Problem(unavailable)."""
        try:
            return self._places.secrets(place.function)
        except SealBrokenError as error:
            _log.error("a webhook's secret cannot be opened", function=place.function.slug, reason=str(error))
            raise Problem("unavailable", "The secret of this webhook cannot be read now") from None


def _is_signed_url(place: Place, secrets: SigningSecrets, given: str) -> bool:
    """Whether it is the URL that the deployment returned."""
    if not secrets.url_key:
        return False
    function = place.function
    wanted = secrets.url_signature(place.app.public_id, function.deployed_as or function.name)
    return hmac.compare_digest(given.encode(), wanted.encode())


def _challenge(body: bytes) -> str:
    """What Slack wants to hear, where it asks whether the URL is whose it says; else empty."""
    try:
        asked = msgspec.json.decode(body, type=_Challenge)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""
    return asked.challenge if asked.type == "url_verification" else ""

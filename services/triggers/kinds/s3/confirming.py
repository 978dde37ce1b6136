"""Messages of SNS as they are posted to a source: believed if they are signed, and subscriptions to it confirmed."""

from collections.abc import Sequence

from services.triggers.sns import Message, NotFromSns, Sns
from shared import telemetry
from shared.domain.problem import Problem

_log = telemetry.logger("s3")


class Confirming:
    """Implements services.triggers.kinds.s3.posting.Sns."""

    def __init__(self, sns: Sns) -> None:
        self._sns = sns

    async def verified(self, body: bytes, *, topics: Sequence[str]) -> Message:
        """The message; one that asks whether we want more is answered. Raises Problem(unauthenticated, unavailable)."""
        try:
            message = await self._sns.verified(body, topics=topics)
            if message.type == "SubscriptionConfirmation":
                await self._sns.confirm(message)
                _log.info("a subscription is confirmed", topic=message.topic_arn)
        except NotFromSns as fault:
            raise Problem("unauthenticated", str(fault)) from None
        return message

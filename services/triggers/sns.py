"""Messages of AWS SNS, signed with a certificate that they name: what is believed of them, and of whom.

A signature says only that the message is from SNS, where anybody may have a topic: which topics may send is to be said.
"""

import re
import time
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta

from services.triggers.sns_certificates import Certificates
from services.triggers.sns_web import NotFromSns, Web
from shared.config import Platform
from shared.domain.problem import Problem

if TYPE_CHECKING:
    from services.triggers.sns_certificates import Certificate

__all__ = ["Message", "NotFromSns", "Sns"]

_OLDEST_S = 3600.0
_AHEAD_S = 300.0
_TIMESTAMP = r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z\Z"
_Line = Annotated[str, Meta(max_length=2000, pattern=r"\A[^\x00-\x1f\x7f]*\Z")]
_Name = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"\A[!-~]*\Z")]
_CONFIRMS = re.compile(r"[?&]Action=ConfirmSubscription(&|\Z)")
_OF_NOTIFICATION = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_OF_SUBSCRIPTION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")


class Message(msgspec.Struct, frozen=True, rename="pascal"):
    """A message by the names that SNS gives its parts. `message_id` is the same each time that it is tried again.

    Of a Notification all but `message` may be what it is for every message; of the others `token` and `subscribe_url`
    say what is to be confirmed.
    """

    type: Literal["Notification", "SubscriptionConfirmation", "UnsubscribeConfirmation"]
    message_id: _Name
    topic_arn: _Line
    message: str
    timestamp: Annotated[str, Meta(pattern=_TIMESTAMP)]
    signature: Annotated[str, Meta(max_length=2000)]
    signature_version: Literal["1", "2"]
    signing_cert_url: _Line = msgspec.field(name="SigningCertURL")
    subject: _Line | None = None
    token: _Line | None = None
    subscribe_url: _Line | None = msgspec.field(default=None, name="SubscribeURL")


class Sns:
    """Believes messages of SNS as AWS has it, and of servers like it: `hosts`, each `host:port`, by commas.

    Raises ConfigError.
    """

    def __init__(self, platform: Platform, *, hosts: str = "") -> None:
        self._web = Web(platform, hosts)
        self._certificates = Certificates(self._web)

    async def verified(self, body: bytes, *, topics: Sequence[str]) -> Message:
        """The message, which is from one of these topics. Raises NotFromSns, Problem(unavailable).

        Unavailable is a certificate that cannot be had just now: SNS tries again.
        """
        message = _read(body)
        if message.topic_arn not in topics:
            raise NotFromSns("This topic may not send here")
        _in_time(message.timestamp)
        certificate = await self._certificates.get(message.signing_cert_url)
        _signed(message, certificate)
        return message

    async def confirm(self, message: Message) -> None:
        """Tell SNS that a SubscriptionConfirmation came to who wants it. Raises NotFromSns, Problem(unavailable)."""
        url = message.subscribe_url or ""
        if message.type != "SubscriptionConfirmation" or not _CONFIRMS.search(url):
            raise NotFromSns("There is nothing to confirm")
        found = await self._web.get(self._web.subscription(url))
        if found is None:
            raise Problem("unavailable", "SNS did not take the confirmation")

    async def close(self) -> None:
        """Close what is open."""
        await self._certificates.close()
        await self._web.close()


def _read(body: bytes) -> Message:
    try:
        return msgspec.json.decode(body, type=Message)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise NotFromSns("This is no message of SNS") from None


def _in_time(timestamp: str) -> None:
    try:
        sent_at = datetime.fromisoformat(timestamp).timestamp()
    except (ValueError, OverflowError):
        raise NotFromSns("The message does not say when it was sent") from None
    if not -_AHEAD_S <= time.time() - sent_at <= _OLDEST_S:
        raise NotFromSns("The message is too old, or ahead of the clock here")


def _signed(message: Message, certificate: "Certificate") -> None:
    """Raises NotFromSns."""
    told = msgspec.to_builtins(message)
    names = _OF_NOTIFICATION if message.type == "Notification" else _OF_SUBSCRIPTION
    if message.type != "Notification" and (message.token is None or message.subscribe_url is None):
        raise NotFromSns("The message has nothing to confirm")
    text = "".join(f"{name}\n{told[name]}\n" for name in names if told[name] is not None)
    certificate.check(text.encode(), message.signature, version=message.signature_version)

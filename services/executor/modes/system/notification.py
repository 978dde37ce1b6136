"""`send_notification`: an e-mail, a text message or a push message, by the ways that the operator has opened."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from services.executor.modes.system.mail import Mail
from services.executor.modes.system.provider import Provider
from shared.system import Context, Failure, SystemFunction

_TIMEOUT_S = 60.0
_MAX_RETRIES = 5
MOST_RECIPIENTS = 50
_MOST_TEXT = 200_000
_MOST_SHORT_TEXT = 5000  # of a text or push message
_MOST_DATA_BYTES = 4096

_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_PHONE = re.compile(r"\+?[0-9][0-9 ()./-]{2,30}")
_DEVICE = re.compile(r"[\x21-\x7e]{1,4096}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")

Recipient = Annotated[str, Meta(min_length=1, max_length=4096)]


class Notification(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Params. `subject` is the title of a push message; `html` is for e-mail, `data` for push messages alone."""

    channel: Literal["email", "sms", "push"]
    to: Recipient | Annotated[list[Recipient], Meta(min_length=1, max_length=MOST_RECIPIENTS)]
    subject: Annotated[str, Meta(max_length=500)] = ""
    text: Annotated[str, Meta(max_length=_MOST_TEXT)] = ""
    html: Annotated[str, Meta(max_length=_MOST_TEXT)] = ""
    data: dict[str, Any] = {}

    @property
    def recipients(self) -> list[str]:
        """Whom it is for, each once, in the order given."""
        return list(dict.fromkeys([self.to] if isinstance(self.to, str) else self.to))


class Notifications:
    """The function, with the ways there are. A way that is not open is None."""

    def __init__(self, mail: Mail | None, providers: Mapping[str, Provider | None]) -> None:
        self._mail = mail
        self._providers = providers

    def function(self) -> SystemFunction:
        """The system function."""
        return SystemFunction(
            run=self.send,
            description="Sends an e-mail, a text message or a push message.",
            params=Notification,
            timeout_s=_TIMEOUT_S,
            max_retries=_MAX_RETRIES,
        )

    async def send(self, params: Notification, context: Context) -> dict[str, Any]:
        """Send one notification. Raises Failure, and Retryable where another try may end better."""
        check(params)
        if params.channel == "email":
            if self._mail is None:
                raise _closed("email", "SHOAL_SMTP_URL and SHOAL_SMTP_FROM")
            return await self._mail.send(
                params.recipients,
                subject=params.subject,
                text=params.text,
                html=params.html,
                task_id=context.task_id,
            )
        provider = self._providers[params.channel]
        if provider is None:
            raise _closed(params.channel, f"SHOAL_{params.channel.upper()}_URL")
        message: dict[str, Any] = {"id": context.task_id, "to": params.recipients, "text": params.text}
        if params.channel == "push":
            message |= {"title": params.subject, "data": params.data}
        return {"channel": params.channel, **await provider.send(message, task_id=context.task_id)}


def check(params: Notification) -> None:
    """Refuse what cannot be sent as it stands. Raises Failure(InvalidParams), with the field in front."""
    kind, example = {
        "email": (_ADDRESS, "an e-mail address such as ada@example.org"),
        "sms": (_PHONE, "a phone number such as +44 20 7946 0000"),
        "push": (_DEVICE, "a device token"),
    }[params.channel]
    wrong = next((place for place, to in enumerate(params.recipients) if not kind.fullmatch(to)), None)
    if wrong is not None:
        raise _invalid("to" if isinstance(params.to, str) else f"to[{wrong}]", f"must be {example}")
    if _CONTROL.search(params.subject):
        raise _invalid("subject", "must be one line without control characters")
    if params.channel == "email":
        _check_mail(params)
    else:
        _check_short(params)


def _check_mail(params: Notification) -> None:
    if not params.subject:
        raise _invalid("subject", "an e-mail has one")
    if not params.text and not params.html:
        raise _invalid("text", "an e-mail has a text, or html")
    if params.data:
        raise _invalid("data", "belongs to push messages")


def _check_short(params: Notification) -> None:
    if not 1 <= len(params.text) <= _MOST_SHORT_TEXT:
        raise _invalid("text", f"must be 1 to {_MOST_SHORT_TEXT} characters")
    if params.html:
        raise _invalid("html", "belongs to e-mail")
    if params.channel == "sms" and (params.subject or params.data):
        raise _invalid("subject" if params.subject else "data", "a text message has none")
    if len(msgspec.json.encode(params.data)) > _MOST_DATA_BYTES:
        raise _invalid("data", f"must not be longer than {_MOST_DATA_BYTES} bytes")


def _invalid(field: str, sentence: str) -> Failure:
    return Failure("InvalidParams", f"{field}: {sentence}")


def _closed(channel: str, settings: str) -> Failure:
    return Failure("NotConfigured", f"The operator has not configured '{channel}': {settings} not set")

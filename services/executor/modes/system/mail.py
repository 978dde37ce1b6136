"""E-mail by the operator's mail server."""

from contextlib import suppress
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_LINES
from email.utils import localtime, parseaddr
from typing import Any, Literal, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

import aiosmtplib

from shared.config import ConfigError
from shared.system import Failure, Retryable

_STEP_S = 10.0  # for each answer of the server
_PORTS = {"smtp": 587, "smtps": 465}
_SAID = 300  # characters of what the server says
_PASSING = range(400, 500)
# No server needs to know of anything but ASCII then.
_POLICY = SMTP_LINES.clone(cte_type="7bit")

StartTls = Literal["auto", "always", "never"]
_STARTTLS: dict[str, StartTls] = {"auto": "auto", "always": "always", "never": "never"}


class Server(NamedTuple):
    """Where mail is handed in. `starttls`: encrypt when the server can, or else not at all, or never."""

    host: str
    port: int
    tls: bool
    starttls: StartTls
    user: str
    password: str


class Mail:
    """Hands in one message at a time, each over a connection of its own."""

    def __init__(self, server: Server, sender: Address) -> None:
        self._server = server
        self._sender = sender

    async def send(self, recipients: list[str], *, subject: str, text: str, html: str, task_id: str) -> dict[str, Any]:
        """Send one message to all. Raises Retryable while the server cannot, Failure when it will not.

        Its Message-ID is made of the task id: one that was sent twice, because its end was lost, has the same.
        """
        message = EmailMessage(policy=_POLICY)
        message["From"] = self._sender
        message["To"] = [Address(addr_spec=recipient) for recipient in recipients]
        message["Subject"] = subject
        message["Date"] = localtime()
        message["Message-ID"] = message_id = f"<{task_id}@{self._sender.domain}>"
        if text:
            message.set_content(text)
        if html and text:
            message.add_alternative(html, subtype="html")
        elif html:
            message.set_content(html, subtype="html")
        refused = await self._hand_in(recipients, message.as_bytes())
        return {
            "channel": "email",
            "message_id": message_id,
            "accepted": [recipient for recipient in recipients if recipient not in refused],
            "refused": refused,
        }

    async def _hand_in(self, recipients: list[str], message: bytes) -> dict[str, str]:
        """Whom the server did not take it for, and why."""
        try:
            client = self._client()
            await client.connect()
            try:
                refused, _ = await client.sendmail(self._sender.addr_spec, recipients, message)
            finally:
                with suppress(aiosmtplib.SMTPException, OSError):  # it is sent, or it is not: this changes nothing
                    await client.quit()
        except aiosmtplib.SMTPRecipientsRefused as error:
            raise _all_refused(error) from None
        except aiosmtplib.SMTPResponseException as error:
            raise _said(error) from None
        except (aiosmtplib.SMTPConnectError, aiosmtplib.SMTPServerDisconnected, aiosmtplib.SMTPTimeoutError, OSError):
            message_ = "The mail server cannot be reached, or has gone away"
            raise Retryable(message_, error_type="MailServerUnavailable") from None
        except (aiosmtplib.SMTPException, ValueError) as error:
            raise Failure("MailServerRefused", str(error)[:_SAID]) from None
        return {recipient: f"{answer.code} {answer.message}"[:_SAID] for recipient, answer in refused.items()}

    def _client(self) -> aiosmtplib.SMTP:
        server = self._server
        return aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            username=server.user or None,
            password=server.password or None,
            use_tls=server.tls,
            start_tls=False if server.tls else {"auto": None, "always": True, "never": False}[server.starttls],
            timeout=_STEP_S,
        )


def _all_refused(error: aiosmtplib.SMTPRecipientsRefused) -> Failure:
    said = "; ".join(f"{one.recipient}: {one.code} {one.message}" for one in error.recipients)[:_SAID]
    if all(one.code in _PASSING for one in error.recipients):
        return Retryable(said, error_type="RecipientsRefused")
    return Failure("RecipientsRefused", said)


def _said(error: aiosmtplib.SMTPResponseException) -> Failure:
    said = f"{error.code} {error.message}"[:_SAID]
    if error.code in _PASSING:
        return Retryable(said, error_type="MailServerUnavailable")
    return Failure("MailServerRefused", said)


def open_mail(url: str, *, sender: str) -> Mail | None:
    """The way for e-mail, None where there is none. Raises ConfigError."""
    if not url:
        return None
    return Mail(_server(url), _sender(sender))


def _server(url: str) -> Server:
    """`smtp://user:password@host:587?starttls=always`; `smtps://…` for TLS from the first byte.

    With a user the password is not to be read by all: it is then `always` unless it is said otherwise.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ConfigError("SHOAL_SMTP_URL: is not an address") from None
    asked = parse_qs(parts.query, keep_blank_values=True)
    wish = asked.pop("starttls", ["always" if parts.username else "auto"])[-1]
    if parts.scheme not in _PORTS or not parts.hostname or asked or parts.path not in ("", "/"):
        raise ConfigError("SHOAL_SMTP_URL: must be smtp://user:password@host:port?starttls=… or smtps://…")
    starttls = _STARTTLS.get(wish)
    if starttls is None:
        raise ConfigError("SHOAL_SMTP_URL: starttls must be auto, always or never")
    return Server(
        host=parts.hostname,
        port=port or _PORTS[parts.scheme],
        tls=parts.scheme == "smtps",
        starttls=starttls,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
    )


def _sender(text: str) -> Address:
    """`ada@example.org` or `Ada <ada@example.org>`."""
    name, address = parseaddr(text)
    if text.isprintable() and address.count("@") == 1 and not address.startswith("@"):
        with suppress(ValueError):
            sender = Address(display_name=name, addr_spec=address)
            if "." in sender.domain.strip("."):
                return sender
    raise ConfigError("SHOAL_SMTP_FROM: must be an e-mail address, alone or as in 'Shoal <shoal@example.org>'")

"""A certificate as SNS has one, messages that are signed with it, and a server that has it."""

import base64
import datetime
import uuid
from typing import Any, Self

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

from services.triggers.sns import Sns
from shared.config import Platform
from tests.hooks import Hook, Received, response

TOPIC = "arn:aws:sns:us-east-1:123456789012:uploads"
FILE = "/SimpleNotificationService-01d088a6f77103d0fe307c0069e40ed6.pem"
PLATFORM = Platform(nats_url="", mongodb_url="")
_DAY = datetime.timedelta(days=1)
_PARTS = ("Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
_RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Signer:
    """Signs as SNS does, with a certificate that an authority of its own has signed."""

    def __init__(
        self,
        *,
        name: str = "sns.amazonaws.com",
        also: str = "",
        days: tuple[int, int] = (-1, 1),
        bits: int = 2048,
        curve: bool = False,
    ) -> None:
        own = bits != 2048
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=bits) if own else _RSA
        authority = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Authority")]))
            .public_key(authority.public_key() if curve else self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + days[0] * _DAY)
            .not_valid_after(now + days[1] * _DAY)
        )
        if also:
            made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(also)]), critical=False)
        signed = made.sign(authority, hashes.SHA256())
        self.pem = signed.public_bytes(serialization.Encoding.PEM)

    def signed(self, told: dict[str, Any], *, version: str = "2") -> dict[str, Any]:
        """The message with its signature, over those parts that it has."""
        text = "".join(f"{name}\n{told[name]}\n" for name in _PARTS if name in told)
        digest = hashes.SHA256() if version == "2" else hashes.SHA1()
        signature = self.key.sign(text.encode(), padding.PKCS1v15(), digest)
        return {**told, "SignatureVersion": version, "Signature": base64.b64encode(signature).decode()}


def now(*, ago_s: float = 0) -> str:
    at = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=ago_s)
    return at.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def notification(**parts: Any) -> dict[str, Any]:
    told = {"Type": "Notification", "MessageId": str(uuid.uuid4()), "TopicArn": TOPIC, "Message": '{"Records":[]}\n"ü"'}
    return {**told, "Timestamp": now(), **parts}


def subscription(url: str, **parts: Any) -> dict[str, Any]:
    token = "2336412f37"
    asked = f"{url}/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token={token}"
    told = notification(Type="SubscriptionConfirmation", Message="You have chosen to subscribe", Token=token)
    return {**told, "SubscribeURL": asked, **parts}


class Server:
    """A server like SNS's: it has the certificate, and counts what it is asked for."""

    def __init__(self, hook: Hook, signer: Signer, *, platform: Platform = PLATFORM) -> None:
        self.hook = hook
        self.signer = signer
        self.sns = Sns(platform, hosts=f"moto:5000, 127.0.0.1:{hook.port}")
        hook.answer = self._answer

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.sns.close()

    async def _answer(self, received: Received, writer: Any) -> None:
        known = received.path == FILE or received.path.startswith("/?Action=ConfirmSubscription&")
        writer.write(response(200, self.signer.pem) if known else response(404, b"{}"))

    @property
    def fetched(self) -> list[str]:
        return [received.path for received in self.hook.received]

    def body(self, told: dict[str, Any], **signing: Any) -> bytes:
        """The message as it is sent, with what is not signed."""
        signed = self.signer.signed(told, **signing)
        unsubscribe = "https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe&SubscriptionArn=x"
        return msgspec.json.encode({"SigningCertURL": self.hook.url + FILE, "UnsubscribeURL": unsubscribe, **signed})

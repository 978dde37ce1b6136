"""The way for e-mail by itself: encryption, credentials, and settings that cannot be."""

import datetime
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services.executor.modes.system.mail import open_mail
from shared.config import ConfigError
from shared.system import Failure, Retryable
from tests.system.servers import Mailbox, mail_server

SENDER = "Shoal <shoal@example.org>"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    """One for localhost, by an authority of its own, and a server's context with it."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    (folder / "key.pem").write_bytes(secret)
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return folder / "cert.pem", context


def checked(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
    right = isinstance(data, LoginPassword) and (data.login, data.password) == (b"user@example.org", b"p:ss/w?rd")
    return AuthResult(success=right, handled=False)  # the server answers


@pytest.fixture
def secure(certificate: tuple[Path, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Mailbox, int]]:
    """A server that wants encryption and a password, whose authority this process believes."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    options = {"tls_context": certificate[1], "authenticator": checked, "auth_required": True}
    with mail_server(require_starttls=True, **options) as opened:
        yield opened


async def send(url: str) -> dict[str, Any]:
    mail = open_mail(url, sender=SENDER)
    assert mail is not None
    return await mail.send(["ada@example.org"], subject="Hello", text="Hello", html="", task_id="t-1")


async def test_credentials_go_over_an_encrypted_connection(secure: tuple[Mailbox, int]):
    mailbox, port = secure
    told = await send(f"smtp://user%40example.org:p%3Ass%2Fw%3Frd@localhost:{port}")
    assert told["accepted"] == ["ada@example.org"]
    assert mailbox.message_to("ada@example.org")["message-id"] == "<t-1@example.org>"


async def test_wrong_credentials_are_not_tried_again(secure: tuple[Mailbox, int]):
    with pytest.raises(Failure, match="535") as caught:
        await send(f"smtp://user:wrong@localhost:{secure[1]}")
    assert caught.value.error_type == "MailServerRefused"
    assert "wrong" not in caught.value.message


async def test_a_certificate_that_nobody_knows_is_not_believed(
    secure: tuple[Mailbox, int], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises((Failure, Retryable)):
        await send(f"smtp://user%40example.org:p%3Ass%2Fw%3Frd@localhost:{secure[1]}")
    assert secure[0].received == []


async def test_credentials_are_not_sent_where_nothing_is_encrypted():
    with mail_server(authenticator=checked, auth_require_tls=False) as (mailbox, port):
        with pytest.raises(Failure, match="STARTTLS"):
            await send(f"smtp://user%40example.org:p%3Ass%2Fw%3Frd@127.0.0.1:{port}")
        assert mailbox.received == []
        told = await send(f"smtp://user%40example.org:p%3Ass%2Fw%3Frd@127.0.0.1:{port}?starttls=never")
        assert told["accepted"] == ["ada@example.org"]


@pytest.mark.parametrize(
    ("url", "sender", "said"),
    [
        ("http://localhost", SENDER, "SHOAL_SMTP_URL"),
        ("smtp://", SENDER, "SHOAL_SMTP_URL"),
        ("smtp://localhost:mail", SENDER, "SHOAL_SMTP_URL"),
        ("smtp://localhost?tls=yes", SENDER, "SHOAL_SMTP_URL"),
        ("smtp://localhost?starttls=maybe", SENDER, "starttls"),
        ("smtp://localhost", "", "SHOAL_SMTP_FROM"),
        ("smtp://localhost", "shoal", "SHOAL_SMTP_FROM"),
        ("smtp://localhost", "shoal@example.org\nBcc: eve@example.org", "SHOAL_SMTP_FROM"),
    ],
)
def test_settings_that_cannot_be_stop_the_boot(url: str, sender: str, said: str):
    with pytest.raises(ConfigError, match=said):
        open_mail(url, sender=sender)


def test_without_an_address_there_is_no_way():
    assert open_mail("", sender="") is None

"""boto3's clients with a tenant's own access and no other, over connections that are guarded.

The library is loaded by the first client: it takes 18 megabytes, and half a one for each further client. Nothing of the
operator's own is used: no variable of the environment, no file, no credentials of the machine.
"""

import asyncio
import os
import threading
import time
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from urllib.parse import urlsplit

from services.triggers.kinds.s3.adapter import SourceFault
from services.triggers.kinds.s3.threads import Threads
from shared.config import Platform
from shared.domain.event_source import S3Access

if TYPE_CHECKING:
    from services.triggers.kinds.s3.transport import Transport

Made = TypeVar("Made")
Service = Literal["s3", "sqs"]

_WITHIN_S = 120.0  # a call, with its wait for a thread: an answer that comes byte by byte would never end
_OPENING = threading.Lock()  # botocore's session makes one client at a time
_MOST_CODE = 100
# What botocore stumbles over in answers that are not those of the service.
_NONSENSE = (ValueError, LookupError, TypeError, AttributeError, RuntimeError, ArithmeticError)

_SENTENCES = {
    "InvalidAccessKeyId": "The access key id is not known to {where}",
    "InvalidClientTokenId": "The access key id is not known to {where}",
    "UnrecognizedClientException": "The access key id is not known to {where}",
    "SignatureDoesNotMatch": "The secret access key is not that of the access key id, says {where}",
    "InvalidSignatureException": "The secret access key is not that of the access key id, says {where}",
    "AccessDenied": "Access to {what} is denied",
    "AccessDeniedException": "Access to {what} is denied",
    "AllAccessDisabled": "Access to {what} is denied",
    "403": "Access to {what} is denied",
    "Forbidden": "Access to {what} is denied",
    "NoSuchBucket": "There is no {what}",
    "AWS.SimpleQueueService.NonExistentQueue": "There is no {what}",
    "QueueDoesNotExist": "There is no {what}",
    "PermanentRedirect": "{what} is in another region than {region}",
    "AuthorizationHeaderMalformed": "{what} is in another region than {region}",
    "ExpiredToken": "The access has expired",
}


class Client:
    """A client of one service, made by its first call; at most `most` calls are under way. To be closed.

    An answer may take `read_s` between two of its parts.
    """

    def __init__(
        self, service: Service, access: S3Access, secret: str, *, platform: Platform, most: int, read_s: float
    ) -> None:
        self._service: Service = service
        self._access = access
        self._secret = secret
        self._platform = platform
        self._most = most
        self._read_s = read_s
        self._threads = Threads(most, name=service)
        self._client: Any = None
        self._transport: Transport | None = None
        self._closed = False

    async def ask(self, ask: Callable[[Any], Made], *, what: str) -> Made:
        """What `ask` gets from the client, in a thread. `what` is what is asked for. Raises SourceFault."""
        until_s = time.monotonic() + _WITHIN_S
        try:
            async with asyncio.timeout(_WITHIN_S):
                return await self._threads.run(lambda: self._asked(ask, what=what, until_s=until_s))
        except TimeoutError:
            if self._transport is not None:
                self._transport.cut()  # else an answer that never ends would keep its thread
            raise SourceFault(f"{what} was not answered for within {_WITHIN_S:g} s") from None

    def _asked(self, ask: Callable[[Any], Made], *, what: str, until_s: float) -> Made:
        """In one of the threads."""

        def asked() -> Made:
            client = self._made()
            if self._transport is not None:
                self._transport.begin(until_s=until_s)
            return ask(client)

        try:
            return _told(asked, access=self._access, what=what)
        finally:
            if self._transport is not None:
                self._transport.done()

    @property
    def is_idle(self) -> bool:
        """Whether no call is under way."""
        return self._threads.is_idle

    def close(self) -> None:
        """End it; calls under way fail."""
        self._closed = True
        self._threads.close()
        if self._transport is not None:
            self._transport.abort()

    def _made(self) -> Any:
        with _OPENING:
            if self._closed:
                raise SourceFault("The source has been stopped")
            if self._client is None:
                from services.triggers.kinds.s3.transport import Transport

                self._transport = Transport(self._platform, most=self._most, read_s=self._read_s)
                self._client = _opened(self._service, self._access, self._secret, self._transport)
            return self._client


def code_of(error: Any) -> str:
    """What a service's answer calls the fault: whoever answers may have chosen it."""
    said = str(error.response.get("Error", {}).get("Code", ""))
    return "".join(letter for letter in said[:_MOST_CODE] if letter.isascii() and letter.isprintable())


def _opened(service: Service, access: S3Access, secret: str, transport: "Transport") -> Any:
    """A client of botocore, which is what boto3's clients are."""
    from botocore import UNSIGNED
    from botocore.config import Config

    anonymous = not access.access_key_id
    config = Config(
        signature_version=UNSIGNED if anonymous else None,
        retries={"total_max_attempts": 1, "mode": "standard"},
        s3={"addressing_style": "path" if access.endpoint_url else "auto"},
        ignore_configured_endpoint_urls=True,  # type: ignore[call-arg]  # the stubs do not know it
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        proxies={},
        user_agent="Shoal",
    )
    client = _session().create_client(
        service,
        region_name=access.region,
        endpoint_url=access.endpoint_url,
        aws_access_key_id=None if anonymous else access.access_key_id,
        aws_secret_access_key=None if anonymous else secret,
        config=config,
    )
    client.meta.events.register_first(f"before-send.{service}", transport.send)
    return client


@cache
def _session() -> Any:
    """One that reads no environment and no files: it knows only what a client is given."""
    from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES
    from botocore.session import Session

    nothing: dict[str, Any] = {
        name: (None, None, default, convert)
        for name, (_, _, default, convert) in BOTOCORE_DEFAUT_SESSION_VARIABLES.items()
    }
    files = dict.fromkeys(("config_file", "credentials_file"), (None, None, os.devnull, None))
    return Session(session_vars={**nothing, **files})


def _told(ask: Callable[[], Made], *, access: S3Access, what: str) -> Made:
    """What the question is answered with, its faults in sentences. Raises SourceFault."""
    from botocore.exceptions import BotoCoreError, ClientError

    where = _where(access)
    try:
        return ask()
    except ClientError as error:
        code = code_of(error)
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        sentence = _SENTENCES.get(code, "{where} answered {status} ({code}) when asked for {what}")
        said = sentence.format(where=where, what=what, region=access.region, status=status, code=code)
        raise SourceFault(said[:1].upper() + said[1:]) from None
    except (BotoCoreError, *_NONSENSE) as error:
        raise SourceFault(f"{where} gave no answer that can be understood: {type(error).__name__}") from None


def _where(access: S3Access) -> str:
    return urlsplit(access.endpoint_url).netloc if access.endpoint_url else "AWS"

"""boto3's clients with a tenant's own access and no other, over connections that are guarded.

The library is loaded by the first client: it takes 18 megabytes, and half a one for each further client. Nothing of the
operator's own is used: no variable of the environment, no file, no credentials of the machine.
"""

import asyncio
import os
import threading
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
        try:
            async with asyncio.timeout(_WITHIN_S):
                return await self._threads.run(lambda: _told(lambda: ask(self._made()), access=self._access, what=what))
        except TimeoutError:
            raise SourceFault(f"{what} was not answered for within {_WITHIN_S:g} s") from None

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
    """What a service's answer calls the fault."""
    return str(error.response.get("Error", {}).get("Code", ""))


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

    where = urlsplit(access.endpoint_url).netloc if access.endpoint_url else "AWS"
    try:
        return ask()
    except ClientError as error:
        code = code_of(error)
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        sentence = _SENTENCES.get(code) or f"{{where}} answered {status} ({code[:100]}) when asked for {{what}}"
        said = sentence.format(where=where, what=what, region=access.region)
        raise SourceFault(said[:1].upper() + said[1:]) from None
    except (BotoCoreError, ValueError, KeyError) as error:
        raise SourceFault(f"{where} gave no answer that can be understood: {type(error).__name__}") from None

"""S3 and SQS as the sources of tenants ask them: boto3's clients in threads."""

from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

from services.triggers.kinds.s3.clients import Client, code_of
from services.triggers.kinds.s3.tellers import fields
from shared.config import Platform
from shared.domain.event_source import S3Access

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_sqs import SQSClient

PAGE = 1000
"""The most objects of one page of a list, which is S3's own bound."""

LONG_POLL_S = 20.0
"""The longest wait for messages that SQS knows."""

_READ_S = 20.0  # between two parts of an answer
_GONE = frozenset({"404", "NoSuchKey", "NoSuchVersion", "MethodNotAllowed", "405"})  # 405: it is a delete marker


class Head(NamedTuple):
    """What a store says of an object. `metadata` is the uploader's, `etag` has no quotes."""

    content_type: str
    metadata: dict[str, str]
    etag: str
    size: int


class Listed(NamedTuple):
    """An object in a list. `etag` has no quotes."""

    key: str
    size: int
    etag: str
    modified: datetime


class Page(NamedTuple):
    """A part of a list. `next` is the token of the following one, empty at the end.

    It was said at the moment `at` by the store's clock, where it names one, and read at `read_at` by ours.
    """

    objects: Sequence[Listed]
    next: str
    at: datetime | None
    read_at: datetime


class Message(NamedTuple):
    """A message of a queue. Its `receipt` deletes it; it was handed out `deliveries` times so far."""

    id: str
    receipt: str
    body: str
    deliveries: int


class S3:
    """A bucket store. Every method raises SourceFault. To be closed."""

    def __init__(self, access: S3Access, secret: str, platform: Platform, *, most: int = 4) -> None:
        self._client = Client("s3", access, secret, platform=platform, most=most, read_s=_READ_S)

    async def head(self, bucket: str, key: str, version_id: str = "") -> Head | None:
        """What is known of an object; None where it is gone."""

        def ask(client: "S3Client") -> Head | None:
            from botocore.exceptions import ClientError

            version: Any = {"VersionId": version_id} if version_id else {}
            try:
                found = client.head_object(Bucket=bucket, Key=key, **version)
            except ClientError as error:
                if code_of(error) in _GONE:
                    return None
                raise
            size, etag = found.get("ContentLength", -1), found.get("ETag", "").strip('"')
            return Head(found.get("ContentType", ""), dict(found.get("Metadata", {})), etag, size)

        return await self._client.ask(ask, what=f"bucket '{bucket}'")

    async def list_page(
        self, bucket: str, *, prefix: str = "", start_after: str = "", token: str = "", most: int = PAGE
    ) -> Page:
        """At most `most` objects by key: from the first, after the key `start_after`, or on from where `token` says."""

        def ask(client: "S3Client") -> Page:
            where: Any = {"ContinuationToken": token} if token else {"StartAfter": start_after} if start_after else {}
            found = client.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=most, **where)
            return _page(found, asked=token, most=most)

        return await self._client.ask(ask, what=f"bucket '{bucket}'")

    @property
    def is_idle(self) -> bool:
        """Whether no call is under way."""
        return self._client.is_idle

    def close(self) -> None:
        """End it; calls under way fail."""
        self._client.close()


class Sqs:
    """A queue. Every method raises SourceFault. To be closed."""

    def __init__(self, queue_url: str, access: S3Access, secret: str, platform: Platform, *, most: int = 4) -> None:
        self._queue_url = queue_url
        self._what = f"queue '{queue_url.rpartition('/')[2]}'"
        access = _with_endpoint(access, queue_url)
        read_s = LONG_POLL_S + _READ_S
        self._client = Client("sqs", access, secret, platform=platform, most=most, read_s=read_s)

    async def receive(self, *, most: int = 10, wait_s: float = LONG_POLL_S, hidden_s: float = 60.0) -> list[Message]:
        """At most ten messages, waited for; nobody else gets them for `hidden_s`."""

        def ask(client: "SQSClient") -> list[Message]:
            found = client.receive_message(
                QueueUrl=self._queue_url,
                MaxNumberOfMessages=most,
                WaitTimeSeconds=int(wait_s),
                VisibilityTimeout=int(hidden_s),
                MessageSystemAttributeNames=["ApproximateReceiveCount"],
            )
            return [_message(one) for one in found.get("Messages", ())[:most]]

        return await self._client.ask(ask, what=self._what)

    async def delete(self, messages: Sequence[Message]) -> int:
        """Delete at most ten messages; how many of them could not be."""

        def ask(client: "SQSClient") -> int:
            entries: Any = [{"Id": str(place), "ReceiptHandle": one.receipt} for place, one in enumerate(messages)]
            return len(client.delete_message_batch(QueueUrl=self._queue_url, Entries=entries).get("Failed", ()))

        return await self._client.ask(ask, what=self._what)

    async def hide(self, messages: Sequence[Message], hidden_s: float) -> None:
        """Nobody else gets these, at most ten, for so much longer from now; 0 gives them back."""

        def ask(client: "SQSClient") -> None:
            entries: Any = [
                {"Id": str(place), "ReceiptHandle": one.receipt, "VisibilityTimeout": int(hidden_s)}
                for place, one in enumerate(messages)
            ]
            client.change_message_visibility_batch(QueueUrl=self._queue_url, Entries=entries)

        await self._client.ask(ask, what=self._what)

    def close(self) -> None:
        """End it; calls under way fail."""
        self._client.close()


def _message(one: Any) -> Message:
    """Raises ValueError, KeyError."""
    id, body = one.get("MessageId", ""), one.get("Body", "")
    if not isinstance(id, str) or not fields.is_whole(id) or not isinstance(body, str):
        raise ValueError("a message is no text")
    return Message(id, one["ReceiptHandle"], body, int(one.get("Attributes", {}).get("ApproximateReceiveCount", 1)))


def _with_endpoint(access: S3Access, queue_url: str) -> S3Access:
    """A queue is asked where its address says, unless the access says another place."""
    parts = urlsplit(queue_url)
    endpoint = access.endpoint_url or f"{parts.scheme}://{parts.netloc}"
    return msgspec.structs.replace(access, endpoint_url=endpoint)


def _page(found: Any, *, asked: str, most: int) -> Page:
    """A page as it was answered. What is no list must not be taken for an empty one: rows are forgotten by that.

    Raises ValueError, KeyError.
    """
    contents = found.get("Contents", ())
    following = found.get("NextContinuationToken", "") if found["IsTruncated"] else ""
    if found["IsTruncated"] and following in ("", asked):
        raise ValueError("there is more, and no token for it")
    if len(contents) > most:
        raise ValueError("more objects than were asked for")
    objects = [_listed(one) for one in contents if len(one["Key"]) <= fields.MAX_KEY]  # of a longer one nobody can tell
    return Page(objects, following, _date(found), datetime.now(UTC))


def _listed(one: Any) -> Listed:
    etag = fields.text(one, "ETag").strip('"')
    return Listed(one["Key"], fields.size(one, "Size"), etag, one["LastModified"].astimezone(UTC))


def _date(answer: Any) -> datetime | None:
    """When the answer was given, by the clock of who gave it."""
    try:
        found = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
    except (KeyError, ValueError):
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)

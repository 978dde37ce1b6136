"""Where a tenant's s3_upload events come from."""

from datetime import datetime
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta

SourceKind = Literal["sqs", "http", "nats", "poll"]
SOURCE_KINDS: tuple[SourceKind, ...] = get_args(SourceKind)

HttpFormat = Literal["sns", "minio", "seaweedfs", "eventbridge"]
"""Who posts to a source of kind http."""

SourceState = Literal["starting", "running", "failing", "stopped"]

ID_PREFIX = "src_"
"""What the public id of a source begins with; its events are posted to `/events/{public id}`."""

ID_LENGTH = 20
ID_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"

_Url = Annotated[str, Meta(min_length=1, max_length=1000, pattern=r"\A[a-z]+://[^\x00-\x20\x7f]*\Z")]
_Name = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"\A[^\x00-\x20\x7f]*\Z")]
_Region = Annotated[str, Meta(max_length=63, pattern=r"\A(?![0-9]+\Z)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?\Z")]
_Bucket = Annotated[str, Meta(min_length=3, max_length=255, pattern=r"\A[A-Za-z0-9._-]*\Z")]
_Topic = Annotated[str, Meta(max_length=400, pattern=r"\Aarn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]+:[A-Za-z0-9_.-]+\Z")]


class _Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A config whose every field is known."""


class S3Access(_Strict, frozen=True):
    """An S3 endpoint and who asks there; AWS itself where there is no `endpoint_url`.

    `access_key_id` goes with the source's secret `secret_access_key`.
    """

    endpoint_url: _Url | None = None
    region: _Region = "us-east-1"
    access_key_id: Annotated[str, Meta(max_length=200, pattern=r"\A[\x21-\x7e]*\Z")] = ""


class SqsConfig(_Strict, frozen=True):
    """A queue that S3, SNS or EventBridge fills. `s3` asks for what an event does not say, else the queue's access."""

    queue_url: _Url
    access: S3Access = S3Access()
    s3: S3Access | None = None


class HttpConfig(_Strict, frozen=True):
    """What is posted to us. `topics` are the ARNs that may, for `sns`; others show the source's secret `token`.

    With `s3` and `buckets` what was not posted is found by listing every `reconcile_s`; for `seaweedfs`, which posts
    each event once at most, they are required.
    """

    format: HttpFormat
    topics: Annotated[list[_Topic], Meta(max_length=20)] = []
    s3: S3Access | None = None
    buckets: Annotated[list[_Bucket], Meta(max_length=100)] = []
    reconcile_s: Annotated[float, Meta(ge=1, le=86_400)] = 60.0


class NatsConfig(_Strict, frozen=True):
    """A subject that MinIO publishes on; read from `stream` where there is one, so that nothing is missed.

    `user` goes with the source's secret `password`; the secret `token` is one without a user.
    """

    url: _Url
    subject: _Name
    stream: Annotated[str, Meta(max_length=200)] = ""
    user: Annotated[str, Meta(max_length=200)] = ""
    s3: S3Access | None = None


class PollConfig(_Strict, frozen=True):
    """Buckets that are listed every `interval_s`."""

    s3: S3Access
    buckets: Annotated[list[_Bucket], Meta(min_length=1, max_length=100)]
    prefix: Annotated[str, Meta(max_length=1024, pattern=r"\A[^\x00]*\Z")] = ""
    interval_s: Annotated[float, Meta(ge=1, le=86_400)] = 30.0


SourceConfig = SqsConfig | HttpConfig | NatsConfig | PollConfig
CONFIGS: dict[SourceKind, type[SqsConfig | HttpConfig | NatsConfig | PollConfig]] = {
    "sqs": SqsConfig,
    "http": HttpConfig,
    "nats": NatsConfig,
    "poll": PollConfig,
}
SECRETS: dict[SourceKind, tuple[str, ...]] = {
    "sqs": ("secret_access_key", "s3_secret_access_key"),
    "http": ("token", "s3_secret_access_key"),
    "nats": ("password", "token", "s3_secret_access_key"),
    "poll": ("s3_secret_access_key",),
}
"""What is secret of a source, by its kind."""


class SourceStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How a source does, as its owner last said. `error` is why it is failing, in a sentence without secrets."""

    state: SourceState = "starting"
    since: datetime | None = None
    error: str = ""
    owner: str = ""
    last_event_at: datetime | None = None
    events: int = 0


class EventSource(msgspec.Struct, frozen=True, kw_only=True):
    """One source of a tenant. `config` is one of `CONFIGS`, `secrets` are sealed (place `source_place(…)`).

    What was there before it was made is no event.
    """

    id: int
    tenant: str
    public_id: str
    name: str
    kind: SourceKind
    enabled: bool = True
    config: dict[str, Any] = {}
    secrets: dict[str, str] = {}
    status: SourceStatus = SourceStatus()
    revision: int = 1
    created_at: datetime
    updated_at: datetime


def is_source_id(text: str) -> bool:
    """Whether a text has the form of a source's public id."""
    digits = text.removeprefix(ID_PREFIX)
    return text.startswith(ID_PREFIX) and len(digits) == ID_LENGTH and all(digit in ID_DIGITS for digit in digits)


def source_place(tenant: str, source_id: int, secret: str) -> str:
    """Where a secret of a source is sealed."""
    return f"source/{tenant}/{source_id}/{secret}"

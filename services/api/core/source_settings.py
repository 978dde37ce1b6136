"""What an event source is told to do, checked before it is kept: what could never work is refused with its place."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from shared.domain.event_source import (
    CONFIGS,
    SECRETS,
    HttpConfig,
    NatsConfig,
    PollConfig,
    S3Access,
    SourceConfig,
    SourceKind,
    SqsConfig,
)
from shared.domain.problem import Problem, wrong

MIN_TOKEN = 16
"""Characters of a token that somebody chose, at least."""
_PATH = re.compile(r" - at `\$\.?(.*)`$")
_HTTP = ("http", "https")
_NATS = ("nats", "tls")
_QUEUE_HOST = re.compile(r"(?:sqs\.([a-z0-9-]+)|([a-z0-9-]+)\.queue)\.amazonaws\.com(?:\.cn)?")
_LISTED = ("seaweedfs", "minio")  # whose events are known again in a listing


def checked(kind: SourceKind, config: Mapping[str, Any], secrets: Mapping[str, Any]) -> dict[str, Any]:
    """The config as it is kept. Of `secrets` only the names count. Raises Problem(invalid)."""
    try:
        typed: SourceConfig = msgspec.convert(dict(config), CONFIGS[kind])
    except msgspec.ValidationError as error:
        raise _misplaced(str(error)) from None
    for name in secrets:
        if name not in SECRETS[kind]:
            raise _wrong(f"secrets.{name}", f"is not known; a source of kind {kind} has {' and '.join(SECRETS[kind])}")
    _CHECKS[kind](typed, secrets)
    if typed.s3 is not None:
        _check_access(typed.s3, "config.s3", "s3_secret_access_key" in secrets, "s3_secret_access_key")
    elif "s3_secret_access_key" in secrets:
        raise _wrong("secrets.s3_secret_access_key", "goes with config.s3, which is not there")
    kept: dict[str, Any] = msgspec.to_builtins(typed)
    return kept


def has_token(kind: SourceKind, config: Mapping[str, Any]) -> bool:
    """Whether those who post to the source show a token."""
    return kind == "http" and config.get("format") != "sns"


def _sqs(config: Any, secrets: Mapping[str, Any]) -> None:
    assert isinstance(config, SqsConfig)
    host = _check_url(config.queue_url, "config.queue_url", _HTTP)
    _check_access(config.access, "config.access", "secret_access_key" in secrets, "secret_access_key")
    found = _QUEUE_HOST.fullmatch(host)
    region = found and (found[1] or found[2])
    if region and config.access.endpoint_url is None and region != config.access.region:
        raise _wrong("config.access.region", f"is {config.access.region}, and the queue is in {region}")


def _http(config: Any, secrets: Mapping[str, Any]) -> None:
    assert isinstance(config, HttpConfig)
    if config.format == "sns" and not config.topics:
        raise _wrong("config.topics", "must name the topics of SNS that may post here")
    if config.format != "sns" and config.topics:
        raise _wrong("config.topics", "are those of SNS; other senders show a token")
    if config.format == "sns" and "token" in secrets:
        raise _wrong("secrets.token", "is shown by others than SNS, whose messages are signed")
    if config.format == "seaweedfs" and (config.s3 is None or not config.buckets):
        field = "config.buckets" if config.s3 else "config.s3"
        raise _wrong(field, "is required: SeaweedFS posts each event once at most, so the buckets are listed, too")
    if config.buckets and config.s3 is None:
        raise _wrong("config.s3", "is required to list the buckets")
    if config.buckets and config.format not in _LISTED:
        raise _wrong("config.buckets", f"are listed for {' and '.join(_LISTED)} only: others try again themselves")


def _nats(config: Any, secrets: Mapping[str, Any]) -> None:
    assert isinstance(config, NatsConfig)
    _check_url(config.url, "config.url", _NATS)
    if bool(config.user) != ("password" in secrets):
        raise _wrong("secrets.password" if config.user else "config.user", "is required: a user goes with a password")
    if config.user and "token" in secrets:
        raise _wrong("secrets.token", "is for a connection without a user")


def _poll(config: Any, secrets: Mapping[str, Any]) -> None:
    assert isinstance(config, PollConfig)


_CHECKS = {"sqs": _sqs, "http": _http, "nats": _nats, "poll": _poll}


def _check_access(access: S3Access, place: str, has_secret: bool, secret: str) -> None:
    if access.endpoint_url is not None:
        _check_url(access.endpoint_url, f"{place}.endpoint_url", _HTTP)
    if bool(access.access_key_id) != has_secret:
        field = f"secrets.{secret}" if access.access_key_id else f"{place}.access_key_id"
        raise _wrong(field, f"is required: {place}.access_key_id goes with secrets.{secret}")


def _check_url(url: str, place: str, schemes: tuple[str, ...]) -> str:
    """Its host."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise _wrong(place, "is no URL") from None
    if parts.scheme not in schemes or not host:
        raise _wrong(place, f"must begin with {' or '.join(f'{scheme}://' for scheme in schemes)} and name a host")
    if parts.username is not None or parts.password is not None:
        raise _wrong(place, "must have no user in it: secrets are kept apart")
    if parts.query or parts.fragment:
        raise _wrong(place, "must have no ? and no #")
    return host


def _wrong(field: str, said: str) -> Problem:
    return wrong(field, f"{field} {said}")


def _misplaced(fault: str) -> Problem:
    """What the decoder says, with the whole way to the field."""
    found = _PATH.search(fault)
    field = f"config.{found.group(1)}" if found and found.group(1) else "config"
    sentence = _PATH.sub("", fault)
    if sentence.startswith(("Object missing required field", "Object contains unknown field")):
        field = f"{field}.{sentence.split('`')[1]}"
        sentence = "This field is required" if "missing" in sentence else "This field is not known"
    message = f"{field}: {sentence}"
    return Problem("invalid", message, {field: message})

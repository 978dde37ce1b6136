"""What sets a function off: at most one trigger of each kind, whose config is checked here."""

import re
from collections.abc import Iterable
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta

from shared.domain.problem import Problem, wrong

TriggerKind = Literal["http", "cron", "s3_upload", "webhook", "websocket"]
HttpAuth = Literal["required", "optional", "none"]
HttpMethod = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

TRIGGER_KINDS: tuple[TriggerKind, ...] = get_args(TriggerKind)

SOURCES = ("standard", "stripe", "github", "slack", "shopify", "twilio", "gitlab", "linear", "sns", "custom")
"""The tags of those who sign webhooks in a way that is known here."""

SHOWN_SECRET = "***"  # noqa: S105 - what a secret is shown as; sent back, it means the one that is stored
MAX_SECRET = 4000

_Line = Annotated[str, Meta(min_length=1, max_length=1000, pattern=r"\A[^\x00-\x1f\x7f]*\Z")]
_MediaType = Annotated[str, Meta(max_length=200, pattern=r"\A[!-.0-~]+/[!-.0-~]+\Z")]


_HeaderName = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"\A[!#$%&'*+.^_`|~0-9A-Za-z-]*\Z")]
_Topic = Annotated[str, Meta(max_length=400, pattern=r"\Aarn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]+:[A-Za-z0-9_.-]+\Z")]


class Trigger(msgspec.Struct, frozen=True, omit_defaults=True):
    """One trigger. `config` is as it was checked at deployment, with what its kind adds by default."""

    type: TriggerKind
    config: dict[str, Any] = {}
    enabled: bool = True


HTTP_BY_DEFAULT = Trigger("http", {"auth": "required"})
"""What a function has that was given none: callers who are known may call it."""


class _Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A config whose every field is known."""


class _Http(_Strict, frozen=True, omit_defaults=False):
    auth: HttpAuth = "required"
    method: HttpMethod | msgspec.UnsetType = msgspec.UNSET
    path: Annotated[str, Meta(max_length=1000, pattern=r"\A/[^\x00-\x20\x7f?#]*\Z")] | msgspec.UnsetType = msgspec.UNSET


class _Cron(_Strict, frozen=True, omit_defaults=False):
    schedule: Annotated[str, Meta(min_length=1, max_length=200)]
    timezone: Annotated[str, Meta(min_length=1, max_length=100)] = "UTC"


class _S3(_Strict, frozen=True):
    bucket: Annotated[str, Meta(min_length=3, max_length=255, pattern=r"\A[A-Za-z0-9._-]*\Z")]
    prefix: Annotated[str, Meta(max_length=1024, pattern=r"\A[^\x00]*\Z")] = ""
    contentTypes: Annotated[list[_MediaType], Meta(max_length=100)] = []  # noqa: N815 - the field's own name


class Webhook(_Strict, frozen=True):
    """The config of a webhook trigger. `secret` is one of the sender's; stored it is sealed `SigningSecrets`.

    `signature_header` and `idempotency_key_header` are those of source `custom`; `sns_topics` are the ARNs of topics
    that may send, for a signature of SNS says only that it is from some topic.
    """

    secret_required: bool | msgspec.UnsetType = msgspec.UNSET
    allowed_sources: Annotated[str, Meta(max_length=1000)] = ""
    mode: Literal["async", "sync"] | msgspec.UnsetType = msgspec.UNSET
    secret: Annotated[str, Meta(min_length=1, max_length=MAX_SECRET)] | msgspec.UnsetType = msgspec.UNSET
    tolerance_seconds: Annotated[int, Meta(ge=1, le=3600)] | msgspec.UnsetType = msgspec.UNSET
    signature_header: _HeaderName | msgspec.UnsetType = msgspec.UNSET
    idempotency_key_header: _HeaderName | msgspec.UnsetType = msgspec.UNSET
    sns_topics: Annotated[list[_Topic], Meta(max_length=20)] = []


class _Websocket(_Strict, frozen=True):
    event: _Line | msgspec.UnsetType = msgspec.UNSET


_CONFIGS: dict[TriggerKind, type[_Strict]] = {
    "http": _Http,
    "cron": _Cron,
    "s3_upload": _S3,
    "webhook": Webhook,
    "websocket": _Websocket,
}
# What is said of a text of the wrong form, and of a word that is none of those known.
_FORMS = {
    "path": "must begin with / and have no spaces, control characters, ? or #",
    "bucket": "must be letters, digits, '.', '_' and '-'",
    "prefix": "must have no NUL character",
    "contentTypes": "must be like image/png or image/*",
    "event": "must have no control characters",
    "auth": f"must be one of: {', '.join(get_args(HttpAuth))}",
    "signature_header": "must be the name of a header",
    "idempotency_key_header": "must be the name of a header",
    "sns_topics": "must be the ARN of a topic of SNS",
    "mode": "must be async or sync",
    "method": f"must be one of: {', '.join(get_args(HttpMethod))}",
}
_PATH = re.compile(r" - at `\$\.?(.*)`$")


def check_triggers(triggers: Iterable[Trigger], *, field: str = "triggers") -> tuple[Trigger, ...]:
    """The triggers with what their kinds add, in the kinds' order. Raises Problem(invalid), which names the place.

    The expression and the zone of a cron trigger are the schedule's to check.
    """
    checked: dict[TriggerKind, Trigger] = {}
    for number, trigger in enumerate(triggers):
        if trigger.type in checked:
            message = f"Duplicate trigger type '{trigger.type}' — at most one trigger of each type per function."
            raise wrong(f"{field}[{number}].type", message)
        config = _checked(trigger, f"{field}[{number}].config")
        checked[trigger.type] = msgspec.structs.replace(trigger, config=config)
    return tuple(checked[kind] for kind in TRIGGER_KINDS if kind in checked)


def _checked(trigger: Trigger, place: str) -> dict[str, Any]:
    try:
        config = msgspec.convert(trigger.config, _CONFIGS[trigger.type])
    except msgspec.ValidationError as error:
        raise _misplaced(str(error), place) from None
    if isinstance(config, Webhook):
        config = msgspec.structs.replace(config, allowed_sources=_sources(config.allowed_sources, place))
    made: dict[str, Any] = msgspec.to_builtins(config)
    return made


def _misplaced(fault: str, place: str) -> Problem:
    """What the decoder says, with the whole way to the field."""
    found = _PATH.search(fault)
    field = f"{place}.{found.group(1)}" if found and found.group(1) else place
    sentence = _PATH.sub("", fault)
    if sentence.startswith(("Object missing required field", "Object contains unknown field")):
        field = f"{field}.{sentence.split('`')[1]}"
        sentence = "This field is required" if "missing" in sentence else "This field is not known"
    elif "regex" in sentence or "enum" in sentence:
        sentence = _FORMS[field.removeprefix(f"{place}.").partition("[")[0]]
    message = f"{field}: {sentence}"
    return Problem("invalid", message, {field: message})


def _sources(text: str, place: str) -> str:
    """The tags of a list by commas, each once."""
    tags = [tag.strip().lower() for tag in text.split(",")] if text.strip() else []
    unknown = [tag for tag in tags if tag not in SOURCES]
    if unknown:
        field = f"{place}.allowed_sources"
        raise wrong(field, f"{field}: '{unknown[0]}' is not known; the tags are {', '.join(SOURCES)}")
    return ",".join(dict.fromkeys(tags))


def trigger_place(tenant: str, function_id: int, kind: TriggerKind) -> str:
    """Where the secret of a trigger is sealed."""
    return f"trigger/{tenant}/{function_id}/{kind}"

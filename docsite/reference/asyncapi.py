"""The bus as an AsyncAPI document, in the classes of FastStream, which is the frame of the services' bus side."""

from typing import Any
from unittest.mock import patch

import msgspec
from faststream.specification.asyncapi.v3_0_0.schema import (
    ApplicationInfo,
    ApplicationSchema,
    Channel,
    Components,
    Message,
    Operation,
    Reference,
    Server,
)
from faststream.specification.asyncapi.v3_0_0.schema.operations import Action

from docsite.reference.tables import first_sentence
from docsite.reference.wires import WIRES, Wire
from shared import __version__

_ABOUT = "What Shoal's services tell each other over NATS. JSON, with a tag `type` that carries the version."
_PARTS = {
    "tenant": "slug of the tenant",
    "function": "slug of the function",
    "function_id": "number of the function",
    "task_id": "UUIDv7 of the invocation",
    "pool": "what an executor serves: python, javascript, proxy, system",
    "lane": "queue of the tenant: all, called, or a function's number",
    "instance": "the process that waits",
    "attempt": "number of the try, from 1",
    "what": "started, cut, retrying, finished; of a lease, the kind of thing",
    "digest": "hash of what makes it that one",
    "window": "which minute since 1970",
    "count": "who is counted for what",
    "slug": "slug of the app",
    "app": "number of the app",
    "name": "name of the channel in hexadecimal digits; of a lease, of the thing",
    "source_id": "number of the event source",
}


def document() -> dict[str, Any]:
    """The whole document, as plain data."""
    kinds = list(dict.fromkeys(kind for wire in WIRES for kind in (*wire.messages, *wire.answers)))
    with patch("msgspec._json_schema.to_builtins", _plain):
        _, schemas = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    whole = ApplicationSchema(
        info=ApplicationInfo(title="Shoal's bus", version=__version__, description=_ABOUT,
                             license={"name": "Apache-2.0"}),
        defaultContentType="application/json",
        servers={"nats": Server(host="127.0.0.1:4222", protocol="nats", pathname="/", description="NATS_URL")},
        channels={wire.name: _channel(wire) for wire in WIRES},
        operations=dict(operation for wire in WIRES for operation in _operations(wire)),
        components=Components(messages={kind.__name__: _message(kind) for kind in kinds}, schemas=schemas),
    )  # fmt: skip
    told: dict[str, Any] = whole.model_dump(mode="json", by_alias=True, exclude_none=True)
    return told


def text() -> str:
    """The document in JSON."""
    return msgspec.json.format(msgspec.json.encode(document()), indent=1).decode()


def _plain(default: Any, **options: Any) -> Any:
    """A default as plain data. msgspec does not know one that is JSON text already."""
    return msgspec.json.decode(default) if isinstance(default, msgspec.Raw) else msgspec.to_builtins(default, **options)


def _channel(wire: Wire) -> Channel:
    extra: dict[str, Any] = {}
    if wire.parts:
        extra["parameters"] = {part: {"description": _PARTS[part]} for part in wire.parts}
    if wire.stream:
        extra["x-stream"] = wire.stream
    kinds = (*wire.messages, *wire.answers)
    return Channel(
        address=wire.address,
        description=wire.about,
        messages={kind.__name__: _ref("components", "messages", kind.__name__) for kind in kinds},
        **extra,
    )


def _operations(wire: Wire) -> list[tuple[str, Operation]]:
    """One for each service that sends on it, and for each that receives."""
    found = []
    for action, services in ((Action.SEND, wire.senders), (Action.RECEIVE, wire.receivers)):
        for service in services:
            extra: dict[str, Any] = {}
            if wire.answers:
                extra["reply"] = {
                    "channel": _ref("channels", wire.name).model_dump(by_alias=True),
                    "messages": [_of(wire, kind).model_dump(by_alias=True) for kind in wire.answers],
                }
            operation = Operation(
                action=action,
                channel=_ref("channels", wire.name),
                summary=f"{service}: {action.value} {wire.address}",
                messages=[_of(wire, kind) for kind in wire.messages],
                tags=[{"name": service}],
                **extra,
            )
            found.append((f"{service}_{action.value}_{wire.name}", operation))
    return found


def _message(kind: type) -> Message:
    name = kind.__name__
    return Message(
        name=name, title=name, summary=first_sentence(kind), contentType="application/json",
        payload=_ref("components", "schemas", name).model_dump(by_alias=True),
    )  # fmt: skip


def _of(wire: Wire, kind: type) -> Reference:
    return _ref("channels", wire.name, "messages", kind.__name__)


def _ref(*path: str) -> Reference:
    return Reference(**{"$ref": f"#/{'/'.join(path)}"})

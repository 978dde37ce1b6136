"""The bus, as a page: streams, subjects, messages with their fields."""

import inspect
import re
from collections.abc import Iterator

import msgspec

from docsite.reference.limits import all_streams
from docsite.reference.tables import code, page, table
from docsite.reference.wires import WIRES, Wire

_ABOUT = """What the services tell each other over NATS, made of the code. The same as [AsyncAPI 3](asyncapi.json), for
programs. Nobody else need speak this: it changes with the version, which each message carries in its `type`."""


def made() -> str:
    """The page."""
    kinds = sorted({kind for wire in WIRES for kind in (*wire.messages, *wire.answers)}, key=lambda kind: kind.__name__)
    streams = [
        (code(stream.name), ", ".join(code(subject) for subject in stream.subjects), stream.retention)
        for stream in all_streams()
    ]
    return page(
        "The bus", _ABOUT, "## Streams\n", table(("stream", "subjects", "lets go by"), streams),
        "How much each keeps is under [limits](limits.md#what-the-bus-keeps).\n",
        "## Subjects\n", table(("subject", "messages", "sent by", "taken by", "stream"), map(_row, WIRES)),
        *(f"**{code(wire.address)}**: {wire.about}\n" for wire in WIRES),
        "## Messages\n", *(part for kind in kinds for part in _message(kind)),
    )  # fmt: skip


def _row(wire: Wire) -> tuple[str, str, str, str, str]:
    kinds = ", ".join(_link(kind) for kind in wire.messages) or "a number"
    if wire.answers:
        kinds += " answered by " + ", ".join(_link(kind) for kind in wire.answers)
    return code(wire.address), kinds, ", ".join(wire.senders), ", ".join(wire.receivers), code(wire.stream)


def _link(kind: type) -> str:
    return f"[{kind.__name__}](#{kind.__name__.lower()})"


def _message(kind: type) -> Iterator[str]:
    yield f"### {kind.__name__}\n"
    yield f"{inspect.getdoc(kind)}\n"
    fields = [
        (code(field.encode_name), _kind(field.type), "yes" if field.required else "")
        for field in msgspec.structs.fields(kind)
    ]
    if fields:
        yield table(("field", "kind", "required"), fields)


def _kind(found: object) -> str:
    """A type as a reader has it: without the names of modules; what is JSON text already is any JSON."""
    name = str(found) if hasattr(found, "__args__") else getattr(found, "__name__", str(found))
    name = re.sub(r"\b[a-z_]+\.", "", re.sub(r"\b\w+\.(?=\w+\.)", "", name))
    return code(name.replace(" | ", " or ").replace("Raw", "JSON"))

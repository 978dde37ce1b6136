"""Server-sent events as they come over the network: in pieces, with everything in them that a function may print."""

import json

import pytest

from cli.events import Event, lines, read

ODD = "a\u2028b\u2029c\x85d\x0be\x0cf\x1cg ä"
STREAM = f": following\n\nevent: line\r\ndata: {json.dumps({'message': ODD}, ensure_ascii=False)}\n\nid: 7\ndata: x\n\n"


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_an_event_is_the_same_however_it_comes(size: int) -> None:
    """Only a line's own end ends it."""
    data = STREAM.encode()
    events = list(read(lines(data[at : at + size] for at in range(0, len(data), size))))
    assert [(event.kind, event.id) for event in events] == [("line", ""), ("message", "7")]
    assert json.loads(events[0].data)["message"] == ODD
    assert events[1] == Event("message", "x", "7")

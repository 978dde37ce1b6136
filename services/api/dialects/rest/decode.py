"""From the bytes of a call to its body: whatever is wrong with it is said with its place or its name."""

import msgspec

from services.api import bodies
from services.api.dialects.rest.wire.invocations import Execute
from shared.domain.callback import check_callback_url, check_expires_in
from shared.domain.problem import Problem

_execute = msgspec.json.Decoder(Execute)


def execute(body: bytes) -> Execute:
    """A call's body; an empty one calls without params. Raises Problem(invalid)."""
    call = bodies.decoded(_execute, body or b"{}")
    if bytes(memoryview(call.params)[:1]) != b"{":
        message = "params must be a JSON object"
        raise Problem("invalid", message, {"params": message})
    if call.callback_url is not None:
        check_callback_url(call.callback_url)
    if call.expires_in is not None:
        check_expires_in(call.expires_in)
    return call

"""One call of a plugin: an instance for it alone, its valves, one of its hooks."""

from typing import Any

from services.executor.modes.python.asking import Ask
from services.executor.modes.python.frames import CallFrame
from services.executor.modes.python.plugins.classes import Found, with_valves
from services.executor.modes.python.plugins.emitting import Log
from services.executor.modes.python.plugins.giving import Giving
from services.executor.modes.python.plugins.hooks import call_hook, hook_of
from services.executor.modes.python.plugins.results import result_text


def call_plugin(found: Found, params: Any, *, call: CallFrame, ask: Ask, log: Log) -> bytes:
    """The result as JSON text. Raises PluginError, NotJsonError, TooLargeError, and whatever the code raises."""
    stored = call.plugin.valves if call.plugin is not None else b""
    instance = with_valves(found, stored)
    others = params if isinstance(params, dict) and not params.keys().isdisjoint(("hook", "body")) else None
    if others is None:
        others, body = {}, params
    else:
        body = others.get("body", {})
    hook = hook_of(found, instance, others.get("hook"))
    body = others.get(hook.first, body)
    give = Giving(call, ask, instance=instance, params=others, body=body, log=log)
    return result_text(call_hook(hook, body, give), call.result_bytes)

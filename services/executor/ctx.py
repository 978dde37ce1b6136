"""What a handler finds in its `ctx` of who asks, and of where it runs, whatever the call came by. Pure."""

from typing import Any

from services.executor.mode import Call
from shared.domain import app
from shared.domain.request import Request


def facts_of(call: Call, request: Request) -> dict[str, Any]:
    """What is known of a call when it starts, as JSON; `request` is what its handler is asked."""
    function = call.function
    return {
        "user": _user(call),
        "caller": _caller(call),
        "app": {"id": app.public_id(call.tenant, function.app), "name": function.app_name} if function else None,
        "request": {
            "id": call.task_id,
            "ip": request.ip or None,
            "function_name": (function.deployed_as or function.slug) if function else None,
        },
    }


def _user(call: Call) -> dict[str, Any] | None:
    if call.actor is not None:
        return {**call.actor.claims, "id": call.actor.user_id} if call.actor.user_id else None
    user = call.context.get("user")
    return {**user, "id": str(user["id"])} if user else None


def _caller(call: Call) -> dict[str, Any]:
    """A call that no request made is the platform's own, on behalf of whoever configured it."""
    if call.actor is not None:
        actor = call.actor
        return {"type": actor.kind, "key_id": actor.key_id or None, "user_id": actor.user_id or None}
    user = call.context.get("user")
    return {"type": "service_key", "key_id": None, "user_id": str(user["id"]) if user else None}

"""`example`: answers with what it was given. A try whether the platform works, and what an own function looks like."""

from typing import Any

from shared.system import Context, system_function


@system_function(description="Answers with its params, and with who called it.", timeout_s=10)
async def example(params: dict[str, Any], context: Context) -> dict[str, Any]:
    """Params in, params out."""
    context.log("example was called", data={"params": len(params)})
    user = context.user
    return {
        "message": "Hello from the system",
        "params": params,
        "tenant": context.tenant,
        "user": user.username if user else None,
        "task_id": context.task_id,
    }

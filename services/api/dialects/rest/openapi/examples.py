"""Bodies as the specification prints them, by their structs."""

from typing import Any

from services.api.dialects.rest.wire import functions, invocations, versions

_TAX = (
    "def main(params, user_data):\n amount = params.get('amount', 0)\n rate = params.get('rate', 0.1)\n"
    " tax = amount * rate\n return {'amount': amount, 'tax': tax, 'total': amount + tax}"
)
_TAXED = {"amount": 1000, "tax": 150.0, "total": 1150.0}
_TASK = "01928f4e-8a3c-7b21-9d54-3f6a1c0e5b77"
_INVOCATION = {
    "id": 1,
    "function_name": "Calculate Tax",
    "celery_task_id": _TASK,
    "trigger_type": "api",
    "created_at": "2024-01-22T11:30:00Z",
}

BODIES: dict[Any, dict[str, Any]] = {
    functions.CreateFunction: {
        "app": {
            "name": "Calculate Tax",
            "execution_mode": "app",
            "category": "data_processing",
            "environment": "python",
            "is_active": True,
        },
    },
    functions.PatchFunction: {"settings": {"description": "Updated description", "config": {"timeout": 60}}},
    versions.UploadCode: {"first": {"version": "1.0.0", "code": _TAX, "is_active": True}},
    versions.PatchCode: {"edit": {"code": "def main(params, user_data):\n # Updated code\n return {'updated': True}"}},
    invocations.Execute: {"params": {"params": {"amount": 1000, "rate": 0.15}}},
    invocations.Executed: {
        "success": {
            "task_id": _TASK,
            "status": "SUCCESS",
            "result": {"result": _TAXED, "stdout": "", "stderr": "", "success": True},
            "data": _TAXED,
            "invocation": _INVOCATION,
        }
    },
}

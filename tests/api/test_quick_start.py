"""The requests of the specification's quick start and of its "Custom Business Logic", sent as printed."""

import httpx

from tests.api.conftest import TASK, is_stamp

CREATE = {
    "name": "Calculate Tax",
    "execution_mode": "app",
    "category": "data_processing",
    "environment": "python",
    "is_active": True,
}
CODE = {
    "version": "1.0.0",
    "code": "def main(params, user_data):\n amount = params.get('amount', 0)\n rate = params.get('rate', 0.1)\n"
    " tax = amount * rate\n return {'amount': amount, 'tax': tax, 'total': amount + tax}",
    "is_active": True,
}


async def test_quick_start(client: httpx.AsyncClient):
    await client.delete("/api/functions/calculate-tax/")
    created = await client.post("/api/apps/test-app/functions/", json=CREATE)
    assert created.status_code == 201
    function = created.json()
    assert list(function) == [
        "id", "name", "slug", "execution_mode", "category", "webhook_url", "is_active", "created_at"
    ]  # fmt: skip
    assert is_stamp(function.pop("created_at"))
    id = function.pop("id")
    assert function == {
        "name": "Calculate Tax",
        "slug": "calculate-tax",
        "execution_mode": "app",
        "category": "data_processing",
        "webhook_url": "",
        "is_active": True,
    }

    uploaded = await client.post("/api/functions/calculate-tax/code/", json=CODE)
    assert uploaded.status_code == 201
    version = uploaded.json()
    assert list(version) == [
        "id", "function", "version", "code", "is_active", "created_at", "created_by", "created_by_username"
    ]  # fmt: skip
    assert version["function"] == id
    assert version["code"] == CODE["code"]
    assert version["version"] == "1.0.0"
    assert version["is_active"] is True
    assert version["created_by"] == 1
    assert version["created_by_username"] == "admin"
    assert is_stamp(version["created_at"])

    executed = await client.post(
        "/api/functions/calculate-tax/execute/", json={"params": {"amount": 1000, "rate": 0.15}}
    )
    assert executed.status_code == 200
    answer = executed.json()
    task_id = answer["task_id"]
    assert TASK.fullmatch(task_id)
    invocation = answer["invocation"]
    assert isinstance(invocation.pop("id"), int)
    assert is_stamp(invocation.pop("created_at"))
    output = {"amount": 1000, "tax": 150.0, "total": 1150.0}
    assert answer == {
        "task_id": task_id,
        "status": "SUCCESS",
        "result": {"result": output, "stdout": "", "stderr": "", "success": True},
        "data": output,
        "invocation": {"function_name": "Calculate Tax", "celery_task_id": task_id, "trigger_type": "api"},
    }


async def test_custom_business_logic(client: httpx.AsyncClient):
    await client.delete("/api/functions/data-transformer/")
    made = await client.post(
        "/api/apps/test-app/functions/", json={"name": "Data Transformer", "execution_mode": "app"}
    )
    assert made.json()["slug"] == "data-transformer"
    code = {
        "version": "1.0.0",
        "code": "def main(params, user_data):\n data = params['data']\n return {'transformed': [x * 2 for x in data]}",
        "is_active": True,
    }
    assert (await client.post("/api/functions/data-transformer/code/", json=code)).status_code == 201
    ran = await client.post("/api/functions/data-transformer/execute/", json={"params": {"data": [1, 2, 3, 4, 5]}})
    assert ran.json()["result"]["result"] == {"transformed": [2, 4, 6, 8, 10]}

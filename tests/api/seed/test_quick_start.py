"""Chapters "Quick Start", "APP Mode" and "Custom Business Logic"."""

import json

from tests.api.seed.conftest import Printed
from tests.api.seed.shape import assert_alike

CREATE = """
# Step 1: Create the function
POST /api/apps/{app_slug}/functions/
Content-Type: application/json
Authorization: Bearer YOUR_ACCESS_TOKEN
{
"name": "Calculate Tax",
"execution_mode": "app",
"category": "data_processing",
"environment": "python",
"is_active": true
}
"""
UPLOAD = r"""
# Step 2: Upload code
POST /api/functions/calculate-tax/code/
Content-Type: application/json
Authorization: Bearer YOUR_ACCESS_TOKEN
{
"version": "1.0.0",
"code": "def main(params, user_data):\n amount = params.get('amount', 0)\n rate = params.get('rate', 0.1)\n tax = amount * rate\n return {'amount': amount, 'tax': tax, 'total': amount + tax}",
"is_active": true
}
"""  # noqa: E501 - as it is printed
EXECUTE = """
POST /api/functions/calculate-tax/execute/
Content-Type: application/json
Authorization: Bearer YOUR_ACCESS_TOKEN
{
"params": {
"amount": 1000,
"rate": 0.15
}
}
"""
EXECUTED = json.loads("""
{
"task_id": "abc123-def456-ghi789",
"status": "SUCCESS",
"result": {
"result": {
"amount": 1000,
"tax": 150.0,
"total": 1150.0
},
"stdout": "",
"stderr": "",
"success": true
},
"invocation": {
"id": 1,
"function_name": "Calculate Tax",
"celery_task_id": "abc123-def456-ghi789",
"trigger_type": "api",
"created_at": "2024-01-22T11:30:00Z"
}
}
""")
# Printed for the creation of a PROXY function; this one has no webhook.
CREATED = json.loads("""
{
"id": 1,
"name": "Send Slack Notification",
"slug": "send-slack-notification",
"execution_mode": "proxy",
"category": "communication",
"webhook_url": "https://hooks.zapier.com/hooks/catch/123456/abcdef/",
"is_active": true,
"created_at": "2024-01-22T09:15:00Z"
}
""")
APP_MODE = '''def main(params, user_data):
    """
    Main entry point for your function.
    Args:
        params (dict): Input parameters from API request
        context (dict): Execution context with function and user metadata
    Returns:
        Any JSON-serializable value
    """
    # Your code here
    name = params.get('name', 'World')
    user = context['user']['username']
    print(f"Executed by {user}") # Captured in stdout
    return {
        'message': f'Hello, {name}!',
        'processed_by': user
    }
'''


async def test_an_app_function_from_its_creation_to_its_execution(printed: Printed):
    created = (await printed.send(CREATE)).json(201)
    assert_alike(created, CREATED)
    assert (created["slug"], created["webhook_url"]) == ("calculate-tax", "")
    uploaded = (await printed.send(UPLOAD)).json(201)
    assert (uploaded["version"], uploaded["is_active"], uploaded["function"]) == ("1.0.0", True, created["id"])
    answer = (await printed.send(EXECUTE)).json()
    assert_alike(answer, EXECUTED, extra={"data"})
    assert answer["result"] == EXECUTED["result"]
    assert answer["data"] == EXECUTED["result"]["result"]
    assert answer["invocation"]["celery_task_id"] == answer["task_id"]
    assert answer["invocation"]["function_name"] == "Calculate Tax"


async def test_the_code_structure_of_app_mode(printed: Printed):
    body = json.dumps({"version": "2.0.0", "code": APP_MODE, "is_active": True}, indent=0)
    await printed.send(f"POST /api/functions/calculate-tax/code/\n{body}")
    answer = (await printed.send('POST /api/functions/calculate-tax/execute/\n{\n"params": {"name": "Ada"}}')).json()
    assert answer["result"] == {
        "result": {"message": "Hello, Ada!", "processed_by": "john.doe"},
        "stdout": "Executed by john.doe\n",
        "stderr": "",
        "success": True,
    }


async def test_custom_business_logic(printed: Printed):
    created = await printed.send("""
# Create APP function with code
POST /api/apps/{app_slug}/functions/
{
"name": "Data Transformer", "execution_mode": "app"}
""")
    assert created.json(201)["slug"] == "data-transformer"
    uploaded = await printed.send(r"""
POST /api/functions/data-transformer/code/
{
"version": "1.0.0",
"code": "def main(params, user_data):\n data = params['data']\n return {'transformed': [x * 2 for x in data]}",
"is_active": true
}
""")
    assert uploaded.status == 201
    executed = await printed.send("""
# Execute
POST /api/functions/data-transformer/execute/
{
"params": {"data": [1, 2, 3, 4, 5]}}
""")
    assert executed.json()["result"]["result"] == {"transformed": [2, 4, 6, 8, 10]}

"""Chapter "Code Management (APP Mode)"."""

import json

import pytest

from tests.api.seed.conftest import Printed
from tests.api.seed.shape import assert_alike

CREATE = r"""
POST /api/functions/process-invoice/code/
{
"version": "1.3.0",
"code": "def main(params, user_data):\n name = params.get('name', 'World')\n return {'message': f'Hello, {name}!'}",
"is_active": true
}
"""
CREATE_CURL = r"""
curl -X POST "https://tenant.taruvi.cloud/api/functions/process-invoice/code/" \
-H "Authorization: Bearer YOUR_ACCESS_TOKEN" \
-H "Content-Type: application/json" \
-d '{
"version": "1.3.0",
"code": "def main(params, user_data):\n return {\"status\": \"success\"}",
"is_active": true
}'
"""
CREATED = json.loads(r"""
{
"id": 11,
"function": 1,
"version": "1.3.0",
"code": "def main(params, user_data):\n return {\"status\": \"success\"}",
"is_active": true,
"created_at": "2024-01-22T10:00:00Z",
"created_by": 3,
"created_by_username": "john.doe"
}
""")
UPDATE = r"""
PATCH /api/functions/process-invoice/code/
{
"code": "def main(params, user_data):\n # Updated code\n return {'updated': True}"
}
"""
LISTED = json.loads("""
{
"count": 3,
"results": [
{
"id": 11,
"function": 1,
"version": "1.3.0",
"is_active": true,
"created_at": "2024-01-22T10:00:00Z",
"created_by_username": "john.doe"
}
]
}
""")
ACTIVATE = """
curl -X POST "https://tenant.taruvi.cloud/api/functions/code/10/activate/" \\
-H "Authorization: Bearer YOUR_ACCESS_TOKEN"
"""
EXECUTE = "POST /api/functions/process-invoice/execute/"


@pytest.fixture
async def seed(fresh: Printed) -> Printed:
    body = json.dumps({"name": "Process Invoice"}, indent=0)
    assert (await fresh.send(f"POST /api/apps/test-app/functions/\n{body}")).status == 201
    return fresh


async def test_create(seed: Printed):
    answer = (await seed.send(CREATE)).json(201)
    assert_alike(answer, CREATED)
    executed = (await seed.send(EXECUTE + '\n{\n"params": {}}')).json()
    assert executed["result"]["result"] == {"message": "Hello, World!"}


async def test_create_by_curl(seed: Printed):
    answer = (await seed.curl(CREATE_CURL)).json(201)
    assert_alike(answer, CREATED)
    same = ("version", "code", "is_active", "created_by", "created_by_username")
    assert {field: answer[field] for field in same} == {field: CREATED[field] for field in same}
    assert (await seed.curl(CREATE_CURL)).json(400)["error"] == "Version '1.3.0' exists already"


async def test_update(seed: Printed):
    await seed.curl(CREATE_CURL)
    answer = (await seed.send(UPDATE)).json()
    assert_alike(answer, CREATED)
    assert (answer["version"], answer["is_active"]) == ("1.3.0", True)
    assert (await seed.send(EXECUTE)).json()["result"]["result"] == {"updated": True}


async def test_list(seed: Printed):
    await seed.curl(CREATE_CURL)
    for version in ("1.1.0", "1.2.0"):
        body = json.dumps({"version": version, "code": "def main():\n return 1", "is_active": False}, indent=0)
        assert (await seed.send(f"POST /api/functions/process-invoice/code/\n{body}")).status == 201
    answer = (await seed.send("GET /api/functions/code/?function__slug=process-invoice")).json()
    assert_alike(answer, LISTED, extra={"next", "previous"})
    assert answer["count"] == 3
    assert [row["version"] for row in answer["results"] if row["is_active"]] == ["1.3.0"]


async def test_activate(seed: Printed):
    body = json.dumps({"version": "1.2.0", "code": "def main():\n return 'former'", "is_active": True}, indent=0)
    former = (await seed.send(f"POST /api/functions/process-invoice/code/\n{body}")).json(201)
    await seed.curl(CREATE_CURL)
    answer = (await seed.curl(ACTIVATE.replace("code/10/", f"code/{former['id']}/"))).json()
    assert_alike(answer, CREATED)
    assert answer == former
    assert (await seed.send(EXECUTE)).json()["result"]["result"] == "former"

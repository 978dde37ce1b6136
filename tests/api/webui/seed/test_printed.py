"""Every request of the specification of plugins, in its order: the tests build on each other as its text does."""

import json
from typing import Any

import pytest

from tests.api.webui.asking import NOT_FOUND
from tests.api.webui.seed.conftest import HOST, Printed
from tests.api.webui.test_functions import is_now

CONTENT = '''"""
title: My Function
description: What the specification's valves are of
"""
from pydantic import BaseModel


class Filter:
    class Valves(BaseModel):
        api_key: str = ""
        enabled: bool = False

    class UserValves(BaseModel):
        preference: str = ""

    def __init__(self):
        self.valves = self.Valves()

    def inlet(self, body):
        return body
'''
# "Same as Create Function request body": the only one that the specification does not print.
CREATE = f"""
curl -X POST "https://your-instance.com/api/functions/create" \\
  -H "Authorization: Bearer YOUR_ADMIN_API_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{json.dumps({
      "id": "my_function", "name": "My Function", "content": CONTENT.replace("'s", ""), "meta": {"description": "Mine"},
  })}'
"""  # fmt: skip
GET = """
curl -X GET "https://your-instance.com/api/functions/id/my_function" \\
  -H "Authorization: Bearer YOUR_ADMIN_API_KEY"
"""
UPDATE = r"""
curl -X POST "https://your-instance.com/api/functions/id/my_function/update" \
  -H "Authorization: Bearer YOUR_ADMIN_API_KEY" \
  -H "Content-Type: application/json" \
  -d '{
    "id": "my_function",
    "name": "Updated Function Name",
    "content": "def main():\n    print(\"Updated\")",
    "meta": {
      "description": "Updated description"
    }
  }'
"""
TOGGLE = """
curl -X POST "https://your-instance.com/api/functions/id/my_function/toggle" \\
  -H "Authorization: Bearer YOUR_ADMIN_API_KEY"
"""
TOGGLE_GLOBAL = """
curl -X POST "https://your-instance.com/api/functions/id/my_function/toggle/global" \\
  -H "Authorization: Bearer YOUR_ADMIN_API_KEY"
"""
DELETE = """
curl -X DELETE "https://your-instance.com/api/functions/id/my_function/delete" \\
  -H "Authorization: Bearer YOUR_ADMIN_API_KEY"
"""
VALVES = """
curl -X GET "https://your-instance.com/api/functions/id/my_function/valves" \\
  -H "Authorization: Bearer YOUR_ADMIN_API_KEY"
"""
VALVES_SPEC = """
curl -X GET "https://your-instance.com/api/functions/id/my_function/valves/spec" \\
  -H "Authorization: Bearer YOUR_ADMIN_API_KEY"
"""
VALVES_UPDATE = """
curl -X POST "https://your-instance.com/api/functions/id/my_function/valves/update" \\
  -H "Authorization: Bearer YOUR_ADMIN_API_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{
    "api_key": "new_value",
    "enabled": true
  }'
"""
USER_VALVES = """
curl -X GET "https://your-instance.com/api/functions/id/my_function/valves/user" \\
  -H "Authorization: Bearer YOUR_API_KEY"
"""
USER_VALVES_SPEC = """
curl -X GET "https://your-instance.com/api/functions/id/my_function/valves/user/spec" \\
  -H "Authorization: Bearer YOUR_API_KEY"
"""
USER_VALVES_UPDATE = """
curl -X POST "https://your-instance.com/api/functions/id/my_function/valves/user/update" \\
  -H "Authorization: Bearer YOUR_API_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{
    "preference": "value"
  }'
"""
LOAD = """
curl -X POST "https://your-instance.com/api/functions/load/url" \\
  -H "Authorization: Bearer YOUR_ADMIN_API_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{
    "url": "https://github.com/user/repo/blob/main/function.py"
  }'
"""
SYNC = """
curl -X POST "https://your-instance.com/api/functions/sync" \\
  -H "Authorization: Bearer YOUR_ADMIN_API_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{
    "functions": [
      {
        "id": "func1",
        "user_id": "user123",
        "name": "Function 1",
        "type": "filter",
        "content": "...",
        "meta": {},
        "valves": {},
        "is_active": true,
        "is_global": false,
        "updated_at": 1234567890,
        "created_at": 1234567890
      }
    ]
  }'
"""
UNREACHABLE = 503
ONLY_ADMINISTRATORS = (
    "You do not have permission to access this resource. Please contact your administrator for assistance."
)


async def test_create_function(printed: Printed):
    made = (await printed.curl(CREATE)).json()
    assert (made["id"], made["type"], made["is_active"]) == ("my_function", "filter", False)


async def test_get_function_by_id(printed: Printed):
    shown = (await printed.curl(GET)).json()
    assert shown["content"].startswith('"""\ntitle: My Function\n')
    assert shown["meta"]["manifest"]["title"] == "My Function"
    assert (shown["meta"]["description"], shown["is_global"]) == ("Mine", False)
    assert is_now(shown["updated_at"])


async def test_valve_management(printed: Printed):
    assert (await printed.curl(VALVES)).json() == {}
    spec = (await printed.curl(VALVES_SPEC)).json()
    assert {name: field["type"] for name, field in spec["properties"].items()} == {
        "api_key": "string",
        "enabled": "boolean",
    }
    assert (await printed.curl(VALVES_UPDATE)).json() == {"api_key": "new_value", "enabled": True}
    assert (await printed.curl(VALVES)).json() == {"api_key": "new_value", "enabled": True}


async def test_toggle_function(printed: Printed):
    toggled = (await printed.curl(TOGGLE)).json()
    assert (toggled["id"], toggled["is_active"]) == ("my_function", True)


async def test_user_valves(printed: Printed):
    """As "YOUR_API_KEY", which is a user's."""
    assert (await printed.curl(USER_VALVES)).json() == {}
    assert list((await printed.curl(USER_VALVES_SPEC)).json()["properties"]) == ["preference"]
    assert (await printed.curl(USER_VALVES_UPDATE)).json() == {"preference": "value"}
    assert (await printed.curl(USER_VALVES)).json() == {"preference": "value"}


async def test_toggle_global(printed: Printed):
    for is_global in (True, False):
        assert (await printed.curl(TOGGLE_GLOBAL)).json()["is_global"] is is_global


async def test_update_function(printed: Printed):
    changed = (await printed.curl(UPDATE)).json()
    assert (changed["name"], changed["type"], changed["is_active"]) == ("Updated Function Name", "function", True)
    assert changed["content"] == 'def main():\n    print("Updated")'
    assert changed["meta"] == {"description": "Updated description", "manifest": {}, "toggle": False}
    assert (await printed.curl(GET)).json() == changed


async def test_load_function_from_url(printed: Printed):
    """Nobody has this repository; and where the tests run there may be no way to whoever would say so."""
    answer = await printed.curl(LOAD)
    said = answer.json(answer.status)["detail"]
    assert said == "Failed to fetch the function" if answer.status != UNREACHABLE else "cannot be" in said


async def test_sync_functions(printed: Printed):
    """What is printed for code is none; all else is as it is to be."""
    said = (await printed.curl(SYNC)).json(400)["detail"]
    assert said.startswith("[ERROR: Error loading function] ")
    assert "func1" in said
    assert (await printed.curl(GET)).json()["id"] == "my_function"  # nothing was done
    code = json.dumps("class Filter:\n    def inlet(self, body):\n        return body")
    [synced] = (await printed.curl(SYNC.replace('"..."', code))).json()
    assert {key: value for key, value in synced.items() if key not in ("user_id", "version_id", "updated_at")} == {
        "id": "func1", "name": "Function 1", "type": "filter", "content": json.loads(code),
        "meta": {"description": None, "manifest": {}, "toggle": False}, "valves": {},
        "is_active": True, "is_global": False, "created_at": 1234567890,
    }  # fmt: skip
    assert is_now(synced["updated_at"])
    assert (await printed.curl(GET)).json(401) == {"detail": NOT_FOUND}


async def test_delete_function(printed: Printed):
    (await printed.curl(CREATE)).json()
    assert (await printed.curl(DELETE)).json() is True
    assert (await printed.curl(GET)).json(401) == {"detail": NOT_FOUND}


@pytest.mark.parametrize(
    "command",
    [GET, UPDATE, TOGGLE, TOGGLE_GLOBAL, DELETE, VALVES, VALVES_SPEC, VALVES_UPDATE, LOAD, SYNC],
    ids=["get", "update", "toggle", "global", "delete", "valves", "spec", "valves-update", "load", "sync"],
)
async def test_most_endpoints_require_admin_privileges(printed: Printed, command: str):
    """With the key of a user."""
    answer = await printed.curl(command.replace("YOUR_ADMIN_API_KEY", "YOUR_API_KEY"))
    assert answer.json(401) == {"detail": ONLY_ADMINISTRATORS}


async def test_the_same_under_the_other_prefix_and_with_a_slash(printed: Printed):
    """A function made, changed and deleted."""

    def there(command: str, slash: str = "") -> str:
        head, quote, rest = command.replace("/api/functions", "/api/v1/functions").partition('" \\')
        return head + slash + quote + rest

    for slash in ("", "/"):
        made: Any = (await printed.curl(there(CREATE, slash), url=HOST)).json()
        assert made["id"] == "my_function"
        assert (await printed.curl(there(UPDATE, slash))).json()["type"] == "function"
        assert (await printed.curl(there(DELETE, slash))).json() is True

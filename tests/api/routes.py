"""Every route of the API, as a case: how it is asked for, and who may. A route without a case fails the tests."""

from typing import Any, NamedTuple

from services.api import app
from shared.domain.caller import Role, Scope

CODE = "def main(params, user_data):\n return 1"


class Case(NamedTuple):
    """`ids` names what fills `{id}`; `scopes`: any of them lets the request through, none at all asks for none."""

    role: Role
    scopes: tuple[Scope, ...]
    body: dict[str, Any] | None = None
    ids: str = ""


READ: tuple[Scope, ...] = ("functions:read",)
WRITE: tuple[Scope, ...] = ("functions:write",)
EXECUTE: tuple[Scope, ...] = ("functions:execute",)
RESULT: tuple[Scope, ...] = ("functions:read", "functions:execute")
CANCEL: tuple[Scope, ...] = ("functions:execute", "functions:write")
ADMIN: tuple[Scope, ...] = ("admin",)

CASES = {
    "execute": Case("user", EXECUTE, {"params": {}}),
    "list_functions": Case("user", READ),
    "create_function": Case("developer", WRITE, {"name": "Made By A Case"}),
    "show_function": Case("user", READ),
    "change_function": Case("developer", WRITE, {"description": "changed"}),
    "delete_function": Case("developer", WRITE),
    "list_versions": Case("user", READ),
    "upload_code": Case("developer", WRITE, {"version": "9.9.9", "code": CODE}),
    "edit_code": Case("developer", WRITE, {"code": CODE}),
    "list_code": Case("user", READ),
    "activate_code": Case("developer", WRITE, {}, ids="version"),
    "list_history": Case("user", READ),
    "show_schedule": Case("user", READ),
    "show_queues": Case("user", READ),
    "list_all": Case("user", READ),
    "list_pipelines": Case("user", READ),
    "create_pipeline": Case("developer", WRITE, {"name": "made-by-a-case", "steps": [{"function": "example"}]}),
    "show_pipeline": Case("user", READ),
    "change_pipeline": Case("developer", WRITE, {"description": "changed"}),
    "delete_pipeline": Case("developer", WRITE),
    "list_event_sources": Case("user", READ),
    "create_event_source": Case(
        "developer", WRITE, {"name": "made-by-a-case", "kind": "http", "config": {"format": "minio"}}
    ),
    "show_event_source": Case("user", READ),
    "change_event_source": Case("developer", WRITE, {"enabled": False}),
    "rotate_event_source_token": Case("developer", WRITE),
    "delete_event_source": Case("developer", WRITE),
    "list_dead_letters": Case("user", READ),
    "show_dead_letter": Case("user", READ, ids="dead_letter"),
    "redrive_dead_letter": Case("user", EXECUTE, {}, ids="dead_letter"),
    "redrive_dead_letters": Case("user", EXECUTE, {"ids": [999_999_999]}),
    "remove_dead_letter": Case("developer", WRITE, ids="dead_letter"),
    "list_executions": Case("user", READ),
    "show_result": Case("user", RESULT),
    "list_invocations": Case("user", READ),
    "show_invocation": Case("user", READ, ids="invocation"),
    "show_invocation_result": Case("user", READ, ids="invocation"),
    "show_invocation_by_task": Case("user", RESULT),
    "show_callback_secret": Case("admin", ADMIN),
    "rotate_callback_secret": Case("admin", ADMIN),
    "cancel_invocation": Case("user", CANCEL, ids="invocation"),
    "withdraw_invocation": Case("user", CANCEL, ids="invocation"),
    "cancel_task": Case("user", CANCEL),
    "withdraw_task": Case("user", CANCEL),
    "list_apps": Case("user", READ),
    "create_app": Case("admin", ADMIN, {"name": "Made By A Case", "slug": "another-case"}),
    "show_app": Case("user", READ),
    "rename_app": Case("admin", ADMIN, {"name": "Renamed"}),
    "delete_app": Case("admin", ADMIN),
    "list_users": Case("admin", ADMIN),
    "create_user": Case("admin", ADMIN, {"username": "made-by-a-case"}),
    "show_me": Case("user", ()),
    "change_me": Case("user", ADMIN, {}),
    "sign_out_me": Case("user", ADMIN, {}),
    "show_user": Case("admin", ADMIN, ids="user"),
    "change_user": Case("admin", ADMIN, {"full_name": "Changed"}, ids="user"),
    "sign_out_user": Case("admin", ADMIN, {}, ids="user"),
    "list_tokens": Case("user", ADMIN),
    "create_token": Case("user", ADMIN, {"name": "Made By A Case"}),
    "show_token": Case("user", ADMIN, ids="token"),
    "revoke_token": Case("user", ADMIN, ids="token"),
}
ANONYMOUS = {"log_in", "log_in_by_address", "refresh", "log_out"}


class Route(NamedTuple):
    """One method on one path."""

    name: str
    method: str
    path: str

    @property
    def case(self) -> Case:
        return CASES[self.name]

    def filled(self, values: dict[str, Any]) -> str:
        """The path, asked for what the values name."""
        path = self.path.replace("{id:str}", str(values[self.case.ids]) if self.case.ids else "")
        if self.name == "create_function":
            values = {**values, "app": "made-by-a-case"}  # it makes the app too, and that is to be missing elsewhere
        for name in ("slug", "app", "task_id", "name"):
            path = path.replace(f"{{{name}:str}}", str(values[name]))
        assert "{" not in path, f"{path} has a parameter that the cases do not fill"
        return path + "/"


def routes() -> list[Route]:
    """All that ask for somebody: the framework's table, and the call that stands before it."""
    found = [
        Route(handler.fn.__name__, method, path)
        for handler in app.ROUTES
        if not handler.opt.get("anonymous")
        for path in sorted(handler.paths)
        for method in sorted(handler.http_methods)
        if method != "OPTIONS"
    ]
    before = ("/api/functions/{slug:str}/execute", "/api/apps/{app:str}/functions/{slug:str}/execute")
    return [*found, *(Route("execute", "POST", path) for path in before)]


def anonymous() -> set[str]:
    """The handlers that ask for nobody."""
    return {handler.fn.__name__ for handler in app.ROUTES if handler.opt.get("anonymous")}

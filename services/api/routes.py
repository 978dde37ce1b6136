"""The whole route table of the API: who answers where."""

from collections.abc import Callable
from typing import Any

from litestar import delete, get, patch, post

from services.api.core import rights
from services.api.dialects.apps.routes import config as config_routes
from services.api.dialects.apps.routes import env as env_routes
from services.api.dialects.apps.routes import functions as deployed_routes
from services.api.dialects.apps.routes import logs as log_routes
from services.api.dialects.apps.routes import webhooks as webhook_routes
from services.api.dialects.rest.routes import aggregate as aggregate_routes
from services.api.dialects.rest.routes import apps as app_routes
from services.api.dialects.rest.routes import asked
from services.api.dialects.rest.routes import callbacks as callback_routes
from services.api.dialects.rest.routes import dead_letters as dead_routes
from services.api.dialects.rest.routes import event_sources as source_routes
from services.api.dialects.rest.routes import functions as function_routes
from services.api.dialects.rest.routes import history as history_routes
from services.api.dialects.rest.routes import invocations as invocation_routes
from services.api.dialects.rest.routes import logins as login_routes
from services.api.dialects.rest.routes import pipelines as pipeline_routes
from services.api.dialects.rest.routes import queues as queue_routes
from services.api.dialects.rest.routes import schedules as schedule_routes
from services.api.dialects.rest.routes import schema as schema_routes
from services.api.dialects.rest.routes import tokens as token_routes
from services.api.dialects.rest.routes import users as user_routes
from services.api.dialects.rest.routes import versions as version_routes
from services.api.dialects.webui.routes import functions as plugin_routes
from services.api.dialects.webui.routes import loading as loading_routes
from services.api.dialects.webui.routes import valves as valve_routes
from services.api.dialects.webui.routes import versions as plugin_version_routes

_FUNCTIONS = ["/api/functions", "/api/apps/{app:str}/functions"]
_FUNCTION = [f"{path}/{{slug:str}}" for path in _FUNCTIONS]
_CODE = [f"{path}/code" for path in _FUNCTION]
_RESULT = [*(f"{path}/result/{{task_id:str}}" for path in _FUNCTIONS), "/api/result/{task_id:str}"]
_INVOCATIONS = [*(f"{path}/invocations" for path in _FUNCTIONS), "/api/invocations"]
_BY_TASK = [f"{path}/by-task-id/{{task_id:str}}" for path in _INVOCATIONS]
_REFRESH = ["/api/auth/jwt/token/refresh", "/api/auth/jwt/refresh"]
_LOG_OUT = ["/api/auth/jwt/token/blacklist", "/api/auth/jwt/blacklist"]

# Every path is served with and without a slash at its end. `POST …/{slug}/execute` stands before them: `Door`.
# Who asks for an `anonymous` route need not be known.
ROUTES = [
    get(_FUNCTIONS)(function_routes.list_functions),
    post(_FUNCTIONS)(function_routes.create_function),
    get([f"{path}/aggregate" for path in _FUNCTIONS])(aggregate_routes.list_all),
    get(_FUNCTION)(function_routes.show_function),
    patch(_FUNCTION)(function_routes.change_function),
    delete(_FUNCTION)(function_routes.delete_function),
    get(_CODE)(version_routes.list_versions),
    post(_CODE)(version_routes.upload_code),
    patch(_CODE)(version_routes.edit_code),
    get([f"{path}/code" for path in _FUNCTIONS])(version_routes.list_code),
    post([f"{path}/code/{{id:str}}/activate" for path in _FUNCTIONS], status_code=200)(version_routes.activate_code),
    get([f"{path}/history" for path in _FUNCTION])(history_routes.list_history),
    get([f"{path}/schedule" for path in _FUNCTION])(schedule_routes.show_schedule),
    get([f"{path}/executions" for path in _FUNCTION])(invocation_routes.list_executions),
    get(_RESULT)(invocation_routes.show_result),
    get(_INVOCATIONS)(invocation_routes.list_invocations),
    get([f"{path}/{{id:str}}" for path in _INVOCATIONS])(invocation_routes.show_invocation),
    get([f"{path}/{{id:str}}/result" for path in _INVOCATIONS])(invocation_routes.show_invocation_result),
    post([f"{path}/{{id:str}}/cancel" for path in _INVOCATIONS], status_code=202)(invocation_routes.cancel_invocation),
    delete([f"{path}/{{id:str}}" for path in _INVOCATIONS], status_code=202)(invocation_routes.withdraw_invocation),
    post([f"{path}/cancel" for path in _BY_TASK], status_code=202)(invocation_routes.cancel_task),
    delete(_BY_TASK, status_code=202)(invocation_routes.withdraw_task),
    get("/api/pipelines")(pipeline_routes.list_pipelines),
    post("/api/pipelines")(pipeline_routes.create_pipeline),
    get("/api/pipelines/{name:str}")(pipeline_routes.show_pipeline),
    patch("/api/pipelines/{name:str}")(pipeline_routes.change_pipeline),
    delete("/api/pipelines/{name:str}")(pipeline_routes.delete_pipeline),
    get(_BY_TASK)(invocation_routes.show_invocation_by_task),
    get("/api/apps")(app_routes.list_apps),
    post("/api/apps")(app_routes.create_app),
    get("/api/apps/{app:str}")(app_routes.show_app),
    patch("/api/apps/{app:str}")(app_routes.rename_app),
    delete("/api/apps/{app:str}")(app_routes.delete_app),
    get("/api/event-sources")(source_routes.list_event_sources),
    post("/api/event-sources")(source_routes.create_event_source),
    get("/api/event-sources/{name:str}")(source_routes.show_event_source),
    patch("/api/event-sources/{name:str}")(source_routes.change_event_source),
    delete("/api/event-sources/{name:str}")(source_routes.delete_event_source),
    post("/api/event-sources/{name:str}/rotate-token", status_code=200)(source_routes.rotate_event_source_token),
    get("/api/callbacks/secret")(callback_routes.show_callback_secret),
    post("/api/callbacks/secret/rotate", status_code=200)(callback_routes.rotate_callback_secret),
    get("/api/queues")(queue_routes.show_queues),
    get("/api/dead-letters")(dead_routes.list_dead_letters),
    post("/api/dead-letters/redrive", status_code=200)(dead_routes.redrive_dead_letters),
    get("/api/dead-letters/{id:str}")(dead_routes.show_dead_letter),
    delete("/api/dead-letters/{id:str}")(dead_routes.remove_dead_letter),
    post("/api/dead-letters/{id:str}/redrive", status_code=202)(dead_routes.redrive_dead_letter),
    get("/api/users")(user_routes.list_users),
    post("/api/users")(user_routes.create_user),
    get("/api/users/me")(user_routes.show_me),
    patch("/api/users/me")(user_routes.change_me),
    post("/api/users/me/sign-out", status_code=204)(user_routes.sign_out_me),
    get("/api/users/{id:str}")(user_routes.show_user),
    patch("/api/users/{id:str}")(user_routes.change_user),
    post("/api/users/{id:str}/sign-out", status_code=204)(user_routes.sign_out_user),
    get("/api/tokens")(token_routes.list_tokens),
    post("/api/tokens")(token_routes.create_token),
    get("/api/tokens/{id:str}")(token_routes.show_token),
    delete("/api/tokens/{id:str}")(token_routes.revoke_token),
    post("/api/auth/jwt/token", status_code=200, anonymous=True)(login_routes.log_in),
    post("/_allauth/app/v1/auth/login", status_code=200, anonymous=True)(login_routes.log_in_by_address),
    post(_REFRESH, status_code=200, anonymous=True)(login_routes.refresh),
    post(_LOG_OUT, status_code=200, anonymous=True)(login_routes.log_out),
]

_DEPLOYED = "/v1/{app_id:str}/functions"

# The dialect of apps: its errors have words of their own (`families.py`).
APPS = [
    get(_DEPLOYED)(deployed_routes.list_deployed),
    post(_DEPLOYED, status_code=200)(deployed_routes.deploy),
    get(f"{_DEPLOYED}/{{name:str}}")(deployed_routes.show_deployed),
    delete(f"{_DEPLOYED}/{{name:str}}", status_code=200)(deployed_routes.delete_deployed),
    patch(f"{_DEPLOYED}/{{name:str}}/env")(env_routes.change_env),
    get(f"{_DEPLOYED}/{{name:str}}/logs")(log_routes.show_logs),
    get(f"{_DEPLOYED}/{{name:str}}/logs/stream")(log_routes.follow_logs),
    get(f"{_DEPLOYED}/{{name:str}}/webhook")(webhook_routes.show_webhook),
    post(f"{_DEPLOYED}/{{name:str}}/webhook/rotate", status_code=200)(webhook_routes.rotate_webhook),
    get(f"{_DEPLOYED}/{{name:str}}/webhook/attempts")(webhook_routes.list_attempts),
    get("/v1/{app_id:str}/env")(env_routes.show_app_env),
    patch("/v1/{app_id:str}/env")(env_routes.change_app_env),
    get("/v1/{app_id:str}/config")(config_routes.show_config),
    patch("/v1/{app_id:str}/config")(config_routes.change_config),
]


def _plugins(path: str) -> list[str]:
    return [f"{root}{path}" for root in ("/api/functions", "/api/v1/functions")]


def _plugin(path: str = "") -> list[str]:
    return _plugins(f"/id/{{id:str}}{path}")


_SEES, _SEES_ALL, _KEEPS, _CALLS = (
    rights.must_read,
    rights.must_read_plugins,
    rights.must_keep_plugins,
    rights.must_execute,
)

# The dialect of plugins. `/api/functions/` itself, and whatever is not here, is the first dialect's: no slug is one of
# these words. A `right` is asked for before the body is looked at, and before anything is looked for.
WEBUI = [
    get("/api/v1/functions", right=_SEES)(plugin_routes.list_plugins),
    get(_plugins("/list"), right=_SEES_ALL)(plugin_routes.list_with_owners),
    get(_plugins("/export"), right=_SEES_ALL)(plugin_routes.export_plugins),
    post(_plugins("/create"), status_code=200, right=_KEEPS)(plugin_routes.create_plugin),
    post(_plugins("/sync"), status_code=200, right=_KEEPS)(plugin_routes.sync_plugins),
    post(_plugins("/load/url"), status_code=200, right=_KEEPS)(loading_routes.load_plugin),
    get(_plugin(), right=_SEES_ALL)(plugin_routes.show_plugin),
    post(_plugin("/update"), status_code=200, right=_KEEPS)(plugin_routes.update_plugin),
    post(_plugin("/toggle"), status_code=200, right=_KEEPS)(plugin_routes.toggle_plugin),
    post(_plugin("/toggle/global"), status_code=200, right=_KEEPS)(plugin_routes.toggle_plugin_global),
    delete(_plugin("/delete"), status_code=200, right=_KEEPS)(plugin_routes.delete_plugin),
    get(_plugin("/history"), right=_SEES_ALL)(plugin_version_routes.list_plugin_versions),
    get(_plugin("/history/diff"), right=_SEES_ALL)(plugin_version_routes.diff_plugin_versions),
    post(_plugin("/update/version"), status_code=200, right=_KEEPS)(plugin_version_routes.use_plugin_version),
    get(_plugin("/valves"), right=_SEES_ALL)(valve_routes.show_valves),
    get(_plugin("/valves/spec"), right=_SEES_ALL)(valve_routes.show_valves_spec),
    post(_plugin("/valves/update"), status_code=200, right=_KEEPS)(valve_routes.replace_valves),
    get(_plugin("/valves/user"), right=_SEES)(valve_routes.show_user_valves),
    get(_plugin("/valves/user/spec"), right=_SEES)(valve_routes.show_user_valves_spec),
    post(_plugin("/valves/user/update"), status_code=200, right=_CALLS)(valve_routes.replace_user_valves),
]

# There where `SHOAL_API_DOCS` has them.
DOCS = [
    get("/api/schema", anonymous=True)(schema_routes.show_schema),
    get("/api/docs", anonymous=True)(schema_routes.show_page),
]

# What handlers are given by name, besides the core.
GIVEN: dict[str, Callable[..., Any]] = {
    "caller": asked.caller,
    "part": asked.part,
    "number": asked.number,
    "sought": invocation_routes.sought,
    "wanted": function_routes.wanted,
}

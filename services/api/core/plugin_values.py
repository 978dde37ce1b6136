"""What a plugin is made of, as values: its draft, what its code was found to be, and the function that it is."""

from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from shared.bus.notices import Examined
from shared.domain.app import App
from shared.domain.function import ActiveVersion, Function, check_freeform, slugify
from shared.domain.plugin import MAX_KEY, Plugin, frontmatter, is_key, with_imports
from shared.domain.problem import Problem, wrong

MAX_PLUGIN_NAME = 255
_NAMELESS = "plugin"  # the slug of a key without one ASCII letter or digit


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """What its author says of a plugin. `meta` is his own, but for `manifest` and `toggle`, which the code says."""

    key: str
    name: str
    content: str
    meta: dict[str, Any] = {}


class Code(NamedTuple):
    """A version that is stored and compiled, and what an executor found in it."""

    active: ActiveVersion
    examined: Examined


def key_of(text: str) -> str:
    """The key of a plugin to be: in lower case. Raises Problem(invalid), field `id`."""
    key = text.lower()  # some letters are longer in lower case
    if not is_key(key):
        raise wrong("id", f"id must be 1 to {MAX_KEY} letters, digits and underscores, and begin with no digit")
    return key


def checked(draft: Draft) -> Draft:
    """The draft with its content as it is kept; its key is not looked at. Raises Problem(invalid)."""
    if not len(draft.name) <= MAX_PLUGIN_NAME or "\0" in draft.name:
        raise wrong("name", f"name must be at most {MAX_PLUGIN_NAME} characters, and none of them NUL")
    check_freeform("meta", draft.meta)
    return msgspec.structs.replace(draft, content=with_imports(draft.content))


def plugin_of(draft: Draft, examined: Examined, *, user_id: int, before: Plugin | None = None) -> Plugin:
    """What a checked draft makes of a plugin; its valves, and whether it is global, stay as `before`.

    Raises Problem(invalid) where the frontmatter makes its meta too large.
    """
    plugin = before or Plugin(key=draft.key, kind=examined.kind, user_id=user_id)
    meta = {"description": None, **draft.meta, "manifest": frontmatter(draft.content), "toggle": examined.toggle}
    check_freeform("meta", meta)
    return msgspec.structs.replace(
        plugin,
        kind=examined.kind,
        user_id=user_id,
        meta=meta,
        has_valves=examined.has_valves,
        has_user_valves=examined.has_user_valves,
        secret_valves=examined.secret,
    )


def slug_of(plugin: Plugin) -> str:
    """The slug that its function would have if nobody had it."""
    return slugify(plugin.key) or _NAMELESS


def function_of(app: App, plugin: Plugin, code: Code, *, id: int, name: str, slug: str, at: datetime) -> Function:
    """The function that a new plugin is: not active yet."""
    return Function(
        id=id,
        tenant=app.tenant,
        app=app.id,
        app_slug=app.slug,
        app_name=app.name,
        name=name,
        slug=slug,
        execution_mode="app",
        environment="python",
        is_active=False,
        active=code.active,
        deployed_as=plugin.key,
        plugin=plugin,
        created_at=at,
        updated_at=at,
    )


def change_of(plugin: Plugin, code: Code, *, name: str) -> dict[str, Any]:
    """What is written of the function that a plugin is, where its name, its meta or its code become others."""
    return {"name": name, "active": msgspec.to_builtins(code.active), "plugin": msgspec.to_builtins(plugin)}


def misfit(problem: Problem) -> Problem:
    """What the author is told of code that the valves which are set do not fit."""
    if "valves" not in problem.fields:
        return problem
    message = f"Current Valves are incompatible with this code: {problem.message}"
    return Problem(problem.code, message, {"valves": message})


def as_told(problem: Problem) -> Problem:
    """What the author is told of code that was refused."""
    if "code" in problem.fields:
        return Problem(problem.code, problem.message, {"content": problem.fields["code"]})
    return problem


def check_no_plugin(function: Function) -> None:
    """Raises Problem(conflict) for a plugin, to which this is not done in this way."""
    if function.plugin is not None:
        where = f"/api/functions/id/{function.plugin.key}/update"
        raise Problem("conflict", f"'{function.slug}' is a plugin: change it at {where}")

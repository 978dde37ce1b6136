"""The structs on the wire that are of no single invocation: what has changed, what is asked, who has what.

JSON with a `type` tag that carries the version, as in `messages.py`. Never a secret, never code.
"""

from typing import Literal

import msgspec

from shared.domain.outcome import NULL
from shared.domain.plugin import PluginKind
from shared.domain.version import CompileError


class FunctionChanged(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="changed.v1"):
    """A function is now at this revision; 0 means it was deleted."""

    tenant: str
    function: str
    revision: int

    @property
    def is_deletion(self) -> bool:
        """Whether the function is gone."""
        return self.revision == 0


class AppChanged(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="app.v1"):
    """What is known of the app is no longer true."""

    tenant: str
    app: str


class IdentityChanged(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="identity.v1"):
    """What is known of the tenant, and of the user, token or login that is named, is no longer true.

    `token` is a token's hash, by which it is kept: nobody can ask for anything with it.
    """

    tenant: str
    user_id: int = 0
    token: str = ""
    login: str = ""


class Tick(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="tick.v1"):
    """A function's schedule comes due at `due`, Unix seconds; `plan` says by which expression and in which zone."""

    tenant: str
    function_id: int
    due: int
    plan: str


class Compile(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="compile.v1"):
    """Compile the stored source and keep the artefact beside it."""

    tenant: str
    code_hash: str


class Compiled(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="compiled.v1"):
    """The answer to Compile: reasons of refusal, or why it could not be tried. Neither means that it is stored."""

    errors: list[CompileError] = []
    unavailable: str = ""


class Examine(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="examine.v1"):
    """Look into a plugin's stored code, in a worker: `code` asks what it is, `spec` for the JSON schema of its valves,
    `values` to check some and say what is to be kept of them.

    `of` says which valves. `values` (`shared.valves`, place `examine_place(id, "asked")`) are those to check, with
    `code` the plugin's own ones, which have to fit it as far as they go; empty for none. `user_id` is who asks, for
    choices that depend on it; 0 for nobody. `function_id` is 0 for a plugin that is about to be.
    """

    id: str
    tenant: str
    function_id: int
    code_hash: str
    what: Literal["code", "spec", "values"]
    of: Literal["valves", "user_valves"] = "valves"
    values: str = ""
    user_id: int = 0


class Examined(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="examined.v1"):
    """The answer to Examine. An `error` is the fault of the code, or with `misfit` of the values; `unavailable` ours.

    Of `code`: `kind`, `toggle`, which valves it has, and whether one of their fields is `secret`. Of `spec`: JSON text,
    null where there are no such valves. Of `values`: those to keep, place `examine_place(id, "answered")`; `missing`
    says that there are no such valves.
    """

    kind: PluginKind = "function"
    toggle: bool = False
    has_valves: bool = False
    has_user_valves: bool = False
    secret: bool = False
    spec: msgspec.Raw = NULL
    values: str = ""
    missing: bool = False
    misfit: bool = False
    error: str = ""
    unavailable: str = ""


class Submitted(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="submitted.v1"):
    """The run that an event from outside sets off: the `attempt`th, as `task_id`. `at` is when it was submitted.

    That it has `failed` is known here before the record knows, where somebody waited for it.
    """

    task_id: str
    at: float
    attempt: int = 1
    failed: bool = False


class Lease(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="lease.v1"):
    """Who has it; without an owner it is free. It is to be renewed before this has been the last word for `lasts_s`.

    Its sender says no `number` twice.
    """

    owner: str
    lasts_s: float
    number: int = 0


class Pushed(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="pushed.v1"):
    """Something for all who listen on a channel of an app, of which JSON is the `payload`."""

    tenant: str
    app: int
    channel: str
    payload: msgspec.Raw
    event: str = ""


class SourceChanged(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="source.v1"):
    """An event source is now at this revision; 0 means it was deleted."""

    tenant: str
    source_id: int
    revision: int


class Cancelling(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="cancelling.v1"):
    """Whoever has this invocation is to end it. `by` is who wants so, `at` when, Unix seconds."""

    task_id: str
    tenant: str
    by: str
    at: float


class Keyed(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="keyed.v1"):
    """An idempotency key is taken: by this invocation, whose request has this `fingerprint`; `at` is Unix seconds."""

    task_id: str
    fingerprint: str
    at: float

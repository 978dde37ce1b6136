"""Dead letters as bodies, field by field."""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from shared.domain.invocation import End, TriggerType
from shared.domain.retry import ErrorClass

Params = Annotated[msgspec.Raw, Meta(extra_json_schema={"type": "object"})]
Number = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Slug = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"\A[A-Za-z0-9_-]+\Z")]


class DeadLetterRow(msgspec.Struct, frozen=True, kw_only=True):
    """A dead letter in a list. What is null is not known of it: then it may be no invocation at all.

    `redrivable` says that it can be redriven as far as the letter itself goes; its function may be gone.
    """

    id: int
    task_id: str | None
    function_name: str
    function_slug: str
    trigger_type: TriggerType | None
    task_status: End | None
    reason: str
    error_class: ErrorClass | None
    attempts: int
    created_at: str | None
    died_at: str
    redrivable: bool


class AskedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a handler was asked. Its header lines and its query may be secret, and are not shown."""

    method: str
    path: str
    content_type: str


class DeadLetter(DeadLetterRow, frozen=True, kw_only=True):
    """A dead letter alone. `params` are what the function was called with; of a request they are its body.

    Text stands for a body that is no JSON, and null for what was not kept. `obstacle` says why it can never be
    redriven.
    """

    obstacle: str
    user_username: str | None
    parent_task_id: str | None
    redrive_of: str | None
    request: AskedRequest | None
    params: msgspec.Raw


class Redrive(msgspec.Struct, frozen=True, kw_only=True):
    """Body of one redrive. `params` replace those of the letter; of a request, its body."""

    params: Params | UnsetType = UNSET


class RedriveMany(msgspec.Struct, frozen=True, kw_only=True):
    """Body of a redrive of many: `ids`, or `all`, of a `function` or of the tenant.

    Where more remain than one request takes, `after` and `until` of the answer ask for the next ones.
    """

    ids: Annotated[list[Number], Meta(max_length=100)] = []
    all: bool = False
    function: Slug | None = None
    after: Number = 0
    until: Number = 0


class Redriven(msgspec.Struct, frozen=True, kw_only=True):
    """The invocation that a letter became. One that was `repeated` had become it before."""

    id: int
    task_id: str
    repeated: bool


class NotRedriven(msgspec.Struct, frozen=True, kw_only=True):
    """A letter that stays, and why."""

    id: int
    error: str


class RedrivenMany(msgspec.Struct, frozen=True, kw_only=True):
    """What became of them. With `remaining` there are more: ask again with this `after` and `until`."""

    redriven: list[Redriven]
    failed: list[NotRedriven]
    remaining: int
    after: int
    until: int

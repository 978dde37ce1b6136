"""The versions of a function's code as bodies."""

import msgspec


class Author(msgspec.Struct, frozen=True, kw_only=True):
    """Whoever has made a version."""

    id: str
    name: str
    email: str


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a function with a version."""

    content: str


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a function's code; `parent_id` is the one before it. Time in whole seconds since 1970."""

    id: str
    function_id: str
    parent_id: str | None
    snapshot: Snapshot
    user_id: str
    user: Author | None
    commit_message: str | None
    created_at: int


class Diff(msgspec.Struct, frozen=True, kw_only=True):
    """What differs between two versions, line by line as `diff -u` says it."""

    from_id: str
    to_id: str
    from_snapshot: Snapshot
    to_snapshot: Snapshot
    content_diff: list[str]


class Use(msgspec.Struct, frozen=True):
    """Body of a return to a version."""

    version_id: str
    commit_message: str | None = None

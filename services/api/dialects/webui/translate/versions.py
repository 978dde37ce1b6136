"""The versions of a function's code."""

from collections.abc import Sequence

from services.api.core.plugin_versions import Diff, VersionShown
from services.api.dialects.webui.translate.stamps import epoch
from services.api.dialects.webui.wire import versions as wire
from shared.domain.user import Account

_DIGITS = 18  # of a number that the store keeps, whatever it is


def number(version_id: str) -> int:
    """The number of a version; 0, which none has, for what is no number."""
    return int(version_id) if version_id.isascii() and version_id.isdigit() and len(version_id) <= _DIGITS else 0


def page(key: str, found: Sequence[VersionShown], *, limit: int) -> list[wire.Version]:
    """Versions, the newest first; one more than `limit` of them says what the last one came after."""
    before = [*(str(one.version.id) for one in found[1:]), None]
    return [version(key, one, parent=parent) for one, parent in zip(found[:limit], before, strict=False)]


def version(key: str, one: VersionShown, *, parent: str | None) -> wire.Version:
    """A version of a function's code."""
    return wire.Version(
        id=str(one.version.id),
        function_id=key,
        parent_id=parent,
        snapshot=wire.Snapshot(content=one.content),
        user_id=str(one.version.created_by),
        user=None if one.author is None else _author(one.author),
        commit_message=one.version.message or None,
        created_at=epoch(one.version.created_at),
    )


def diff(found: Diff) -> wire.Diff:
    """What differs between two versions."""
    return wire.Diff(
        from_id=str(found.before.version.id),
        to_id=str(found.after.version.id),
        from_snapshot=wire.Snapshot(content=found.before.content),
        to_snapshot=wire.Snapshot(content=found.after.content),
        content_diff=list(found.lines),
    )


def _author(account: Account) -> wire.Author:
    return wire.Author(id=str(account.id), name=account.full_name or account.username, email=account.email)

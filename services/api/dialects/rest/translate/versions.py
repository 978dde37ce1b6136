"""Between code versions and their bodies. Pure."""

from services.api.core.versions import Shown, Upload
from services.api.dialects.rest.translate.stamps import stamp
from services.api.dialects.rest.wire import versions as wire
from shared.domain.version import CodeVersion


def upload(body: wire.UploadCode) -> Upload:
    """The version that a body describes."""
    return Upload(version=body.version, code=body.code, is_active=body.is_active)


def version(shown: Shown) -> wire.Version:
    """A version with its code."""
    one = shown.version
    return wire.Version(
        id=one.id,
        function=one.function_id,
        version=one.version,
        code=shown.source,
        is_active=shown.is_active,
        created_at=stamp(one.created_at),
        created_by=one.created_by,
        created_by_username=one.created_by_username,
    )


def version_row(shown: Shown) -> wire.VersionRow:
    """A version in a list."""
    return wire.VersionRow(
        id=shown.version.id,
        function=shown.version.function_id,
        version=shown.version.version,
        is_active=shown.is_active,
        created_at=stamp(shown.version.created_at),
        created_by_username=shown.version.created_by_username,
    )


def active_code(version: CodeVersion, source: str) -> wire.ActiveCode:
    """The version that runs, in its function."""
    return wire.ActiveCode(
        id=version.id,
        version=version.version,
        code=source,
        is_active=True,
        created_at=stamp(version.created_at),
        created_by=version.created_by,
        created_by_username=version.created_by_username,
    )


def version_brief(version: CodeVersion, *, is_active: bool) -> wire.VersionBrief:
    """A version in its function."""
    return wire.VersionBrief(
        id=version.id, version=version.version, is_active=is_active, created_at=stamp(version.created_at)
    )

"""Between the history of functions and its bodies. Pure."""

from services.api.core.history import Entry
from services.api.dialects.rest.translate.stamps import stamp
from services.api.dialects.rest.wire import history as wire


def history_entry(entry: Entry) -> wire.HistoryEntry:
    """A function after a change."""
    return wire.HistoryEntry(
        history_id=entry.id,
        history_date=stamp(entry.at),
        history_type=entry.kind,
        history_user=entry.user,
        name=entry.name,
        slug=entry.slug,
        execution_mode=entry.execution_mode,
        is_active=entry.is_active,
        schedule_enabled=entry.schedule_enabled,
    )

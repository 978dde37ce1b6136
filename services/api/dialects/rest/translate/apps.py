"""Between apps and their bodies. Pure."""

from services.api.dialects.rest.translate.stamps import stamp
from services.api.dialects.rest.wire import apps as wire
from shared.domain.app import App


def app(app: App) -> wire.App:
    """An app."""
    return wire.App(
        id=app.id, slug=app.slug, name=app.name, created_at=stamp(app.created_at) if app.created_at else None
    )

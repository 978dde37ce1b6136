"""`shoal app`: apps of a tenant."""

from typing import Annotated, Any

import msgspec
from cyclopts import App, Parameter

from cli import show
from cli.opened import InTenant, Opened, Where, run

app = App(name="app", help="Apps: named groups of a tenant's functions.")

_COLUMNS = ("id", "slug", "name", "created_at")
_MOST = 10_000
_HERE = Where()


@app.command
def create(
    slug: str,
    /,
    *,
    name: Annotated[str, Parameter(help="its name for people")] = "",
    tenant: InTenant = "default",
    where: Where = _HERE,
) -> int:
    """Make an app."""

    async def work(opened: Opened) -> None:
        from shared.store import tenants
        from shared.store.apps import Apps

        await tenants.named(opened.store, tenant)
        made = await Apps(opened.store, tenant).add(slug, name=name or slug.replace("-", " ").title())
        show.done(f"App {slug} is made", _row(made), as_json=where.json)

    return run(where, work)


@app.command(name="list")
def list_(*, tenant: InTenant = "default", where: Where = _HERE) -> int:
    """List a tenant's apps."""

    async def work(opened: Opened) -> None:
        from shared.store import tenants
        from shared.store.apps import Apps

        await tenants.named(opened.store, tenant)
        found = await Apps(opened.store, tenant).listed(limit=_MOST)
        show.rows([_row(one) for one in found], _COLUMNS, as_json=where.json)

    return run(where, work)


def _row(one: Any) -> dict[str, Any]:
    """What is sealed of an app is for nobody's eyes."""
    row = msgspec.structs.asdict(one)
    return {column: row[column] for column in _COLUMNS}

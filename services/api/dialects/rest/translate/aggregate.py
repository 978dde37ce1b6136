"""From functions of all sources to their body. Pure."""

from services.api.core.aggregate import Callables
from services.api.dialects.rest.wire import aggregate as wire
from shared.domain.function import Function


def aggregate(found: Callables) -> wire.Aggregate:
    """The tenant's functions and the platform's."""
    return wire.Aggregate(
        database_functions=[_row(function) for function in found.functions],
        system_functions=[wire.SystemFunction(name=slug, slug=slug) for slug in found.system],
        total=found.total,
    )


def _row(function: Function) -> wire.DatabaseFunction:
    return wire.DatabaseFunction(
        id=function.id, name=function.name, slug=function.slug, execution_mode=function.execution_mode
    )

"""What the framework reads too kindly in a query: `null`, for it as good as no value, where a value is asked for."""

from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from services.api import bodies
from services.api.dialects.rest.openapi.parameters import Dependencies, parameters


def refuse_null(
    connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler, dependencies: Dependencies
) -> None:
    """A filter that is asked for is never left out in silence. Raises Problem(invalid)."""
    if b"null" not in connection.scope["query_string"].lower():
        return
    wanted = parameters(handler.fn, connection.scope["path_template"], dependencies)
    for parameter in wanted:
        sent = connection.query_params.getall(parameter.name, [])
        if not parameter.is_text and any(value.lower() == "null" for value in sent):
            raise bodies.invalid(parameter.name, "Expected a value, got `null`")

"""The description of the API, and a page to read and try it. `services/api/routes.py` has the paths."""

import asyncio
from typing import Annotated, Any

from litestar import Response
from litestar.params import Parameter

from services.api.dialects.rest.openapi import page
from services.api.dialects.rest.openapi.answers import answers
from services.api.dialects.rest.openapi.document import Document, Format
from services.api.dialects.rest.routes.asked import Asked

Wanted = Annotated[Format | None, Parameter(description="JSON unless the Accept header says YAML")]


@answers(media={"application/json": dict[str, Any], "application/yaml": dict[str, Any]})
async def show_schema(request: Asked, *, format: Wanted = None) -> Response[bytes]:  # noqa: A002 - what the query calls it
    """This description, in OpenAPI 3.1.

    In JSON, or in YAML where `format` or the `Accept` header asks for it.
    """
    spoken: Format = format or ("yaml" if "yaml" in request.headers.get("accept", "").lower() else "json")
    document: Document = request.app.state.document
    body = await asyncio.to_thread(document.text, spoken)  # made at the first time, which takes a moment
    return Response(body, media_type=f"application/{spoken}")


@answers(media={"text/html": str})
async def show_page() -> Response[bytes]:
    """A page to read this description, and to try the API."""
    return Response(page.html(), media_type="text/html", headers=page.headers())

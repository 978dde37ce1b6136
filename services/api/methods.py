"""Which methods a path knows: the answer to OPTIONS, and what HEAD is, in every dialect."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from litestar import Response, route
from litestar.handlers import HTTPRouteHandler


def allow(methods: Iterable[str]) -> str:
    """The value of the Allow header; whoever knows GET knows HEAD."""
    known = {*methods, "OPTIONS"}
    return ", ".join(sorted(known | {"HEAD"} if "GET" in known else known))


def options(routes: Sequence[HTTPRouteHandler]) -> list[HTTPRouteHandler]:
    """A handler of OPTIONS for every path of these routes: the framework's own would know one method of each."""
    methods: defaultdict[str, set[str]] = defaultdict(set)
    for known in routes:
        for path in known.paths:
            methods[path] |= known.http_methods
    paths: defaultdict[str, list[str]] = defaultdict(list)
    for path, found in methods.items():
        paths[allow(found)].append(path)
    return [_told(value, alike) for value, alike in paths.items()]


def _told(value: str, paths: list[str]) -> HTTPRouteHandler:
    @route(paths, http_method="OPTIONS", status_code=204)
    async def tell() -> Response[None]:
        """What may be asked of this path."""
        return Response(None, headers={"allow": value})

    return tell

"""What a request holds beside its body, as the signatures of handlers and of their dependencies tell."""

import inspect
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

import msgspec
from litestar.params import KwargDefinition, ParameterKwarg
from msgspec import Meta

from services.api.dialects.rest.routes.asked import MAX_PAGE_SIZE, PAGE_SIZE
from shared.domain.function import MAX_SLUG

Place = Literal["path", "query", "header"]
Dependencies = Mapping[str, Callable[..., Any]]

_FRAMEWORK = frozenset({"request", "state", "scope", "headers", "cookies", "query", "socket", "body", "data"})
_BOUNDS = ("gt", "ge", "lt", "le", "multiple_of", "min_length", "max_length", "pattern")
_SLUG = Meta(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", min_length=1, max_length=MAX_SLUG)

# What stands in paths. The words of the description, where they differ from those of the route table.
NAMES = {"app": "app_slug"}
_IN_PATHS: dict[str, Any] = {
    "slug": Annotated[str, _SLUG, Meta(description="The function's slug", examples=["calculate-tax"])],
    "app": Annotated[str, _SLUG, Meta(description="The app's slug", examples=["test-app"])],
    "id": Annotated[int, Meta(ge=1, le=2**63 - 1, description="The `id` of a list's row")],
    "task_id": Annotated[str, Meta(min_length=1, description="The `task_id` of a call's answer")],
}
_SAID = {
    "app": "The app's slug, where the path does not name one",
    "page": "Which page, the first by default",
    "page_size": f"How many on a page, {PAGE_SIZE} by default, {MAX_PAGE_SIZE} at most",
    "limit": "How many at most, instead of pages",
    "offset": "How many to leave out first, instead of pages",
    "ordering": "Field names by commas, `-` before one for descending",
    "search": "A part of the name, the slug or the description",
    "function": "The slug of a function, for its own only",
    "function__slug": "Versions of this function only",
}


class Parameter(NamedTuple):
    """A parameter: `type` is what the value is, without the `None` that stands for its absence."""

    name: str
    place: Place
    type: Any
    required: bool = False
    description: str = ""

    @property
    def is_text(self) -> bool:
        """Whether the value is text, of whatever form."""
        return self.is_free or (get_origin(self.type) is Annotated and get_args(self.type)[0] is str)

    @property
    def is_free(self) -> bool:
        """Whether any text will do."""
        return self.type is str


def parameters(handler: Callable[..., Any], path: str, dependencies: Dependencies) -> list[Parameter]:
    """All parameters of a handler under one of its paths, in the order of the path and of the signatures."""
    asked = {parameter.name: parameter for parameter in _asked(handler, frozenset(_inside(path)), dependencies)}
    return [*in_path(path), *asked.values()]


def in_path(path: str) -> list[Parameter]:
    """The parameters in a path of the route table."""
    return [Parameter(NAMES.get(name, name), "path", _IN_PATHS.get(name, str), True) for name in _inside(path)]


def _inside(path: str) -> list[str]:
    return [segment[1:-1].partition(":")[0] for segment in path.split("/") if segment.startswith("{")]


def _asked(handler: Callable[..., Any], inside: frozenset[str], dependencies: Dependencies) -> Iterator[Parameter]:
    hints = get_type_hints(handler, include_extras=True)
    for name, parameter in inspect.signature(handler).parameters.items():
        if name in dependencies:
            yield from _asked(dependencies[name], inside, dependencies)
        elif name not in _FRAMEWORK and name not in inside:
            yield _parameter(name, hints[name], required=parameter.default is inspect.Parameter.empty)


def _parameter(name: str, hint: Any, *, required: bool) -> Parameter:
    kind, definition = hint, None
    if get_origin(hint) is Annotated:
        kind, *extras = get_args(hint)
        definition = next((extra for extra in extras if isinstance(extra, KwargDefinition)), None)
    kind = _present(kind)
    place: Place = "query"
    said = _SAID.get(name, "")
    if definition is not None:
        bounds = {bound: getattr(definition, bound) for bound in _BOUNDS if getattr(definition, bound) is not None}
        kind = Annotated[kind, Meta(**bounds)] if bounds else kind
        said = definition.description or said
    if isinstance(definition, ParameterKwarg):
        place = "header" if definition.header else "query"
        name = definition.header or definition.query or name
    return Parameter(name, place, kind, required, said)


def _present(kind: Any) -> Any:
    """The type without None."""
    if get_origin(kind) not in (Union, types.UnionType):
        return kind
    left = tuple(part for part in get_args(kind) if part is not types.NoneType)
    return Union[left]  # noqa: UP007 - made of a tuple


def described(parameter: Parameter) -> dict[str, Any]:
    """The parameter as OpenAPI has it."""
    schema = msgspec.json.schema(parameter.type)
    told: dict[str, Any] = {"name": parameter.name, "in": parameter.place, "schema": schema}
    description = schema.pop("description", "") or parameter.description
    examples = schema.pop("examples", [])
    if parameter.required:
        told["required"] = True
    if description:
        told["description"] = description
    if examples:
        told["example"] = examples[0]
    return told

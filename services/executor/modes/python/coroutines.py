"""Coroutines without an event loop: nothing that a call can await ever suspends, so each runs to its end in one go."""

from collections.abc import AsyncGenerator, Generator, Iterator
from types import AsyncGeneratorType, CoroutineType
from typing import Any

_SUSPENDED = "the coroutine waits for something that nobody in this call will do"


class Ready:
    """What can be awaited and has its result already."""

    __slots__ = ()

    def result(self) -> Any:
        """What awaiting it gives, or raises."""
        raise NotImplementedError

    def __await__(self) -> Generator[None, None, Any]:
        yield from ()
        return self.result()


def _steps() -> frozenset[type]:
    """What `asend()`, `athrow()` and `aclose()` of an async generator give; the types have no names of their own."""

    async def nothing() -> AsyncGenerator[None, None]:
        yield

    generator = nothing()
    made: list[Any] = [generator.asend(None), generator.aclose()]
    for one in made:
        one.close()
    return frozenset(map(type, made))


STEPS = _steps()
_DRIVEN = STEPS | {CoroutineType}


def finished(value: Any) -> Any:
    """The result of a coroutine, or of another awaitable, run to its end; anything else is given back as it is.

    Raises what it raises, and RuntimeError when it suspends.
    """
    if isinstance(value, Ready):
        return value.result()
    if type(value) not in _DRIVEN:
        return value
    try:
        value.send(None)
    except StopIteration as end:
        return end.value
    value.close()
    raise RuntimeError(_SUSPENDED)


def drained(value: Any) -> Any:
    """An ordinary iterator over an async generator; anything else is given back as it is."""
    return _parts(value) if type(value) is AsyncGeneratorType else value


def _parts(generator: AsyncGenerator[Any, Any]) -> Iterator[Any]:
    try:
        while True:
            try:
                part = finished(anext(generator))
            except StopAsyncIteration:
                return
            yield part
    finally:
        finished(generator.aclose())


def awaitable(value: Any) -> Any:
    """`await value` in the source: the list of what can be awaited is a closed one."""
    if type(value) not in _DRIVEN and not isinstance(value, Ready):
        raise TypeError(f"{type(value).__name__} objects cannot be awaited")
    return value


def async_iterable(value: Any) -> Any:
    """`async for x in value` in the source."""
    if type(value) is not AsyncGeneratorType:
        raise TypeError(f"'async for' takes an async generator, not {type(value).__name__} objects: write 'for'")
    return value

"""The `asyncio` of a function: one thing after the other, each to its end, for a call has no event loop.

The one place where anything waits is `sleep`, so that is where a timeout cuts, as it would with an event loop.
"""

import inspect
import math
import time
from collections.abc import Callable
from contextvars import ContextVar
from types import CoroutineType
from typing import Any

from services.executor.modes.python.coroutines import Ready, awaitable, finished
from services.executor.modes.python.waiting import sleep as sleep_for

_FOREVER = "would wait for ever: nothing else runs in this call that could end it"


class CancelledError(BaseException):
    """Raised in a `sleep` that a timeout cuts short."""


class _Deadline:
    """A moment of the monotonic clock, seconds; it cuts one sleep, the first that would go past it."""

    __slots__ = ("at", "cut")

    def __init__(self, delay: float | None) -> None:
        self.at = math.inf if delay is None else time.monotonic() + _seconds(delay)
        self.cut = False


# Of every `wait_for` and `timeout` that the call is inside of. A call has a context of its own, so none outlives it.
_deadlines: ContextVar[tuple[_Deadline, ...]] = ContextVar("deadlines", default=())


class Timeout:
    """`async with asyncio.timeout(5):`, seconds or None. Raises TimeoutError where it cut a sleep."""

    __slots__ = ("_deadline",)

    def __init__(self, delay: float | None) -> None:
        self._deadline = _Deadline(delay)

    def expired(self) -> bool:
        """Whether it has cut a sleep."""
        return self._deadline.cut

    async def __aenter__(self) -> "Timeout":
        _deadlines.set((*_deadlines.get(), self._deadline))
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        _deadlines.set(tuple(one for one in _deadlines.get() if one is not self._deadline))
        if kind is CancelledError and self._deadline.cut:
            raise TimeoutError from None


class Task(Ready):
    """A coroutine that has run: at once, when its task was made."""

    __slots__ = ("_error", "_result")

    def __init__(self, coro: Any) -> None:
        self._error: BaseException | None = None
        self._result: Any = None
        try:
            self._result = finished(awaitable(coro))
        except (Exception, CancelledError) as error:  # noqa: BLE001 - told to whoever awaits it
            self._error = error

    def __repr__(self) -> str:
        return "<Task>"

    def result(self) -> Any:
        """What the coroutine returned; raises what it raised."""
        if self._error is not None:
            raise self._error
        return self._result

    def exception(self) -> BaseException | None:
        """What the coroutine raised."""
        return self._error

    def done(self) -> bool:
        """It has run."""
        return True

    def cancel(self, msg: Any = None) -> bool:
        """Too late."""
        return False

    def cancelled(self) -> bool:
        """Whether the coroutine ended in CancelledError."""
        return isinstance(self._error, CancelledError)

    def add_done_callback(self, callback: Callable[["Task"], Any]) -> None:
        """Called at once: it has run."""
        callback(self)


class Lock:
    """Free, or held by this same call: then waiting for it would never end, and is a RuntimeError."""

    __slots__ = ("_free", "_most")

    def __init__(self, value: int = 1) -> None:
        if type(value) is not int or value < 0:
            raise ValueError("the value of a semaphore is a whole number, 0 or more")
        self._free = self._most = value

    def locked(self) -> bool:
        """Whether acquiring it would wait."""
        return self._free == 0

    async def acquire(self) -> bool:
        """Take it."""
        _check_self(self, Lock)
        if not self._free:
            raise RuntimeError(f"acquire() {_FOREVER}")
        self._free -= 1
        return True

    def release(self) -> None:
        """Give it back. Raises RuntimeError when it is not held."""
        _check_self(self, Lock)
        if self._free == self._most:
            raise RuntimeError("release() without acquire()")
        self._free += 1

    async def __aenter__(self) -> None:
        await self.acquire()

    async def __aexit__(self, *_: object) -> None:
        self.release()


class Event:
    """A flag; waiting for one that is not set would never end, and is a RuntimeError."""

    __slots__ = ("_set",)

    def __init__(self) -> None:
        self._set = False

    def is_set(self) -> bool:
        """Whether it is set."""
        return self._set

    def set(self) -> None:
        """Set it."""
        _check_self(self, Event)
        self._set = True

    def clear(self) -> None:
        """Unset it."""
        _check_self(self, Event)
        self._set = False

    async def wait(self) -> bool:
        """Go on, if it is set."""
        if not self._set:
            raise RuntimeError(f"wait() {_FOREVER}")
        return True


async def sleep(delay: float, result: Any = None) -> Any:
    """Wait so many seconds, really, and give the result. Raises CancelledError where a timeout cuts it."""
    now, wait_s = time.monotonic(), _seconds(delay)
    first = min((one for one in _deadlines.get() if not one.cut), key=lambda one: one.at, default=None)
    if first is None or now + wait_s <= first.at:
        _pause(wait_s)
        return result
    first.cut = True
    _pause(max(0.0, first.at - now))
    raise CancelledError


async def wait_for(fut: Any, timeout: float | None) -> Any:  # noqa: ASYNC109 - the signature of asyncio
    """Run it. Raises TimeoutError where it sleeps past the timeout, in seconds."""
    async with Timeout(timeout):
        return await awaitable(fut)


async def gather(*awaitables: Any, return_exceptions: bool = False) -> list[Any]:
    """Run them in their order, all of them; then their results, or the first error. A timeout that cuts one ends it."""
    tasks = []
    for one in awaitables:
        tasks.append(ensure_future(one))
        if tasks[-1].cancelled():
            break
    if return_exceptions and not any(task.cancelled() for task in tasks):
        return [task.exception() or task.result() for task in tasks]
    return [task.result() for task in tasks]


async def to_thread(func: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """Call it, here and now: a call has one thread."""
    return func(*args, **kwargs)


def create_task(coro: Any, *, name: Any = None, context: None = None) -> Task:
    """Run a coroutine, now; the task has its result, or its error for whoever awaits it."""
    return Task(_coroutine(coro))


def ensure_future(coro_or_future: Any) -> Task:
    """The task itself, or one made of the coroutine."""
    return coro_or_future if isinstance(coro_or_future, Task) else Task(coro_or_future)


def run(main: Any, *, debug: bool | None = None) -> Any:
    """Run a coroutine and give its result."""
    return finished(_coroutine(main))


def iscoroutine(obj: Any) -> bool:
    """Whether it is a coroutine."""
    return type(obj) is CoroutineType


def _check_self(target: Any, kind: type) -> None:
    """A method can be called with any `self`: what it writes to one of the platform's would be there in later calls."""
    if not isinstance(target, kind):
        raise TypeError(f"this is a method of {kind.__name__} objects, not of {type(target).__name__} objects")


def _pause(wait_s: float) -> None:
    sleep_for(wait_s)


def _coroutine(value: Any) -> Any:
    if type(value) is not CoroutineType:
        raise TypeError(f"a coroutine was expected, not {type(value).__name__} objects")
    return value


def _seconds(value: float) -> float:
    if type(value) not in (int, float) or math.isnan(value):
        raise TypeError("seconds are a number")
    return max(0.0, float(value))


NAMES: dict[str, Any] = {
    "BoundedSemaphore": Lock,
    "CancelledError": CancelledError,
    "Event": Event,
    "Lock": Lock,
    "Semaphore": Lock,
    "Task": Task,
    "TimeoutError": TimeoutError,
    "create_task": create_task,
    "ensure_future": ensure_future,
    "gather": gather,
    "iscoroutine": iscoroutine,
    "iscoroutinefunction": inspect.iscoroutinefunction,
    "run": run,
    "sleep": sleep,
    "timeout": Timeout,
    "to_thread": to_thread,
    "wait_for": wait_for,
}

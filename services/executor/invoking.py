"""Functions that a running call calls: those of its app, by name."""

import asyncio
import time
from collections import Counter

import msgspec

from services.executor import asking
from services.executor.children import Asked, Child, Children, Parent
from services.executor.links import Aside
from services.executor.mode import Unavailable
from shared.bus.messages import Dispatch
from shared.directory import Directory
from shared.domain.concurrency import concurrency_of
from shared.domain.function import Function
from shared.domain.outcome import Outcome, failure
from shared.domain.problem import Problem
from shared.domain.request import Actor, Header, Request, params_of

WAITS_FOR_ITSELF = "The function cannot call itself, it would wait for itself"
TOO_DEEP = "ctx.invoke loop limit exceeded"
_MOST_NAME = 200  # characters of a name, in the sentence that says it was not found


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """`most` calls of one call, `at_once` of them side by side; `depth` in a row; bytes of a body."""

    most: int
    at_once: int
    depth: int
    body_bytes: int


class Invoking:
    """What one call calls. A call that is run again asks the same again: then it is answered what it was answered.

    The steps of a call are known by what is asked, and how often it was asked before: not by their order, which may be
    another one where they are asked side by side.
    """

    def __init__(
        self, children: Children, functions: Directory, dispatch: Dispatch, function: Function, *, bounds: Bounds
    ) -> None:
        self._children = children
        self._functions = functions
        self._dispatch = dispatch
        self._function = function
        self._bounds = bounds
        self._places = asyncio.Semaphore(bounds.at_once)
        self._begun = 0
        self._asked: Counter[str] = Counter()
        self._until = 0.0

    async def invoke(self, name: str, request: Request, *, aside: Aside, fresh: bool) -> Outcome:
        """Call the function, and wait for it until the call's own time is over."""
        if self._dispatch.depth >= self._bounds.depth:
            return failure("LoopLimitExceeded", TOO_DEEP)
        if self._begun >= self._bounds.most:
            return failure("TooManyInvokes", f"A call may invoke {self._bounds.most} functions")
        ip = self._dispatch.request.ip if self._dispatch.request is not None else ""
        try:
            asked, secret = asking.checked(request, ip=ip, most_bytes=self._bounds.body_bytes)
            key = asking.key_of(asked)
        except asking.AskedWronglyError as error:
            return failure("InvalidRequest", f"ctx.invoke: {error}")
        self._begun += 1
        self._until = self._until or time.monotonic() + self._dispatch.limits.timeout_s
        step = self._step(name, asked, secret)
        try:
            async with aside(), self._places:
                child = await self._called(name, step, asked, secret, key=key, fresh=fresh)
        except Unavailable as error:
            return failure("Unavailable", str(error))
        return child.outcome or failure("TimeoutError", f"The time was up before '{name[:_MOST_NAME]}' had ended")

    def _step(self, name: str, asked: Request, secret: list[Header]) -> str:
        """A further attempt asks anew: what the one before was answered may be why it failed."""
        asked_for = asking.print_of(name, asked, secret)
        self._asked[asked_for] += 1
        return f"{self._dispatch.attempt}/{asked_for}/{self._asked[asked_for]}"

    async def _called(
        self, name: str, step: str, asked: Request, secret: list[Header], *, key: str, fresh: bool
    ) -> Child:
        dispatch = self._dispatch

        async def find() -> Function | None:
            found = await self._functions.called(dispatch.tenant, self._function.app, name)
            if found is not None and found.id == dispatch.function_id and concurrency_of(found.config) == 1:
                raise Problem("conflict", f"{WAITS_FOR_ITSELF}: its concurrency is 1")
            return found

        parent = Parent(
            task_id=dispatch.task_id,
            function_id=dispatch.function_id,
            tenant=dispatch.tenant,
            user=dispatch.user,
            trigger_type="function",
            until=self._until,
            fresh=fresh,
        )
        return await self._children.call(
            parent,
            step,
            find,
            Asked(
                missing=f"Function '{name[:_MOST_NAME]}' not found or not active",
                params=params_of(asked),
                request=asked,
                secret=secret,
                actor=_actor(dispatch),
                depth=dispatch.depth + 1,
                idempotency_key=key,
            ),
        )


def _actor(dispatch: Dispatch) -> Actor:
    """Who is verified to have asked the first of them."""
    if dispatch.actor is not None:
        return Actor(kind="loopback", user_id=dispatch.actor.user_id, claims=dispatch.actor.claims)
    return Actor(kind="loopback", user_id=str(dispatch.user.id) if dispatch.user else "")

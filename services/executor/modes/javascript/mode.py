"""The JavaScript mode: functions in warm Deno processes, one function version to a process."""

import asyncio
from typing import Any, NamedTuple

from services.executor.mode import Artefact, Call, Opening, Refusal, Unavailable
from services.executor.modes.javascript import deno, outcomes, wire
from services.executor.modes.javascript.checking import Checker, refusal
from services.executor.modes.javascript.connection import LostError
from services.executor.modes.javascript.exchange import BrokenError, Exchange, TooLargeError
from services.executor.modes.javascript.link import WorkerLink
from services.executor.modes.javascript.settings import JavascriptSettings
from services.executor.modes.javascript.starting import Starter
from services.executor.modes.javascript.versions import Whose
from services.executor.modes.javascript.worker_key import Key
from services.executor.pool.bounds import Bounds
from services.executor.pool.places import Places
from services.executor.pool.pool import Pool
from services.executor.pool.tally import Tally
from services.executor.pool.worker import PooledWorker
from services.executor.requests import request_of
from shared import telemetry
from shared.config import Platform
from shared.domain.egress_policy import Policy
from shared.domain.outcome import Outcome, failure
from shared.domain.problem import Problem
from shared.domain.request import Response

# A warm worker may die between two calls; a call that it cannot have seen is made again, this often.
_ATTEMPTS = 3
_STREAM = "text/event-stream"

_log = telemetry.logger("javascript")


_Worker = PooledWorker[Key, WorkerLink]


class _UnseenError(Exception):
    """The worker died before it saw the call."""


class _Answered(NamedTuple):
    """The end of a call; with `waiting`, its worker is still at what the handler has given to waitUntil."""

    outcome: Outcome
    waiting: bool = False


class JavascriptMode:
    """Implements services.executor.mode.Mode. Raises Unavailable only while nothing has started."""

    name = "javascript"
    runs_code = True
    examines = False
    judges = False
    share = 1.0

    def __init__(self, settings: JavascriptSettings, starter: Starter, checker: Checker, *, places: Places) -> None:
        self.slots = settings.slots
        self.compiler = deno.compiler()
        self._settings = settings
        self._starter = starter
        self._checker = checker
        self._tally = Tally(self.name, way=outcomes.way_of)
        self._pool = Pool(self._make, places, self._tally)
        self._lingering: set[asyncio.Task[None]] = set()

    async def prepare(self, source: str) -> Artefact | Refusal:
        """Check a source without running it, and make JavaScript of TypeScript. Raises Unavailable."""
        return await self._checker.prepare(source)

    async def run(self, call: Call) -> Outcome:
        """Run one call in a worker of its tenant, function, version and environment."""
        if call.artefact.compiler != self.compiler:
            raise ValueError(f"an artefact of {call.artefact.compiler} was handed to {self.compiler}")
        try:
            egress = Policy.of(call.function.config if call.function else {})
        except Problem as problem:
            return failure("EgressRefused", problem.message)
        key = Key(
            call.tenant,
            call.function_id,
            call.code_hash,
            call.function.env_revision if call.function else 0,
            call.limits.memory_mb,
            egress,
        )
        try:
            request = wire.call_of(call, request_of(call))
        except ValueError as error:
            return failure("RequestRefused", str(error))
        for _ in range(_ATTEMPTS):
            worker = await self._pool.take(key, call)
            answered: _Answered | None = None
            try:
                answered = await self._attempt(worker.link, call, request)
            except _UnseenError:
                continue
            finally:
                if answered is not None and answered.waiting:
                    self._linger(worker)
                else:
                    self._release(worker)
            return answered.outcome
        raise Unavailable("workers die before they see the call")

    def facts(self) -> dict[str, Any]:
        """Workers, and counts since the start."""
        return {
            "compiler": self.compiler,
            "workers": self._pool.workers,
            "idle": self._pool.idle,
            "lingering": len(self._lingering),
            "sandbox": self._starter.report(),
            "counts": dict(self._tally.counts),
        }

    async def close(self) -> None:
        """End every worker."""
        for lingering in list(self._lingering):
            lingering.cancel()
        self._pool.close()
        await self._starter.close()

    async def _make(self, key: Key, call: Call) -> WorkerLink:
        name = call.function.slug if call.function else str(key.function_id)
        return await self._starter.start(
            call.artefact.data,
            Whose(key.tenant, key.function_id, key.code_hash),
            memory_mb=key.memory_mb,
            egress=key.egress,
            name=name,
        )

    def _release(self, worker: _Worker) -> None:
        worker.link.finish()
        self._pool.give_back(worker)

    async def _attempt(self, link: WorkerLink, call: Call, request: bytes) -> _Answered:
        """One call of one worker, whose end is told from how the worker ended where it did."""
        warm = link.loaded
        environment = {} if warm or call.host is None else await call.host.environment()
        link.begin(call)
        try:
            answered = await self._converse(link, call, request, environment)
        except (LostError, BrokenError) as error:
            if isinstance(error, BrokenError):
                link.end("broken")
            status = await link.exit_status() if link.reason in (None, "died") else None
            link.end("died")
            if warm and isinstance(error, LostError) and error.unseen and link.reason == "died":
                raise _UnseenError from error
            answered = _Answered(outcomes.ended(link.reason, status, call=call, log=link.log))
        except TooLargeError:
            link.end("recycled")
            answered = _Answered(outcomes.too_large(call))
        except BaseException:
            link.end("cancelled")
            raise
        link.answered()
        return _Answered(outcomes.complete(answered.outcome, link.log, link.usage), answered.waiting)

    async def _converse(self, link: WorkerLink, call: Call, request: bytes, environment: dict[str, str]) -> _Answered:
        """Raises LostError, BrokenError, TooLargeError."""
        if not link.loaded:
            ready = await link.load(wire.init_of(environment, main=link.place.main.as_uri(), call=call))
            if ready.name or ready.message:
                outcome = outcomes.failed(ready, link.place.main.parent)
                link.end("recycled")
                return _Answered(outcome)
        exchange = Exchange(
            most_bytes=max(call.limits.result_bytes, self._settings.header_bytes),
            header_bytes=self._settings.header_bytes,
            flows=lambda head: call.streams and head.header("content-type").startswith(_STREAM),
        )
        link.ask(request, exchange)
        await exchange.head
        if exchange.flowing and call.host is not None:
            return await self._stream(link, call, exchange)
        await exchange.end
        body = exchange.taken()
        mark = exchange.header(wire.MARK)
        if mark == "failed":
            return _Answered(outcomes.thrown(body, link.place.main.parent))
        if len(body) > call.limits.result_bytes:
            raise TooLargeError
        return _Answered(outcomes.answered(exchange, body), waiting=mark == "waiting")

    async def _stream(self, link: WorkerLink, call: Call, exchange: Exchange) -> _Answered:
        """Pass an answer on in parts, as fast as they are taken."""
        assert call.host is not None
        whole = outcomes.answered(exchange, b"")
        head: Response | None = whole.response
        while part := await link.part(exchange):
            if not await call.host.stream(part, head=head):
                if not link.alive:
                    raise LostError
                link.end("cancelled")
                return _Answered(outcomes.answered(exchange, b"", streamed=True))
            head = None
        if head is not None:  # nothing came
            return _Answered(whole, waiting=True)
        return _Answered(outcomes.answered(exchange, b"", streamed=True), waiting=True)

    def _linger(self, worker: _Worker) -> None:
        self._pool.linger(worker)
        lingering = asyncio.create_task(self._wait(worker))
        self._lingering.add(lingering)
        lingering.add_done_callback(self._lingering.discard)

    async def _wait(self, worker: _Worker) -> None:
        """Keep the worker from other calls until what the handler has given to waitUntil is done, or its time is."""
        exchange = Exchange(most_bytes=self._settings.header_bytes, header_bytes=self._settings.header_bytes)
        try:
            async with asyncio.timeout(self._settings.wait_until_s):
                worker.link.ask(wire.wait_of(), exchange)
                await exchange.end
        except (TimeoutError, LostError, BrokenError, TooLargeError) as error:
            key = worker.key
            _log.info("waitUntil was cut", tenant=key.tenant, function_id=key.function_id, why=repr(error))
            worker.link.end("deadline")
        except BaseException:
            worker.link.end("closed")
            raise
        finally:
            self._release(worker)


class WithoutDeno:
    """What stands for the mode where Deno is missing: the other modes serve, and every call of this one is refused."""

    name = "javascript"
    runs_code = True
    examines = False
    judges = False
    share = 1.0
    slots = 1

    def __init__(self) -> None:
        self.compiler = deno.compiler()

    async def prepare(self, source: str) -> Artefact | Refusal:
        """Nothing can be checked."""
        return refusal(deno.MISSING)

    async def run(self, call: Call) -> Outcome:
        """Nothing can be run."""
        return failure("NotSupported", deno.MISSING)

    def facts(self) -> dict[str, Any]:
        """That it is missing."""
        return {"deno": "missing"}

    async def close(self) -> None:
        """There is nothing."""


def open_mode(
    settings: JavascriptSettings, *, platform: Platform, places: Places | None = None
) -> "JavascriptMode | WithoutDeno":
    """Open the mode, with all the places of an executor unless it shares them. Starts no process yet."""
    binary = deno.find()
    if binary is None:
        _log.warning("no javascript", reason=deno.MISSING)
        return WithoutDeno()
    starter = Starter(binary, settings, platform)
    return JavascriptMode(settings, starter, Checker(starter, settings), places=places or Places(Bounds()))


async def open_for(opening: Opening) -> "JavascriptMode | WithoutDeno":
    """Open the mode with an executor's settings."""
    executor = opening.executor
    settings = JavascriptSettings(
        slots=executor.slots,
        wait_until_s=executor.wait_until_s,
        prepare_timeout_s=executor.compile_timeout_s,
        prepare_memory_mb=executor.compile_memory_mb,
        compiled_bytes=executor.compiled_mb << 20,
        sandbox=executor.sandbox,
        without=() if executor.namespaces else ("namespaces",),
    )
    return open_mode(settings, platform=opening.platform, places=opening.places)

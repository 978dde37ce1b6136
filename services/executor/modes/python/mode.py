"""The Python mode: functions in warm, stripped worker processes, one function version to a worker."""

import asyncio
import os
from collections import Counter
from functools import partial
from typing import Any

from services.executor.mode import Artefact, Call, Opening, Refusal, Unavailable
from services.executor.modes.python import frames
from services.executor.modes.python.exits import MEMORY_EXIT, VIOLATION_STATUS, way_of
from services.executor.modes.python.frames import CallFrame, CompileFrame, FrameError, InitFrame, TellFrame
from services.executor.modes.python.outcomes import outcome_of, outcome_of_end
from services.executor.modes.python.settings import COMPILER, PythonSettings
from services.executor.modes.python.spares import Spares
from services.executor.modes.python.talk import Talk, call_frame
from services.executor.modes.python.worker_key import Key
from services.executor.modes.python.worker_link import WorkerEndedError, WorkerLink
from services.executor.modes.python.zygotes import Zygotes
from services.executor.pool.bounds import Bounds
from services.executor.pool.places import Places
from services.executor.pool.pool import Pool
from services.executor.pool.tally import Tally
from shared import telemetry
from shared.domain.outcome import Outcome
from shared.domain.version import CompileError

# A warm worker may die between two calls; a call that it cannot have seen is made again, this often.
_ATTEMPTS = 3
_MAX_ACCUSED = 1000  # tenants counted by name

_log = telemetry.logger("python")


class PythonMode:
    """Implements services.executor.mode.Mode. Raises Unavailable only while nothing has started."""

    name = "python"
    runs_code = True
    examines = True
    judges = False
    compiler = COMPILER
    share = 1.0

    def __init__(self, settings: PythonSettings, zygotes: Zygotes, *, places: Places) -> None:
        self._settings = settings
        self.slots = settings.slots
        self._zygotes = zygotes
        self._spares = Spares(zygotes, least=settings.least_spares, most=settings.most_spares)
        self._tally = Tally(self.name, way=way_of)
        self._pool = Pool(self._make, places, self._tally)
        self._tally.shows("spare", lambda: self._spares.count)
        # By tenant: whose code has made a system call that only an attack makes.
        self._violations: Counter[str] = Counter()
        zygotes.on_renewal = self._renewed
        self._compile_slots = asyncio.Semaphore(settings.compile_slots)

    async def prepare(self, source: str) -> Artefact | Refusal:
        """Compile a source in a worker that does nothing else and is killed afterwards."""
        try:
            encoded = source.encode("utf-8")
        except UnicodeEncodeError:
            return _refusal("The source holds characters that UTF-8 does not have.")
        if len(encoded) > self._settings.max_source_bytes:
            return _refusal(f"The source is over the limit of {self._settings.max_source_bytes} bytes.")
        async with self._compile_slots:
            for _ in range(_ATTEMPTS):
                worker = await self._spares.take()
                try:
                    return await self._compile(worker, encoded)
                except WorkerEndedError as ended:
                    status = await worker.exit_status()
                    if not _blameless(ended, status):
                        return _refusal(self._compile_trouble(ended, status))
                finally:
                    worker.end("unused")
        raise Unavailable("workers die before they see the source")

    async def run(self, call: Call) -> Outcome:
        """Run one call in a worker of its tenant, function and version."""
        if call.artefact.compiler != self.compiler:
            raise ValueError(f"an artefact of {call.artefact.compiler} was handed to {self.compiler}")
        key = Key(call.tenant, call.function_id, call.code_hash, call.limits.memory_mb)
        is_plugin = call.function is not None and call.function.plugin is not None
        valves = await call.host.valves() if is_plugin and call.host is not None else b""
        for _ in range(_ATTEMPTS):
            worker, nonce = await self._pool.take(key, call), _nonce()
            talk, request = Talk(call, nonce), call_frame(call, nonce, valves=valves)
            try:
                return await self._attempt(worker.link, call, talk, request)
            except WorkerEndedError as ended:
                outcome = await self._explain(worker.link, call, ended)
                if outcome is not None:
                    return talk.cut(outcome)
            finally:
                if not call.function_id:  # of a function that is yet to be: nobody will call it by this key
                    worker.link.end("unused")
                self._pool.give_back(worker)
        raise Unavailable("workers die before they see the call")

    def facts(self) -> dict[str, Any]:
        """Workers, the zygote, and counts since the start."""
        zygote = self._zygotes.current
        return {
            "compiler": self.compiler,
            "workers": self._pool.workers,
            "idle": self._pool.idle,
            "spares": self._spares.count,
            "zygote_pid": zygote.pid if zygote is not None and zygote.alive else None,
            "zygote_starts": self._zygotes.starts,
            "sandbox": zygote.report if zygote is not None else {},
            "counts": dict(self._tally.counts),
            "violations": dict(self._violations),
        }

    async def close(self) -> None:
        """End every worker and the zygote."""
        self._pool.close()
        await self._spares.close()
        await self._zygotes.close()

    async def _make(self, key: Key, call: Call) -> WorkerLink:
        link = await self._spares.take()
        link.send(frames.pack(InitFrame(call.artefact.data, key.memory_mb)))
        return link

    async def _attempt(self, link: WorkerLink, call: Call, talk: Talk, request: CallFrame) -> Outcome:
        limits = call.limits
        limit_bytes = max(limits.result_bytes + limits.output_bytes, limits.params_bytes) + frames.REPLY_MARGIN_BYTES
        if call.live is not None:
            call.live.watch(partial(_tell, link))
        try:
            await link.exchange(
                frames.pack(request),
                limit_bytes=limit_bytes,
                timeout_s=limits.timeout_s,
                cpu_s=limits.cpu_s if limits.cpu_s < limits.timeout_s else None,
                answering=talk.hear,
                lines=talk.told,
            )
            reply = talk.reply
            outcome = outcome_of(reply, limits, link.usage)
        except FrameError as error:
            link.end("broken")
            raise WorkerEndedError("broken", started=True) from error
        if reply.status == "memory":
            link.end("memory")  # what the failed call has left behind would starve the next
        return outcome

    async def _explain(self, link: WorkerLink, call: Call, ended: WorkerEndedError) -> Outcome | None:
        """The outcome of a call whose worker has ended; None when the call has not started and can be made again."""
        status = await link.exit_status() if ended.reason == "died" else None
        if status == VIOLATION_STATUS:
            self._accuse(call)
        # A worker that exits by itself before the call does so every time: its code or its limit is at fault. And a
        # call whose time is up has had it.
        spent = ended.reason in ("deadline", "cpu")
        if not ended.started and not spent and (status is None or status < 0):
            return None
        return outcome_of_end(ended.reason, status, call=call, usage=link.usage)

    def _accuse(self, call: Call) -> None:
        """Tell the operator; an honest function cannot have done it."""
        if call.tenant in self._violations or len(self._violations) < _MAX_ACCUSED:
            self._violations[call.tenant] += 1
        known = {"function": call.function.slug} if call.function is not None else {}
        _log.warning(
            "sandbox violation", tenant=call.tenant, function_id=call.function_id, task_id=call.task_id, **known
        )

    def _renewed(self) -> None:
        self._pool.retire()
        self._spares.retire()

    async def _compile(self, worker: WorkerLink, source: bytes) -> Artefact | Refusal:
        nonce = _nonce()
        request = CompileFrame(nonce, source, self._settings.compile_memory_mb)
        payload = await worker.exchange(
            frames.pack(request), limit_bytes=frames.MAX_ARTEFACT_BYTES, timeout_s=self._settings.compile_timeout_s
        )
        try:
            compiled = frames.parse_compiled(payload, nonce)
        except FrameError as error:
            raise WorkerEndedError("broken", started=True) from error
        if compiled.errors:
            return Refusal([CompileError(line, message) for line, message in compiled.errors])
        return Artefact(self.compiler, compiled.code)

    def _compile_trouble(self, ended: WorkerEndedError, status: int | None) -> str:
        if ended.reason == "deadline":
            return f"The code took longer than {self._settings.compile_timeout_s:g} s to compile."
        if status == MEMORY_EXIT:
            return f"The code took more than {self._settings.compile_memory_mb} MB to compile."
        return "The code ended its compiler; is it nested too deeply, or too long?"


async def open_mode(settings: PythonSettings, *, places: Places | None = None) -> PythonMode:
    """Start the mode, with all the places of an executor unless it shares them.

    Raises Unavailable when workers cannot be made or not be contained on this machine.
    """
    zygotes = Zygotes(settings)
    report = (await zygotes.running()).report
    if report["level"] == "weak":
        _log.warning("sandbox", layers=report)
        if settings.sandbox != "weak":
            await zygotes.close()
            raise Unavailable(_weakness(report))
    else:
        _log.info("sandbox", layers=report)
    return PythonMode(settings, zygotes, places=places or Places(Bounds()))


async def open_for(opening: Opening) -> PythonMode:
    """Start the mode with an executor's settings."""
    executor = opening.executor
    return await open_mode(
        PythonSettings(
            slots=executor.slots,
            compile_timeout_s=executor.compile_timeout_s,
            compile_memory_mb=executor.compile_memory_mb,
            sandbox=executor.sandbox,
            without=() if executor.namespaces else ("namespaces",),
        ),
        places=opening.places,
    )


def _tell(link: WorkerLink, wanted: bool) -> None:
    """Have the worker tell its lines, or no more of them."""
    link.tell(frames.pack(TellFrame(wanted)))


def _blameless(ended: WorkerEndedError, status: int | None) -> bool:
    """Whether a compiler ended for a reason that is not its source: before it had it, or together with its zygote."""
    return ended.reason == "died" and (status is None or (not ended.started and status < 0))


def _weakness(report: dict[str, str]) -> str:
    missing = ", ".join(f"{layer} {report[layer]}" for layer in ("seccomp", "rlimits") if report[layer] != "on")
    return f"this machine does not contain hostile code ({missing}); SHOAL_SANDBOX=weak serves all the same"


def _refusal(message: str) -> Refusal:
    return Refusal([CompileError(0, message)])


def _nonce() -> int:
    """64 bits that code in a worker cannot guess."""
    return int.from_bytes(os.urandom(8))

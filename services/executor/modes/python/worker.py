"""The worker process: forked from the zygote, stripped, then one request after another until its socket closes."""

import marshal
import os
import socket
from types import CodeType
from typing import NoReturn

import msgspec

from services.executor.kernel import calls
from services.executor.modes.python import frames, lockdown, warmup
from services.executor.modes.python.asking import Ask
from services.executor.modes.python.compiling import compile_source
from services.executor.modes.python.exits import BROKEN_EXIT, MEMORY_EXIT
from services.executor.modes.python.frames import CallFrame, CompiledFrame, CompileFrame, InitFrame, TellFrame
from services.executor.modes.python.handler import run_call
from services.executor.modes.python.lockdown import Layers
from services.executor.modes.python.telling import Telling

DATA_FD = 3


class Start(msgspec.Struct, frozen=True):
    """What the zygote gives to every worker: its own pid, its size in bytes when it was ready, the layers to put on."""

    zygote_pid: int
    mapped_bytes: int
    layers: Layers


def start(data_fd: int, given: Start) -> NoReturn:
    """Become a worker. Called in the freshly forked child; never returns into the zygote's code."""
    status = BROKEN_EXIT
    try:
        calls.die_with_parent(given.zygote_pid)
        os.dup2(data_fd, DATA_FD)
        # Held here, so that it closes with the process: closed before, it would have us killed and our status lost.
        data = socket.socket(fileno=DATA_FD)
        lockdown.lock_down(given.layers, first_fd=DATA_FD + 1)
        warmup.rehearse()
        _serve(data, given.mapped_bytes)
        status = 0
    except MemoryError:
        status = MEMORY_EXIT
    except BaseException:  # noqa: BLE001 - nothing may return into the zygote's code
        status = BROKEN_EXIT
    finally:
        os._exit(status)


def _serve(data: socket.socket, mapped_bytes: int) -> None:
    """Answer requests until the executor closes the socket. A broken request ends the worker."""
    code: CodeType | None = None
    while payload := frames.read_frame(data):
        match frames.parse_request(payload):
            case CallFrame() as call if code is not None:
                telling = Telling(data, call)
                ask = Ask(data, nonce=call.nonce, most_bytes=call.ask_bytes, telling=telling)
                reply = run_call(code, call, ask)
                data.sendall(telling.rest() + frames.pack(reply))
            case TellFrame():
                pass  # of a call that was over when it came
            case InitFrame() as init if code is None:
                lockdown.limit_memory(mapped_bytes, init.memory_mb)
                code = marshal.loads(init.code)  # noqa: S302 - our own compiler made it
            case CompileFrame() as request if code is None:
                lockdown.limit_memory(mapped_bytes, request.memory_mb)
                made, errors = compile_source(request.source)
                data.sendall(frames.pack(CompiledFrame(request.nonce, made, errors)))
            case _:
                raise frames.FrameError("a request out of turn")

"""Code for a worker as if the language layer had fallen: compiled without the policy, it climbs to full Python.

Only a test can hand such code to a worker: it makes the artefact itself, past the compiler.
"""

import json
import marshal
import os

from services.executor.kernel.machines import ARCHITECTURES
from services.executor.mode import Artefact, Call
from services.executor.modes.python.settings import COMPILER
from shared.domain.version import code_hash
from tests.limits import limits
from tests.sandbox.numbers import NUMBERS

# Every class knows its subclasses, and one of them has a method that knows the real built-ins.
_CLIMB = """
def _climb():
    for one in ().__class__.__base__.__subclasses__():
        try:
            found = one.__init__.__globals__['__builtins__']
        except (AttributeError, KeyError):
            continue
        return found if isinstance(found, dict) else found.__dict__
_real = _climb()
_names = {'__builtins__': _real}
_real['exec'](SOURCE, _names)
main = _names['main']
"""

_PRELUDE = """
import ctypes, mmap, os, re, resource, signal, socket, struct, time, _thread
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
libc.syscall.argtypes = [ctypes.c_long] * 7
kept = []
def address(data):
    kept.append(ctypes.create_string_buffer(data, max(1, len(data))))
    return ctypes.addressof(kept[-1])
def raw(number, *arguments):
    result = libc.syscall(number, *arguments, *[0] * (6 - len(arguments)))
    if result < 0:
        raise OSError(ctypes.get_errno(), 'refused')
    return result
def call(name, *arguments):
    return raw(NUMBERS[name], *arguments)
def prctl(option, value):
    return call('prctl', option, value)
def fcntl(fd, command, value):
    return call('fcntl', fd, command, value)
def denied(name, *buffers):
    try:
        call(name, *map(address, buffers))
    except PermissionError:
        return True
    return False
def page():
    kept.append(mmap.mmap(-1, 8192))
    return ctypes.addressof(ctypes.c_char.from_buffer(kept[-1])) & -4096
def there(fd):
    try:
        os.lseek(fd, 0, 1)
    except OSError as error:
        return error.errno != 9
    return True
def sock():
    return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, 3)
def forged(nonce):
    body = b'\\x94\\xa5reply' + bytes([nonce]) + b'\\xa2ok\\xc4\\x011'
    return len(body).to_bytes(4) + body
def reply(**fields):
    import sys
    frames = sys.modules['services.executor.modes.python.frames']
    own = sys._getframe()
    while not hasattr(own.f_locals.get('call'), 'nonce'):
        own = own.f_back
    honest = {'status': 'ok', 'result': b'{"value": "taken for honest"}'}
    lines = [frames.LineFrame(*line) for line in fields.pop('lines', [])]
    os.write(3, frames.pack(frames.ReplyFrame(own.f_locals['call'].nonce, **honest | fields, lines=lines)))
    time.sleep(60)
def main(params):
    try:
        value = attack()
    except OSError as error:
        return {'errno': error.errno}
    except Exception as error:
        return {'raised': type(error).__name__, 'text': str(error)}
    return {'value': value}
"""


def breakout_call(body: str, *, timeout_s: float = 5.0, at_once: bool = False) -> Call:
    """A call that runs `body` with everything Python has, in `main` unless it is `at_once`, where the module runs."""
    machine = os.uname().machine
    numbers = ARCHITECTURES[machine].numbers | NUMBERS[machine]
    attack = "def attack():\n" + "\n".join("    " + line for line in body.splitlines())
    source = f"NUMBERS = {numbers!r}\n{_PRELUDE}\n{attack}\n"
    climb = f"SOURCE = {source!r}\n{_CLIMB}" + ("main({})\n" if at_once else "")
    return Call(
        task_id="attack",
        tenant="attacker",
        function_id=1,
        code_hash=code_hash(source),
        artefact=Artefact(COMPILER, marshal.dumps(compile(climb, "<attack>", "exec"))),
        params=json.dumps({}).encode(),
        context={},
        limits=limits(timeout_s=timeout_s),
    )

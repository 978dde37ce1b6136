"""`in_pod.py CAPABILITIES ARGUMENTS…`: Python as the root of a user namespace with these capabilities and no others.

So a pod with `hostUsers: false` has it, but for the runtime's filter of system calls.
"""

import ctypes
import os
import sys

_NEWUSER = 0x10000000
_CAPBSET_DROP, _NO_NEW_PRIVS = 24, 38
_IDS = 65_536  # as many as Kubernetes gives to a pod
_NUMBERS = {"CHOWN": 0, "DAC_OVERRIDE": 1, "KILL": 5, "SETGID": 6, "SETUID": 7} | {
    "NET_ADMIN": 12, "SYS_CHROOT": 18, "SYS_ADMIN": 21
}  # fmt: skip
_libc = ctypes.CDLL(None, use_errno=True)


def enter() -> None:
    """Go on in a user namespace; whoever stays outside says which users there are in it."""
    entered, told = os.pipe()
    mapped, done = os.pipe()
    process = os.getpid()
    child = os.fork()
    if child == 0:
        os.read(entered, 1)
        for name in ("uid_map", "gid_map"):
            with open(f"/proc/{process}/{name}", "w") as file:  # noqa: PTH123 - a file of the kernel's
                file.write(f"0 0 {_IDS}\n")
        os.write(done, b"x")
        os._exit(0)
    _must(_libc.unshare(_NEWUSER))
    os.write(told, b"x")
    os.close(done)
    if not os.read(mapped, 1):
        raise PermissionError("nobody may say which users there are")
    os.waitpid(child, 0)
    os.setgroups([])


def keep(capabilities: set[int]) -> None:
    """Let the next program have these alone, and no way to more."""
    for number in range(41):
        if number not in capabilities:
            _must(_libc.prctl(_CAPBSET_DROP, number, 0, 0, 0))
    _must(_libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0))


def _must(result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


if __name__ == "__main__":
    enter()
    keep({_NUMBERS[name] for name in sys.argv[1].split(",")})
    os.execv(sys.executable, [sys.executable, *sys.argv[2:]])

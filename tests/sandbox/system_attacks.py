"""Attacks on the kernel, written as if the language layer were broken: they run with full Python and ctypes.

Each is the body of a function. What it must meet: an errno (the call is refused), `KILLED` (the filter ends the
process), `DIES` (it ends itself, and only itself), `BROKEN` (its reply is refused), `DEADLINE`, or a harmless value.
"""

from typing import Any, NamedTuple

KILLED, DIES, BROKEN, DEADLINE = "SandboxViolation", "WorkerDied", "broken", "TimeoutError"
EPERM, ENOMEM, ENOSYS = 1, 12, 38


class Attack(NamedTuple):
    """What it does, and what it must meet."""

    body: str
    meets: Any


def _call(name: str, *arguments: object) -> str:
    return f"return call({name!r}, {', '.join(map(str, arguments))})"


_FILES = {
    "read the users": "open('/etc/passwd').read()",
    "read its environment": "open('/proc/self/environ').read()",
    "read the first process's environment": "open('/proc/1/environ').read()",
    "write its own memory": "open('/proc/self/mem', 'r+b')",
    "write the core pattern": "open('/proc/sys/kernel/core_pattern', 'w')",
    "open the root": "os.open('/', os.O_RDONLY)",
    "open beside a descriptor": "os.open('..', os.O_RDONLY, dir_fd=3)",
    "open as a path only": "os.open('/', os.O_PATH)",
    "make a file": "open('/tmp/shoal-attack', 'w')",
    "make a file without a name": "os.open('/tmp', os.O_TMPFILE | os.O_RDWR)",
    "make a file in memory": "os.memfd_create('x')",
    "look at a file": "os.stat('/etc/passwd')",
    "read a link": "os.readlink('/proc/self/exe')",
    "list descriptors by /proc": "os.listdir('/proc/self/fd')",
    "ask where it is": "os.getcwd()",
    "change directory": "os.chdir('/')",
    "make a directory": "os.mkdir('/tmp/shoal-attack')",
    "remove a file": "os.unlink('/tmp/shoal-attack')",
    "rename a file": "os.rename('/tmp/a', '/tmp/b')",
    "make a symbolic link": "os.symlink('/etc/passwd', '/tmp/shoal-attack')",
    "make a hard link": "os.link('/etc/passwd', '/tmp/shoal-attack')",
    "change a mode": "os.chmod('/tmp', 0o777)",
    "change an owner": "os.chown('/tmp', 0, 0)",
    "make a device": "os.mknod('/tmp/shoal-attack', 0o20666, 0x101)",
    "make a pipe with a name": "os.mkfifo('/tmp/shoal-attack')",
    "cut a file": "os.truncate('/etc/hosts', 0)",
    "grow the null device": "os.ftruncate(1, 1 << 30)",
    "extended attribute": "os.getxattr('/', 'user.x')",
    "change the file mask": "call('umask', 0)",
    "sync the disks": "os.sync() or call('sync')",
    "copy between descriptors": "os.sendfile(3, 0, 0, 100)",
}
_DESCRIPTORS = {
    "duplicate": "os.dup(3)",
    "duplicate onto": "os.dup2(3, 9)",
    "duplicate by fcntl": "fcntl(3, 0, 50)",
    "set flags": "fcntl(3, 4, os.O_NONBLOCK)",
    "own the signals of the socket": "fcntl(3, 8, os.getppid())",
    "pipe": "os.pipe()",
    "event descriptor": "call('eventfd2', 0, 0)",
    "push a character into a terminal": "call('ioctl', 0, 0x5412, address(b'x'))",
    "epoll": "call('epoll_create1', 0)",
    "watch files": "call('inotify_init1', 0)",
}
_NETWORK = {
    "TCP socket": "socket.socket()",
    "UDP socket": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
    "raw packets": "socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 3)",
    "unix socket": "socket.socket(socket.AF_UNIX)",
    "netlink": "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)",
    "host of the virtual machine": "socket.socket(40)",
    "kernel crypto": "socket.socket(38, socket.SOCK_SEQPACKET)",
    "pair": "socket.socketpair()",
    "listen on its own socket": "call('listen', 3, 1)",
    "accept on its own socket": "call('accept4', 3, 0, 0, 0)",
    "bind its own socket": "call('bind', 3, address(b'\\x01\\x00\\x00x'), 4)",
    "connect its own socket anew": "call('connect', 3, address(b'\\x01\\x00\\x00x'), 4)",
    "set an option of its own socket": "call('setsockopt', 3, 1, 8, address(bytes(4)), 4)",
    "ask who is at the other end": "call('getsockopt', 3, 1, 17, address(bytes(12)), address(bytes([12, 0, 0, 0])))",
    "send many messages": "call('sendmmsg', 3, 0, 0, 0)",
}
_PROCESSES = {
    "fork": "os.fork()",
    "old fork": "call('fork')",
    "vfork": "call('vfork')",
    "clone": "call('clone', 0x11, 0)",
    "clone with namespaces": "call('clone', 0x10000011, 0)",
    "kill the parent": "os.kill(os.getppid(), 9)",
    "kill the first process": "os.kill(1, 9)",
    "kill everything": "os.kill(-1, 9)",
    "kill its group": "os.kill(0, 9)",
    "kill a thread": "call('tgkill', 1, 1, 9)",
    "kill an old way": "call('tkill', 1, 9)",
    "queue a signal": "call('rt_sigqueueinfo', 1, 9, address(bytes(128)))",
    "interval timer": "signal.setitimer(signal.ITIMER_REAL, 0.001)",
    "timer": "call('timer_create', 0, 0, address(bytes(8)))",
    "higher priority": "os.nice(-20)",
    "lower the parent's priority": "os.setpriority(os.PRIO_PROCESS, os.getppid(), 19)",
    "another scheduler": "os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))",
    "pin the parent": "os.sched_setaffinity(os.getppid(), {0})",
    "io priority": "call('ioprio_set', 1, 0, 0)",
    "limits of the parent": "resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE, (0, 0))",
    "new session": "os.setsid()",
    "join a group": "os.setpgid(0, os.getppid())",
    "become root": "os.setuid(0)",
    "become root three ways": "os.setresuid(0, 0, 0)",
    "change groups": "os.setgroups([0])",
    "take capabilities": "call('capset', address(struct.pack('=II', 0x20080522, 0)), address(b'\\xff' * 24))",
    "outlive the parent": "prctl(1, 0)",
    "show its memory": "prctl(4, 1)",
    "change its name": "prctl(15, address(b'systemd'))",
    "be the reaper": "prctl(36, 1)",
    "another personality": "call('personality', 0x0400000)",
    "a filter of its own": "call('seccomp', 1, 0, 0)",
    "wait for a child": "os.waitpid(-1, 0)",
    "CPU time of the parent": "time.clock_gettime((~os.getppid() << 3) | 2)",
    "CPU time of the first process": "time.clock_gettime((~1 << 3) | 2)",
    "set the clock": "time.clock_settime(0, 0)",
    "lock that lends its priority": "call('futex', address(bytes(8)), 6, 0, 0)",
    "lock that moves its waiters": "call('futex', address(bytes(8)), 12, 1, 0)",
    "name of the machine": "os.uname()",
    "set the name of the machine": "call('sethostname', address(b'x'), 1)",
    "memory of the machine": "call('sysinfo', address(bytes(200)))",
    "log of the kernel": "call('syslog', 3, address(bytes(100)), 100)",
    "quotas": "call('quotactl', 0, 0, 0, 0)",
    "accounting": "call('acct', 0)",
}
_MEMORY = {
    "memory to write and run": "mmap.mmap(-1, 4096, prot=7)",
    "memory to run": "mmap.mmap(-1, 4096, prot=5)",
    "make memory run": "call('mprotect', page(), 4096, 5)",
    "make memory run by key": "call('pkey_mprotect', page(), 4096, 5, -1)",
    "pin memory": "call('mlock', page(), 4096)",
    "shared memory": "call('shmget', 0, 4096, 0o1600)",
    "semaphores": "call('semget', 0, 1, 0o1600)",
    "message queue": "call('msgget', 0, 0o1600)",
    "named message queue": "call('mq_open', address(b'x'), 0o102, 0o600, 0)",
    "memory nobody else sees": "call('memfd_secret', 0)",
    "who holds a page": "call('move_pages', 0, 0, 0, 0, 0, 0)",
}
_FATAL = {
    "be traced": "call('ptrace', 0, 0, 0, 0)",
    "trace the parent": "call('ptrace', 16, os.getppid(), 0, 0)",
    "seize the first process": "call('ptrace', 0x4206, 1, 0, 0)",
    "start a program": "os.execv('/bin/sh', ['sh'])",
    "start a program by descriptor": "call('execveat', 0, address(b''), 0, 0, 0x1000)",
    "read the parent's memory": "call('process_vm_readv', os.getppid(), 0, 0, 0, 0, 0)",
    "write the parent's memory": "call('process_vm_writev', os.getppid(), 0, 0, 0, 0, 0)",
    "handle of a process": "os.pidfd_open(os.getppid())",
    "descriptor of another process": "call('pidfd_getfd', 3, 0, 0)",
    "signal by handle": "call('pidfd_send_signal', 3, 9, 0, 0)",
    "compare processes": "call('kcmp', 1, os.getpid(), 0, 0, 0)",
    "program in the kernel": "call('bpf', 0, 0, 0)",
    "performance counters": "call('perf_event_open', 0, 0, -1, -1, 0)",
    "page faults in user space": "call('userfaultfd', 0)",
    "ring of requests": "call('io_uring_setup', 1, address(bytes(120)))",
    "user namespace": "call('unshare', 0x10000000)",
    "enter a namespace": "call('setns', 3, 0)",
    "mount": "call('mount', 0, 0, 0, 0, 0)",
    "unmount": "call('umount2', address(b'/'), 2)",
    "new mount interface": "call('fsopen', address(b'tmpfs'), 0)",
    "open a tree": "call('open_tree', -100, address(b'/'), 1)",
    "swap the root": "call('pivot_root', 0, 0)",
    "leave the root": "os.chroot('/')",
    "keys of the session": "call('keyctl', 0, -3, 0)",
    "add a key": "call('add_key', 0, 0, 0, 0, 0)",
    "load a module": "call('finit_module', 0, 0, 0)",
    "another kernel": "call('kexec_load', 0, 0, 0, 0)",
    "restart the machine": "call('reboot', 0xfee1dead, 672274793, 0x89abcdef, 0)",
    "open by handle": "call('open_by_handle_at', 3, 0, 0)",
    "the other interface: open": "raw(0x40000002, address(b'/etc/passwd'), 0)",
    "the other interface: own number": "raw(0x40000000 + 520, 0, 0, 0)",
    "a number below zero": "raw(-1)",
}
_ONLY_X86 = {
    "all ports": "call('iopl', 3)",
    "some ports": "call('ioperm', 0, 1, 1)",
    "local descriptors": "call('modify_ldt', 0, 0, 0)",
}

_REST: dict[str, Attack] = {
    "clone3 looks missing": Attack(_call("clone3", 0, 0), ENOSYS),
    "thread": Attack("_thread.start_new_thread(print, ())", "RuntimeError"),
    "raise its limits": Attack("resource.setrlimit(resource.RLIMIT_AS, (-1, -1))", "ValueError"),
    "raise its descriptors": Attack("resource.setrlimit(resource.RLIMIT_NOFILE, (99, 99))", "ValueError"),
    "map a gigabyte": Attack("mmap.mmap(-1, 1 << 30)", ENOMEM),
    "see a file": Attack("return os.access('/etc/passwd', 0)", False),
    "inherited descriptors": Attack("return [fd for fd in range(2000) if there(fd)]", [0, 1, 2, 3]),
    "inherited environment": Attack(
        "return [name for name in os.environ if name not in ('LC_CTYPE', 'TZ', 'PYDANTIC_DISABLE_PLUGINS')]", []
    ),
    "read from its input": Attack("return os.read(0, 10).hex()", ""),
    "capabilities it has": Attack(
        "header, sets = struct.pack('=II', 0x20080522, 0), bytes(24)\nreturn denied('capget', header, sets)", True
    ),
    "exit": Attack("os._exit(0)", DIES),
    "crash": Attack("ctypes.string_at(0)", DIES),
    "abort": Attack("os.abort()", DIES),
    "close its socket": Attack("os.close(3)\ntime.sleep(60)", DIES),
    "reply of four gigabytes": Attack("os.write(3, b'\\xff' * 4)\ntime.sleep(60)", BROKEN),
    "reply of garbage": Attack("os.write(3, b'\\x00\\x00\\x00\\x04abcd')\ntime.sleep(60)", BROKEN),
    "reply to another call": Attack("os.write(3, forged(7))\ntime.sleep(60)", BROKEN),
    "flood": Attack("while True: os.write(3, bytes(65536))", BROKEN),
    "deep reply": Attack("os.write(3, (90000).to_bytes(4) + b'\\x91' * 90000)\ntime.sleep(60)", BROKEN),
    "half a reply": Attack("os.write(3, b'\\x00\\x00\\x00\\xff12')\nwhile True: pass", DEADLINE),
    "swallow the next request": Attack("os.read(3, 100)", DEADLINE),
    "send a descriptor": Attack("socket.send_fds(sock(), [b'\\xff\\xff\\xff\\xff'], [0, 1, 2, 3])", BROKEN),
    "sleep for ever": Attack("time.sleep(10 ** 6)", DEADLINE),
    "ignore every signal and loop": Attack(
        "for n in range(1, 65):\n    try: signal.signal(n, signal.SIG_IGN)\n    except Exception: pass\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\nwhile True: pass",
        DEADLINE,
    ),
    "loop outside Python": Attack("re.match('(a+)+$', 'a' * 80 + 'b')", DEADLINE),
    "wait on a lock": Attack("lock = _thread.allocate_lock(); lock.acquire(); lock.acquire()", DEADLINE),
}

# With the nonce of the call, which a worker whose language layer has fallen can read. Limits: 20 lines, 2000 bytes.
_LINE = "(1.7e9, 'info', 'forged', b'1')"
_FORGED_LINES = {
    "at no time": "lines=[(float('nan'), 'info', '')]",
    "after the end of time": "lines=[(1e300, 'info', '')]",
    "before it": "lines=[(-1.0, 'info', '')]",
    "of a level of its own": "lines=[(1.0, 'fatal', '')]",
    "of a level that is a number": "lines=[(1.0, 4, '')]",
    "with a message that is none": "lines=[(1.0, 'info', None)]",
    "with a message of bytes": "lines=[(1.0, 'info', b'\\xff')]",
    "with data that is no JSON": "lines=[(1.0, 'info', '', b'{')]",
    "with data that closes the record": "lines=[(1.0, 'info', '', b'1}],\"status\":\"SUCCESS\"')]",
    "with data that is not a number": "lines=[(1.0, 'info', '', b'NaN')]",
    "with data that is no text": "lines=[(1.0, 'info', '', b'\"\\xff\"')]",
    "with deep data": "lines=[(1.0, 'info', '', b'[' * 900 + b']' * 900)]",
    "over the bytes": "lines=[(1.0, 'info', 'x' * 2000)]",
    "over the bytes with what is printed": f"stdout='x' * 1980, lines=[{_LINE}]",
    "over their number": f"lines=[{_LINE}] * 21",
    "a hundred thousand": f"lines=[{_LINE}] * 10 ** 5",
    "fewer than none left out": "lines_too_large=-1",
    "left out without need": "lines_too_many=1",
    "more left out than there can be": "lines_too_large=1 << 62",
    "left out by the word": "lines_too_large='many'",
}


def _forged_lines() -> dict[str, Attack]:
    made = {f"lines, {name}": Attack(f"reply({fields})", BROKEN) for name, fields in _FORGED_LINES.items()}
    return made | {"lines like an honest worker's": Attack(f"reply(lines=[{_LINE}])", "taken for honest")}


def attacks(machine: str) -> dict[str, Attack]:
    """The attacks for a machine, as uname names it."""
    refused = _FILES | _DESCRIPTORS | _NETWORK | _PROCESSES | _MEMORY
    fatal = _FATAL | _ONLY_X86 if machine == "x86_64" else {k: v for k, v in _FATAL.items() if "other" not in k}
    made = {name: Attack(f"return str({body})", EPERM) for name, body in refused.items()}
    made |= {name: Attack(f"return str({body})", KILLED) for name, body in fatal.items()}
    return made | _REST | _forged_lines()

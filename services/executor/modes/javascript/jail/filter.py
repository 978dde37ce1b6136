"""The system calls that Deno has no need of. What the kernel learns tomorrow is unknown to it.

A list of what is refused, not of what is allowed as in the Python sandbox: V8 and its runtime use a great many, and
others with every version. A refusal is an error and not the end, for a runtime may try a call before it does without.
"""

from services.executor.kernel import bpf
from services.executor.kernel.bpf import ALLOW, REFUSE, UNKNOWN, Filter, Instruction, only, verdict
from services.executor.kernel.machines import Architecture

REFUSED = (
    # Other processes: their memory, their descriptors, signals to them, and processes at all.
    "ptrace process_vm_readv process_vm_writev process_madvise kcmp pidfd_open pidfd_getfd pidfd_send_signal fork "
    "vfork kill rt_sigqueueinfo rt_tgsigqueueinfo tkill execveat migrate_pages move_pages shmget shmat semget msgget "
    "mq_open "
    # The view of the machine.
    "mount umount2 pivot_root chroot mount_setattr move_mount open_tree fsopen fsconfig fsmount fspick setns unshare "
    "personality sethostname setdomainname open_by_handle_at name_to_handle_at mknod mknodat fanotify_init quotactl "
    "acct swapon swapoff reboot syslog vhangup uselib lookup_dcookie "
    # The clock of the machine.
    "settimeofday clock_settime clock_adjtime adjtimex "
    # Parts of the kernel that are large, rarely used, and a way to its heart.
    "bpf perf_event_open userfaultfd io_uring_setup io_uring_enter io_uring_register io_setup keyctl add_key "
    "request_key init_module finit_module delete_module kexec_load kexec_file_load iopl ioperm modify_ldt memfd_secret"
)

# The last call, by number, that this list was made with in mind; numbers above are the same on every architecture.
_LAST_KNOWN = 462

_CLONE_NEW = 0x7E020080  # all the namespaces that clone can make, time too
_CLONE_THREAD = 0x00010000
_AF_UNIX, _AF_INET, _AF_INET6 = 1, 2, 10
_SOCK_STREAM = 1
_SOCK_KIND = 0xF


def make_filter(machine: Architecture, *, network: bool) -> Filter:
    """The filter for this machine. With `network` TCP is left, which a namespace or Landlock has to confine.

    Without, nothing connects to anything, be it a socket that has a path: Landlock does not look at these.
    """
    return Filter(machine, instructions(machine, network=network))


def instructions(machine: Architecture, *, network: bool) -> list[Instruction]:
    """The program of the filter."""
    numbers = machine.numbers
    program = bpf.opening(machine)
    for name in REFUSED.split():
        if name in numbers:
            program += only(numbers[name], [verdict(REFUSE)])
    # With its arguments in memory, where a filter cannot see them; the C library goes on to clone.
    program += only(numbers["clone3"], [verdict(UNKNOWN)])
    # Threads and nothing else.
    program += only(numbers["clone"], bpf.all_of_bits(0, _CLONE_THREAD, without=_CLONE_NEW))
    program += only(numbers["prlimit64"], bpf.below(0, 1))
    if not network:
        program += only(numbers["connect"], [verdict(REFUSE)])
    program += only(numbers["socket"], _sockets(network=network))
    program += bpf.from_number(_LAST_KNOWN + 1, [verdict(UNKNOWN)])
    return [*program, verdict(ALLOW)]


def _sockets(*, network: bool) -> list[Instruction]:
    """Streams, of Unix sockets and of TCP: what sends without a connection could send anywhere."""
    stream = bpf.one_of(1, (_SOCK_STREAM,), ignored_bits=0xFFFFFFFF ^ _SOCK_KIND)
    families = (_AF_UNIX, _AF_INET, _AF_INET6) if network else (_AF_UNIX,)
    return [*bpf.when_argument(0, families, stream), verdict(REFUSE)]

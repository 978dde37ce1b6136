"""The system calls a worker needs, and those that only an attack makes."""

# One call is a few of these, so they stand first: the filter is read from the top.
ALLOWED = (
    "recvfrom sendto futex clock_gettime mmap munmap brk madvise mremap mprotect read write close fstat lseek poll "
    "ppoll rt_sigaction rt_sigprocmask rt_sigreturn sigaltstack clock_getres clock_nanosleep nanosleep gettimeofday "
    "time getrandom sendmsg recvmsg getpid getppid gettid getuid geteuid getgid getegid getrusage times sched_yield "
    "fcntl prlimit64 exit exit_group restart_syscall"
)

# No honest function comes near these, whatever its bugs: they end the process and are told to the operator.
FATAL = (
    "ptrace execve execveat process_vm_readv process_vm_writev process_madvise bpf mount umount2 pivot_root chroot "
    "mount_setattr move_mount open_tree fsopen fsconfig fsmount fspick setns unshare io_uring_setup io_uring_enter "
    "io_uring_register userfaultfd perf_event_open keyctl add_key request_key init_module finit_module delete_module "
    "kexec_load kexec_file_load pidfd_open pidfd_getfd pidfd_send_signal open_by_handle_at name_to_handle_at reboot "
    "swapon swapoff iopl ioperm modify_ldt kcmp"
)

# "Not implemented" has the C library try its older sibling, which is refused.
MISSING = "clone3"

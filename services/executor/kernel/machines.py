"""The numbers of system calls, by architecture; not all, but those that a filter names."""

from typing import NamedTuple

_X86_64 = """
recvfrom 45 sendto 44 futex 202 clock_gettime 228 mmap 9 munmap 11 brk 12 madvise 28 mremap 25 mprotect 10 read 0
write 1 close 3 fstat 5 lseek 8 poll 7 ppoll 271 rt_sigaction 13 rt_sigprocmask 14 rt_sigreturn 15 sigaltstack 131
clock_getres 229 clock_nanosleep 230 nanosleep 35 gettimeofday 96 time 201 getrandom 318 sendmsg 46 recvmsg 47
getpid 39 getppid 110 gettid 186 getuid 102 geteuid 107 getgid 104 getegid 108 getrusage 98 times 100 sched_yield 24
fcntl 72 prlimit64 302 exit 60 exit_group 231 restart_syscall 219 clone3 435 ptrace 101 execve 59 execveat 322
process_vm_readv 310 process_vm_writev 311 process_madvise 440 bpf 321 mount 165 umount2 166 pivot_root 155
chroot 161 mount_setattr 442 move_mount 429 open_tree 428 fsopen 430 fsconfig 431 fsmount 432 fspick 433 setns 308
unshare 272 io_uring_setup 425 io_uring_enter 426 io_uring_register 427 userfaultfd 323 perf_event_open 298
keyctl 250 add_key 248 request_key 249 init_module 175 finit_module 313 delete_module 176 kexec_load 246
kexec_file_load 320 pidfd_open 434 pidfd_getfd 438 pidfd_send_signal 424 open_by_handle_at 304
name_to_handle_at 303 reboot 169 swapon 167 swapoff 168 iopl 172 ioperm 173 modify_ldt 154 kcmp 312 seccomp 317
socket 41 connect 42 clone 56 fork 57 vfork 58 kill 62 personality 135 acct 163 quotactl 179 settimeofday 164
clock_settime 227 clock_adjtime 305 adjtimex 159 sethostname 170 setdomainname 171 syslog 103 vhangup 153 mknod 133
mknodat 259 fanotify_init 300 memfd_create 319 memfd_secret 447 migrate_pages 256 move_pages 279 shmget 29 shmat 30
semget 64 msgget 68 mq_open 240 rt_sigqueueinfo 129 rt_tgsigqueueinfo 297 tkill 200 uselib 134 lookup_dcookie 212
io_setup 206 setuid 105 setresuid 117 setresgid 119
"""

_AARCH64 = """
recvfrom 207 sendto 206 futex 98 clock_gettime 113 mmap 222 munmap 215 brk 214 madvise 233 mremap 216 mprotect 226
read 63 write 64 close 57 fstat 80 lseek 62 ppoll 73 rt_sigaction 134 rt_sigprocmask 135 rt_sigreturn 139
sigaltstack 132 clock_getres 114 clock_nanosleep 115 nanosleep 101 gettimeofday 169 getrandom 278 sendmsg 211
recvmsg 212 getpid 172 getppid 173 gettid 178 getuid 174 geteuid 175 getgid 176 getegid 177 getrusage 165 times 153
sched_yield 124 fcntl 25 prlimit64 261 exit 93 exit_group 94 restart_syscall 128 clone3 435 ptrace 117 execve 221
execveat 281 process_vm_readv 270 process_vm_writev 271 process_madvise 440 bpf 280 mount 40 umount2 39
pivot_root 41 chroot 51 mount_setattr 442 move_mount 429 open_tree 428 fsopen 430 fsconfig 431 fsmount 432
fspick 433 setns 268 unshare 97 io_uring_setup 425 io_uring_enter 426 io_uring_register 427 userfaultfd 282
perf_event_open 241 keyctl 219 add_key 217 request_key 218 init_module 105 finit_module 273 delete_module 106
kexec_load 104 kexec_file_load 294 pidfd_open 434 pidfd_getfd 438 pidfd_send_signal 424 open_by_handle_at 265
name_to_handle_at 264 reboot 142 swapon 224 swapoff 225 kcmp 272 seccomp 277
socket 198 connect 203 clone 220 kill 129 personality 92 acct 89 quotactl 60 settimeofday 170 clock_settime 112
clock_adjtime 266 adjtimex 171 sethostname 161 setdomainname 162 syslog 116 vhangup 58 mknodat 33 fanotify_init 262
memfd_create 279 memfd_secret 447 migrate_pages 238 move_pages 239 shmget 194 shmat 196 semget 190 msgget 186
mq_open 180 rt_sigqueueinfo 138 rt_tgsigqueueinfo 240 tkill 130 lookup_dcookie 18 io_setup 0 setuid 146 setresuid 147
setresgid 149
"""


class Architecture(NamedTuple):
    """What a filter has to know of a machine. `audit` is the kernel's name for it."""

    audit: int
    numbers: dict[str, int]
    # Calls from here on belong to another interface of the same kernel, which the names above do not cover.
    foreign_from: int | None = None


def _numbers(table: str) -> dict[str, int]:
    words = table.split()
    return {name: int(number) for name, number in zip(words[::2], words[1::2], strict=True)}


# By the name that uname gives a machine.
ARCHITECTURES = {
    "x86_64": Architecture(0xC000003E, _numbers(_X86_64), foreign_from=0x40000000),
    "aarch64": Architecture(0xC00000B7, _numbers(_AARCH64)),
}

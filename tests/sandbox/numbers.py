"""Numbers of the system calls that attacks make and the filter has no name for, x86-64 and aarch64."""

_TABLE = """
sync 162 81 eventfd2 290 19 ioctl 16 29 epoll_create1 291 20 inotify_init1 294 26 listen 50 201 accept4 288 242
bind 49 200 connect 42 203 setsockopt 54 208 getsockopt 55 209 sendmmsg 307 269 fork 57 1079 vfork 58 1071
clone 56 220 tgkill 234 131 tkill 200 130 rt_sigqueueinfo 129 138 timer_create 222 107 ioprio_set 251 30
capset 126 91 capget 125 90 personality 135 92 sethostname 170 161 sysinfo 99 179 syslog 103 116 quotactl 179 60
acct 163 89 pkey_mprotect 329 288 mlock 149 228 shmget 29 194 semget 64 190 msgget 68 186 mq_open 240 180
umask 95 166 prctl 157 167 memfd_secret 447 447 move_pages 279 239
"""
_words = _TABLE.split()
NUMBERS = {
    "x86_64": {name: int(number) for name, number in zip(_words[::3], _words[1::3], strict=True)},
    "aarch64": {name: int(number) for name, number in zip(_words[::3], _words[2::3], strict=True)},
}

package probe

// The system calls in which a task can sleep or that say what it was doing, by
// number (arch/x86/entry/syscalls/syscall_64.tbl, scripts/syscall.tbl). Others
// stay without a name.

var namesAMD64 = [...]string{
	0: "read", 1: "write", 2: "open", 3: "close", 4: "stat", 5: "fstat", 6: "lstat", 7: "poll", 8: "lseek", 9: "mmap",
	10: "mprotect", 11: "munmap", 12: "brk", 14: "rt_sigprocmask", 16: "ioctl", 17: "pread64", 18: "pwrite64",
	19: "readv", 20: "writev", 21: "access", 22: "pipe", 23: "select", 24: "sched_yield", 25: "mremap", 26: "msync",
	28: "madvise", 34: "pause", 35: "nanosleep", 40: "sendfile", 42: "connect", 43: "accept", 44: "sendto",
	45: "recvfrom", 46: "sendmsg", 47: "recvmsg", 56: "clone", 57: "fork", 58: "vfork", 59: "execve", 60: "exit",
	61: "wait4", 62: "kill", 65: "semop", 69: "msgsnd", 70: "msgrcv", 72: "fcntl", 73: "flock", 74: "fsync",
	75: "fdatasync", 76: "truncate", 77: "ftruncate", 78: "getdents", 80: "chdir", 81: "fchdir", 82: "rename",
	83: "mkdir", 84: "rmdir", 85: "creat", 86: "link", 87: "unlink", 88: "symlink", 89: "readlink", 90: "chmod",
	91: "fchmod", 92: "chown", 101: "ptrace", 128: "rt_sigtimedwait", 130: "rt_sigsuspend", 132: "utime",
	133: "mknod", 137: "statfs", 138: "fstatfs", 155: "pivot_root", 161: "chroot", 162: "sync", 165: "mount",
	166: "umount2", 179: "quotactl", 187: "readahead", 188: "setxattr", 191: "getxattr", 192: "lgetxattr",
	193: "fgetxattr", 194: "listxattr", 202: "futex", 208: "io_getevents", 217: "getdents64", 219: "restart_syscall",
	220: "semtimedop", 221: "fadvise64", 230: "clock_nanosleep", 231: "exit_group", 232: "epoll_wait",
	233: "epoll_ctl", 234: "tgkill", 242: "mq_timedsend", 243: "mq_timedreceive", 247: "waitid", 257: "openat",
	258: "mkdirat", 259: "mknodat", 260: "fchownat", 262: "newfstatat", 263: "unlinkat", 264: "renameat",
	265: "linkat", 266: "symlinkat", 267: "readlinkat", 268: "fchmodat", 269: "faccessat", 270: "pselect6",
	271: "ppoll", 272: "unshare", 275: "splice", 276: "tee", 278: "vmsplice", 280: "utimensat", 281: "epoll_pwait",
	285: "fallocate", 288: "accept4", 295: "preadv", 296: "pwritev", 299: "recvmmsg", 306: "syncfs", 307: "sendmmsg",
	308: "setns", 310: "process_vm_readv", 316: "renameat2", 318: "getrandom", 322: "execveat",
	326: "copy_file_range", 327: "preadv2", 328: "pwritev2", 332: "statx", 333: "io_pgetevents",
	426: "io_uring_enter", 428: "open_tree", 430: "fsopen", 432: "fsmount", 435: "clone3", 437: "openat2",
	439: "faccessat2", 441: "epoll_pwait2", 449: "futex_waitv", 455: "futex_wait",
}

var namesARM64 = [...]string{
	4: "io_getevents", 5: "setxattr", 8: "getxattr", 9: "lgetxattr", 10: "fgetxattr", 11: "listxattr",
	21: "epoll_ctl", 22: "epoll_pwait", 25: "fcntl", 29: "ioctl", 32: "flock", 33: "mknodat", 34: "mkdirat",
	35: "unlinkat", 36: "symlinkat", 37: "linkat", 38: "renameat", 39: "umount2", 40: "mount", 41: "pivot_root",
	43: "statfs", 44: "fstatfs", 45: "truncate", 46: "ftruncate", 47: "fallocate", 48: "faccessat", 49: "chdir",
	50: "fchdir", 51: "chroot", 52: "fchmod", 53: "fchmodat", 54: "fchownat", 56: "openat", 57: "close",
	60: "quotactl", 61: "getdents64", 62: "lseek", 63: "read", 64: "write", 65: "readv", 66: "writev", 67: "pread64",
	68: "pwrite64", 69: "preadv", 70: "pwritev", 71: "sendfile", 72: "pselect6", 73: "ppoll", 75: "vmsplice",
	76: "splice", 77: "tee", 78: "readlinkat", 79: "newfstatat", 80: "fstat", 81: "sync", 82: "fsync",
	83: "fdatasync", 88: "utimensat", 93: "exit", 94: "exit_group", 95: "waitid", 97: "unshare", 98: "futex",
	101: "nanosleep", 115: "clock_nanosleep", 117: "ptrace", 124: "sched_yield", 128: "restart_syscall", 129: "kill",
	131: "tgkill", 133: "rt_sigsuspend", 135: "rt_sigprocmask", 137: "rt_sigtimedwait", 182: "mq_timedsend",
	183: "mq_timedreceive", 188: "msgrcv", 189: "msgsnd", 192: "semtimedop", 193: "semop", 202: "accept",
	203: "connect", 206: "sendto", 207: "recvfrom", 211: "sendmsg", 212: "recvmsg", 213: "readahead", 214: "brk",
	215: "munmap", 216: "mremap", 220: "clone", 221: "execve", 222: "mmap", 223: "fadvise64", 226: "mprotect",
	227: "msync", 233: "madvise", 242: "accept4", 243: "recvmmsg", 260: "wait4", 267: "syncfs", 268: "setns",
	269: "sendmmsg", 270: "process_vm_readv", 276: "renameat2", 278: "getrandom", 281: "execveat",
	285: "copy_file_range", 286: "preadv2", 287: "pwritev2", 291: "statx", 292: "io_pgetevents",
	426: "io_uring_enter", 428: "open_tree", 430: "fsopen", 432: "fsmount", 435: "clone3", 437: "openat2",
	439: "faccessat2", 441: "epoll_pwait2", 449: "futex_waitv", 455: "futex_wait",
}

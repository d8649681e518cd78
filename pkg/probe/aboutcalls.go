package probe

import "github.com/whystuck/whystuck/pkg/evidence"

// pathCall says in which arguments of a call a path stands: dir is the number
// of the argument with the directory's descriptor, -1 where there is none.
type pathCall struct{ dir, path int }

var (
	plainPath = pathCall{-1, 0}
	atPath    = pathCall{0, 1}
)

// callPath is where the path of a call stands.
func callPath(s *evidence.Syscall) (pathCall, bool) {
	if s == nil || len(s.Args) < 6 {
		return pathCall{}, false
	}
	switch s.Name {
	case "open", "stat", "lstat", "access", "truncate", "chdir", "rename", "mkdir", "rmdir", "creat", "link", "unlink",
		"readlink", "chmod", "chown", "utime", "mknod", "statfs", "chroot", "setxattr", "getxattr", "lgetxattr", "listxattr",
		"execve", "umount2":
		return plainPath, true
	case "openat", "openat2", "mkdirat", "mknodat", "fchownat", "newfstatat", "unlinkat", "renameat", "renameat2", "linkat",
		"readlinkat", "fchmodat", "faccessat", "faccessat2", "utimensat", "statx", "execveat":
		return atPath, true
	case "symlink": // the first argument is what the link shall say
		return pathCall{-1, 1}, true
	case "symlinkat":
		return pathCall{1, 2}, true
	case "mount":
		return pathCall{-1, 1}, true
	}
	return pathCall{}, false
}

// callFD is the descriptor that a call is about.
func callFD(s *evidence.Syscall) (int, bool) {
	if s == nil || len(s.Args) < 6 {
		return 0, false
	}
	arg := 0
	switch s.Name {
	case "read", "write", "pread64", "pwrite64", "readv", "writev", "preadv", "pwritev", "preadv2", "pwritev2", "close",
		"fstat", "lseek", "ioctl", "fcntl", "flock", "fsync", "fdatasync", "ftruncate", "getdents", "getdents64", "fchdir",
		"fchmod", "fchown", "fstatfs", "readahead", "fgetxattr", "fadvise64", "fallocate", "syncfs", "sendfile":
	case "splice", "copy_file_range":
		arg = 2 // where it writes
	case "mmap":
		arg = 4
	default:
		return 0, false
	}
	// A descriptor is an int: the upper half of the register may hold anything.
	fd := int(int32(uint32(s.Args[arg])))
	return fd, fd >= 0
}

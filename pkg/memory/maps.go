package memory

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"strconv"
)

// maxMaps bounds what is read of maps: 65530 mappings (vm.max_map_count) of
// ordinary length.
const maxMaps = 8 << 20

// local are the file systems whose reads wait for nothing but a disk. Network
// file systems, 9p, virtiofs and all of FUSE are not among them.
var local = map[string]bool{
	"overlay": true, "aufs": true, "ext2": true, "ext3": true, "ext4": true, "xfs": true, "btrfs": true, "zfs": true,
	"f2fs": true, "bcachefs": true, "tmpfs": true, "ramfs": true, "rootfs": true, "squashfs": true, "erofs": true,
	"iso9660": true, "vfat": true, "jfs": true, "reiserfs": true,
}

// Local reports whether a file system of this type waits for nothing but a disk.
func Local(fsType string) bool { return local[fsType] }

// mapped fails unless each address lies in no file, or in one of a local file
// system.
func mapped(dir int, addrs []uint64) error {
	f, err := os.Open(dirPath(dir, "maps"))
	if err != nil {
		return fmt.Errorf("reading the mappings: %w", err)
	}
	defer f.Close()
	found := 0
	for lines := bufio.NewScanner(io.LimitReader(f, maxMaps)); lines.Scan() && found < len(addrs); {
		from, to, device, ok := parse(lines.Bytes())
		for ; ok && found < len(addrs) && addrs[found] < to; found++ {
			if addrs[found] < from {
				return fmt.Errorf("no memory at %#x: %w", addrs[found], ErrUnsafe)
			}
			if device != "" && !local[typeOf(dir, device)] {
				return fmt.Errorf("memory of a file on device %s: %w", device, ErrUnsafe)
			}
		}
	}
	if found < len(addrs) {
		return fmt.Errorf("no memory at %#x: %w", addrs[found], ErrUnsafe)
	}
	return nil
}

// parse reads a line of /proc/PID/maps, "from-to perms offset major:minor inode
// path" (proc_pid_maps(5)). The device is as mountinfo has it, "" where no file is
// mapped: its inode is 0.
func parse(line []byte) (from, to uint64, device string, ok bool) {
	fields := bytes.SplitN(line, []byte{' '}, 6)
	if len(fields) < 5 {
		return 0, 0, "", false
	}
	a, b, _ := bytes.Cut(fields[0], []byte{'-'})
	from, err := strconv.ParseUint(string(a), 16, 64)
	to, err2 := strconv.ParseUint(string(b), 16, 64)
	if err != nil || err2 != nil {
		return 0, 0, "", false
	}
	if string(bytes.TrimSpace(fields[4])) == "0" {
		return from, to, "", true
	}
	major, minor, _ := bytes.Cut(fields[3], []byte{':'})
	x, err := strconv.ParseUint(string(major), 16, 32)
	y, err2 := strconv.ParseUint(string(minor), 16, 32)
	if err != nil || err2 != nil {
		return from, to, "?", true
	}
	return from, to, fmt.Sprintf("%d:%d", x, y), true
}

// typeOf finds the file system type of a device in the mounts of the process, or
// in ours; "" where neither has it.
func typeOf(dir int, device string) string {
	for _, path := range []string{dirPath(dir, "mountinfo"), "/proc/self/mountinfo"} {
		if t := typeIn(path, device); t != "" {
			return t
		}
	}
	return ""
}

func typeIn(path, device string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	for lines := bufio.NewScanner(io.LimitReader(f, maxMaps)); lines.Scan(); {
		fields := bytes.Fields(lines.Bytes())
		_, after, ok := bytes.Cut(lines.Bytes(), []byte(" - "))
		if ok && len(fields) > 2 && string(fields[2]) == device {
			t, _, _ := bytes.Cut(after, []byte{' '})
			return string(t)
		}
	}
	return ""
}

package probe

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/procfs"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// maxDevices bounds the devices described, with those below them.
const maxDevices = 8

// passDevices describes the block devices that tasks hang on: what they are made of,
// whether they are suspended or gone, and what the cgroup allows.
func (l *look) passDevices() {
	numbers := slices.Sorted(maps.Keys(devicesOf(l.t)))
	if len(numbers) == 0 {
		return
	}
	g, lines := l.group, l.cgroups
	found, ok := once(l, l.p.cfg.ReadTimeout, func(r *reader) []evidence.BlockDevice {
		out := r.devices(numbers)
		for i := range out {
			out[i].Limits = r.ioLimits(&out[i], g, lines)
		}
		return out
	})
	if !ok {
		l.gap(evidence.GapTimeout, l.p.cfg.Sys+"/dev/block", "cannot tell the block device that a task is stuck on")
		return
	}
	l.t.Devices = found
	l.backings()
}

// backings finds the file systems that the files of loop devices lie on: a loop
// device is as dead as that.
func (l *look) backings() {
	own, ok := once(l, l.p.cfg.ReadTimeout, func(r *reader) []mount {
		if !slices.ContainsFunc(l.t.Devices, func(d evidence.BlockDevice) bool { return d.Backing != "" }) {
			return nil
		}
		table, _ := r.mounts(r.p.pidPath(os.Getpid(), "mountinfo"))
		return table
	})
	if !ok {
		return
	}
	for i := range l.t.Devices {
		d := &l.t.Devices[i]
		if m := mountOf(own, d.Backing); m != nil && d.Backing != "" {
			d.BackingOn = &evidence.About{Path: d.Backing, Via: evidence.ViaFD, HostMount: bounded(m.point)}
			setMount(d.BackingOn, m)
		}
	}
}

// devices describes block devices by number and those below them.
func (r *reader) devices(numbers []string) []evidence.BlockDevice {
	var out []evidence.BlockDevice
	seen := map[string]bool{}
	for todo := slices.Clone(numbers); len(todo) > 0 && len(out) < maxDevices; todo = todo[1:] {
		if seen[todo[0]] {
			continue
		}
		seen[todo[0]] = true
		d, ok := r.device(todo[0])
		if !ok {
			continue // no block device: FUSE, NFS, an overlay, btrfs
		}
		out = append(out, d)
		for _, name := range d.Slaves {
			if data, err := r.read(r.p.cfg.Sys+"/class/block/"+name+"/dev", 32); err == nil {
				todo = append(todo, strings.TrimSpace(string(data)))
			}
		}
	}
	return out
}

func (r *reader) device(number string) (d evidence.BlockDevice, ok bool) {
	dir := r.p.cfg.Sys + "/dev/block/" + number
	link, err := readLink(dir)
	if err != nil {
		return d, false
	}
	d = evidence.BlockDevice{Number: number, Name: filepath.Base(link)}
	disk := dir
	if exists(dir + "/partition") {
		disk = dir + "/.."
		d.Disk = r.line(disk + "/dev")
	}
	d.Holders, _, _ = names(dir+"/holders", maxDevices)
	d.Slaves, _, _ = names(dir+"/slaves", maxDevices)
	d.Backing = bounded(r.line(dir + "/loop/backing_file"))
	d.DMName, d.Suspended = r.line(dir+"/dm/name"), r.flag(dir+"/dm/suspended")
	if d.State = r.line(disk + "/device/state"); d.State == "" {
		d.State = r.line(dir + "/md/array_state")
	}
	if strings.HasPrefix(d.Name, "nbd") {
		n, _ := r.number(disk + "/pid")
		d.Server = &n
	}
	if data, err := r.read(dir+"/inflight", 64); err == nil {
		if n, err := fields(data, 2); err == nil {
			d.InFlight = n
		}
	}
	return d, true
}

// line is the first line of a small file, "" when it is not there.
func (r *reader) line(path string) string {
	data, err := r.read(path, maxPath)
	if err != nil {
		return ""
	}
	first, _, _ := bytes.Cut(data, []byte{'\n'})
	return strings.TrimSpace(string(first))
}

// throttles are v1's limits (Documentation/admin-guide/cgroup-v1/blkio-controller.rst).
var throttles = []string{"read_bps", "write_bps", "read_iops", "write_iops"}

// ioLimits finds what the cgroup and its parents allow on a device. Limits are set
// on the whole disk.
func (r *reader) ioLimits(d *evidence.BlockDevice, g group, lines []procfs.Cgroup) []evidence.IOLimit {
	number := d.Number
	if d.Disk != "" {
		number = d.Disk
	}
	var out []evidence.IOLimit
	v1, v2 := r.p.sibling("blkio", g.path, lines), r.p.sibling("", g.path, lines)
	for path := v1.path; path != "" && path != "/" && path != "."; path = filepath.Dir(path) {
		for _, kind := range throttles {
			file := filepath.Join(v1.mount, path, "blkio.throttle."+kind+"_device")
			if data, err := r.read(file, firstRead); err == nil {
				if n, ok := parseThrottle(data, number); ok {
					out = append(out, evidence.IOLimit{Kind: kind, Value: n, File: file})
				}
			}
		}
	}
	for path := v2.path; path != "" && path != "/" && path != "."; path = filepath.Dir(path) {
		file := filepath.Join(v2.mount, path, "io.max")
		if data, err := r.read(file, firstRead); err == nil {
			out = append(out, parseIOMax(data, number, file)...)
		}
	}
	return out
}

// parseThrottle reads the line "8:16 1048576" of a device.
func parseThrottle(data []byte, number string) (uint64, bool) {
	for line := range bytes.Lines(data) {
		if key, value, _ := bytes.Cut(bytes.TrimSpace(line), []byte{' '}); string(key) == number {
			n, err := strconv.ParseUint(string(bytes.TrimSpace(value)), 10, 64)
			return n, err == nil && n > 0
		}
	}
	return 0, false
}

// parseIOMax reads the line "8:16 rbps=max wbps=1048576 riops=max wiops=max" of a
// device (Documentation/admin-guide/cgroup-v2.rst).
func parseIOMax(data []byte, number, file string) []evidence.IOLimit {
	kinds := map[string]string{"rbps": "read_bps", "wbps": "write_bps", "riops": "read_iops", "wiops": "write_iops"}
	var out []evidence.IOLimit
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line)
		if len(f) == 0 || f[0] != number {
			continue
		}
		for _, word := range f[1:] {
			key, value, _ := strings.Cut(word, "=")
			if n, err := strconv.ParseUint(value, 10, 64); err == nil && kinds[key] != "" {
				out = append(out, evidence.IOLimit{Kind: kinds[key], Value: n, File: file})
			}
		}
	}
	return out
}

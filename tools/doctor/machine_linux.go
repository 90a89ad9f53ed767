package doctor

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"golang.org/x/sys/unix"
)

// How drives are tried: so many small writes, each with a sync, in a file that is removed.
const (
	syncTries = 16
	syncBytes = 16 << 10
)

// Machine looks at this machine and at directories that are, or will be, a node's drives.
func Machine(dirs []string) []Finding {
	var uname unix.Utsname
	var files unix.Rlimit
	var clock unix.Timex
	var out []Finding
	add := func(what string, err error, judge func() Finding) {
		if err != nil {
			out = append(out, unknown("machine", what, err))
			return
		}
		out = append(out, judge())
	}
	add("kernel", unix.Uname(&uname), func() Finding { return judgeKernel(unix.ByteSliceToString(uname.Release[:])) })
	err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files)
	add("open files", err, func() Finding { return judgeFiles(files.Cur, files.Max) })
	_, err = unix.Adjtimex(&clock)
	add("clock", err, func() Finding { return judgeSynchronized(clock.Status&unix.STA_UNSYNC == 0) })
	out = append(out, memory()...)
	return append(out, drives(dirs)...)
}

func memory() []Finding {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return []Finding{unknown("machine", "memory", err)}
	}
	limit := meminfo(string(text), "MemTotal")
	if bound, err := memlimit.FromCgroup(); err == nil && bound < limit {
		limit = bound
	}
	return judgeMemory(limit, meminfo(string(text), "SwapTotal")-meminfo(string(text), "SwapFree"))
}

// meminfo returns a value of /proc/meminfo in bytes; 0 if it is not there.
func meminfo(text, name string) uint64 {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			if f := strings.Fields(rest); len(f) > 0 {
				kib, _ := strconv.ParseUint(f[0], 10, 64)
				return kib << 10
			}
		}
	}
	return 0
}

func drives(dirs []string) (out []Finding) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil && len(dirs) > 0 {
		out = append(out, unknown("machine", "file systems", err))
	}
	mounts := parseMounts(string(text))
	byDevice := map[uint64][]string{}
	for _, dir := range dirs {
		path, err := filepath.Abs(dir)
		if err == nil {
			path, err = filepath.EvalSymlinks(path)
		}
		var st unix.Stat_t
		var fs unix.Statfs_t
		if err == nil {
			err = unix.Stat(path, &st)
		}
		if err == nil {
			err = unix.Statfs(path, &fs)
		}
		if err != nil {
			out = append(out, Finding{dir, "directory", Warning, err.Error(),
				"make it, on a disk of its own, for the user that runs Cairn"})
			continue
		}
		if m, ok := mountOf(mounts, path); ok {
			out = append(out, judgeMount(dir, m)...)
		}
		unit := uint64(fs.Bsize)
		out = append(out, judgeSpace(dir, space{fs.Blocks * unit, fs.Bavail * unit, fs.Files, fs.Ffree}))
		byDevice[st.Dev] = append(byDevice[st.Dev], dir)
		took, err := trySyncs(path)
		if err != nil {
			out = append(out, Finding{dir, "sync", Warning, err.Error(), "let the user that runs Cairn write there"})
			continue
		}
		out = append(out, judgeSyncs(dir, took))
	}
	return append(out, judgeShared(byDevice)...)
}

// trySyncs writes and syncs a small file some times, and removes it.
func trySyncs(dir string) (took []time.Duration, err error) {
	f, err := os.CreateTemp(dir, ".cairn-doctor-*")
	if err != nil {
		return nil, err
	}
	defer func() {
		_ = f.Close()
		if gone := os.Remove(f.Name()); err == nil && gone != nil {
			err = fmt.Errorf("what was written cannot be removed: %w", gone)
		}
	}()
	block := make([]byte, syncBytes)
	for range syncTries {
		began := time.Now()
		if _, err := f.Write(block); err != nil {
			return nil, err
		}
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			return nil, err
		}
		took = append(took, time.Since(began))
	}
	return took, nil
}

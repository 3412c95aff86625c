// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"bufio"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// FindHolder returns a process that has a lock on a file, by preference one that is stopped. ok is
// false if none is known: it may run in another container, or the file system may be a network's.
func FindHolder(file fs.FileInfo) (h Holder, ok bool) {
	stat, isStat := file.Sys().(*syscall.Stat_t)
	if !isStat {
		return h, false
	}
	dev := uint64(stat.Dev)
	place := fmt.Sprintf("%02x:%02x:%d", unix.Major(dev), unix.Minor(dev), stat.Ino)
	return findHolder("/proc", place)
}

// findHolder finds a holder of the lock at a place, in the files of a directory like /proc.
func findHolder(proc, place string) (h Holder, ok bool) {
	locks, err := os.Open(filepath.Join(proc, "locks"))
	if err != nil {
		return h, false
	}
	defer locks.Close()
	// 1: FLOCK  ADVISORY  WRITE 4711 fe:00:9978007 0 EOF
	for lines := bufio.NewScanner(locks); lines.Scan() && !h.Stopped; {
		fields := strings.Fields(lines.Text())
		if len(fields) < 6 || fields[1] != "FLOCK" || fields[5] != place { // a process that waits has "->" there
			continue
		}
		if pid, err := strconv.Atoi(fields[4]); err == nil && pid > 0 {
			h, ok = describeHolder(proc, pid), true
		}
	}
	return h, ok
}

// describeHolder reads the name and the state of a process. Its stat file has "4711 (name) S ...".
func describeHolder(proc string, pid int) Holder {
	h := Holder{PID: pid}
	data, err := os.ReadFile(filepath.Join(proc, strconv.Itoa(pid), "stat"))
	if err != nil {
		return h
	}
	text := string(data)
	begin, end := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	if begin < 0 || end < begin {
		return h
	}
	h.Program = text[begin+1 : end]
	state := strings.TrimSpace(text[end+1:])
	h.Stopped = strings.HasPrefix(state, "T") || strings.HasPrefix(state, "t")
	return h
}

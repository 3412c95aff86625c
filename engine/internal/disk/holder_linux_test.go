// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestFindHolderAmongOthers looks for the holder of a lock in what Linux tells about locks and
// processes.
func TestFindHolderAmongOthers(t *testing.T) {
	const place = "fe:00:77"
	proc := t.TempDir()
	for pid, stat := range map[string]string{
		"11": "11 (runs) S 1 1", "12": "12 (is stopped) T 1 1", "13": "13 (a (debugged) one) t 1 1",
		"14": "14 ) no name ( S", "15": "", "16": "16 (T) S 1 1", "17": "17 () T 1 1", "18": "(x)T",
	} {
		err := errors.Join(os.Mkdir(filepath.Join(proc, pid), 0o700),
			os.WriteFile(filepath.Join(proc, pid, "stat"), []byte(stat), 0o600))
		if err != nil {
			t.Fatal(err)
		}
	}
	has := func(pid, place string) string { return "1: FLOCK  ADVISORY  WRITE " + pid + " " + place + " 0 EOF" }
	for _, test := range []struct {
		name  string
		locks []string
		want  Holder
	}{
		{"nobody", nil, Holder{}},
		{"one that runs", []string{has("11", place)}, Holder{PID: 11, Program: "runs"}},
		{"after others", []string{has("12", "fe:00:78"), "short line", has("11", place), has("12", "fe:01:77")},
			Holder{PID: 11, Program: "runs"}},
		{"a line that ends early", []string{"1: FLOCK ADVISORY WRITE 11"}, Holder{}},
		{"a line that ends with the place", []string{"1: FLOCK ADVISORY WRITE 11 " + place},
			Holder{PID: 11, Program: "runs"}},
		{"one that waits", []string{"1: -> FLOCK  ADVISORY  WRITE 11 " + place + " 0 EOF"}, Holder{}},
		{"another kind of lock", []string{"1: POSIX  ADVISORY  WRITE 11 " + place + " 0 EOF"}, Holder{}},
		{"one in another container", []string{has("0", place)}, Holder{}},
		{"one without a number", []string{has("x", place)}, Holder{}},
		{"one that another container hides, and one that runs", []string{has("0", place), has("11", place)},
			Holder{PID: 11, Program: "runs"}},
		{"one that is stopped, before one that runs", []string{has("12", place), has("11", place)},
			Holder{PID: 12, Program: "is stopped", Stopped: true}},
		{"one that is stopped, after one that runs", []string{has("11", place), has("13", place)},
			Holder{PID: 13, Program: "a (debugged) one", Stopped: true}},
		{"one that has ended", []string{has("99", place)}, Holder{PID: 99}},
		{"one without a description", []string{has("15", place)}, Holder{PID: 15}},
		{"one with a senseless description", []string{has("14", place)}, Holder{PID: 14}},
		{"one with the name of a state", []string{has("16", place)}, Holder{PID: 16, Program: "T"}},
		{"one without a name", []string{has("17", place)}, Holder{PID: 17, Stopped: true}},
		{"one whose description begins with the name", []string{has("18", place)},
			Holder{PID: 18, Program: "x", Stopped: true}},
	} {
		text := strings.Join(append(test.locks, ""), "\n")
		if err := os.WriteFile(filepath.Join(proc, "locks"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, ok := findHolder(proc, place); got != test.want || ok != (test.want.PID > 0) {
			t.Errorf("%s: got %+v, %t; want %+v", test.name, got, ok, test.want)
		}
	}
	if err := os.Remove(filepath.Join(proc, "locks")); err != nil {
		t.Fatal(err)
	}
	if got, ok := findHolder(proc, place); got != (Holder{}) || ok {
		t.Errorf("without a list of locks: got %+v, %t; want none", got, ok)
	}
}

// otherInfo is what a file system that is not the operating system's tells about a file.
type otherInfo struct{ fs.FileInfo }

func (otherInfo) Sys() any { return nil }

// TestFindHolder looks for the holder of a lock that this process has.
func TestFindHolder(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if h, ok := FindHolder(info); ok {
		t.Errorf("nobody has the lock: got %+v", h)
	}
	if !TryLock(file, OfTree) {
		t.Fatal("the file cannot be locked")
	}
	if h, ok := FindHolder(otherInfo{info}); ok {
		t.Errorf("a file of another kind: got %+v", h)
	}
	locks, err := os.ReadFile("/proc/locks")
	if err != nil || !strings.Contains(string(locks), " "+strconv.Itoa(os.Getpid())+" ") {
		t.Skipf("/proc/locks does not tell the locks of this process: %v", err)
	}
	if h, ok := FindHolder(info); !ok || h.PID != os.Getpid() || h.Program == "" || h.Stopped {
		t.Errorf("got %+v, %t; want this process, %d", h, ok, os.Getpid())
	}
}

// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/proof/testenv"
)

// openDirEnv makes the test binary open a directory and do nothing more, for reading only if
// openReadOnlyEnv is set, and beside a writer if openBesideEnv is.
const (
	openDirEnv      = "DAYBOOK_TEST_OPEN_DIR"
	openReadOnlyEnv = "DAYBOOK_TEST_OPEN_READ_ONLY"
	openBesideEnv   = "DAYBOOK_TEST_OPEN_BESIDE"
)

func init() {
	dir := os.Getenv(openDirEnv)
	if dir == "" {
		return
	}
	opts := &Options{ReadOnly: os.Getenv(openReadOnlyEnv) != "", BesideWriter: os.Getenv(openBesideEnv) != "",
		Logger: discard}
	if _, err := Open(dir, opts); err != nil {
		println(err.Error())
		os.Exit(1)
	}
	os.Stdout.WriteString("open\n")
	time.Sleep(time.Hour)
}

// TestLockedNamesTheProcess opens a directory that a process has open, which goes on or is stopped.
// The error must name that process, and say what to do. A reader that goes on gives way.
func TestLockedNamesTheProcess(t *testing.T) {
	type lockedTest struct {
		name              string
		readOnly, stopped bool
		want              string
	}
	tests := []lockedTest{
		{"a writer", false, false, ", which has it open"},
		{"a writer that is stopped", false, true, "kill -CONT "},
	}
	if testenv.Long() { // Open waits three seconds for a reader
		tests = append(tests, lockedTest{"a reader that is stopped", true, true, "kill -CONT "})
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := testenv.TempDir(t)
			mustClose(t, mustOpen(t, dir, nil))
			child := openInChild(t, dir, test.readOnly)
			if test.stopped {
				stop(t, child)
			}
			db, err := Open(dir, &Options{LockTimeout: -1})
			if err == nil {
				mustClose(t, db)
			}
			var locked *daybook.LockedError
			if !errors.As(err, &locked) || !errors.Is(err, daybook.ErrLocked) {
				t.Fatalf("got %v; want a *LockedError", err)
			}
			text := err.Error()
			isNamed := locked.PID == child.Pid && strings.Contains(text, strconv.Itoa(child.Pid))
			isRight := locked.Program != "" && locked.Stopped == test.stopped && strings.Contains(text, test.want)
			if !isNamed || !isRight {
				t.Errorf("got %v, %+v; want process %d, and %q", err, locked, child.Pid, test.want)
			}
		})
	}
}

// TestLockedByThisProcess opens a directory twice. The error must not ask to close the process that
// reads it.
func TestLockedByThisProcess(t *testing.T) {
	dir := testenv.TempDir(t)
	mustOpen(t, dir, nil)
	_, err := Open(dir, &Options{LockTimeout: -1})
	var locked *daybook.LockedError
	if !errors.As(err, &locked) || locked.PID != os.Getpid() || !strings.Contains(err.Error(), "this process") {
		t.Errorf("got %v; want a *LockedError that says that this process has it open", err)
	}
}

// TestStoppedReaderBesideAWriter stops a process that reads beside a writer. The writer goes on,
// and closes the directory and opens it again, without waiting for it.
func TestStoppedReaderBesideAWriter(t *testing.T) {
	dir := testenv.DirInMemory(t)
	t.Setenv(openBesideEnv, "1")
	writer := mustOpen(t, dir, nil)
	storeMany(t, writer, 0, 200)
	stop(t, openInChild(t, dir, true))
	begin := time.Now()
	for _, err := range []error{writer.Checkpoint(ctx), writer.Compact(ctx), writer.Close()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	writer, err := Open(dir, &Options{LockTimeout: -1})
	if err != nil {
		t.Fatalf("Open beside a reader that is stopped: %v", err)
	}
	t.Cleanup(func() { mustClose(t, writer) })
	storeMany(t, writer, 200, 400)
	if _, err := writer.Cleanup(ctx, 300); err != nil {
		t.Error(err)
	}
	if err := writer.Compact(ctx); err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took > maxReaderWaitOfTest {
		t.Errorf("the writer took %v beside a reader that is stopped", took)
	}
}

// maxReaderWaitOfTest is less than the time for which a writer waits for readers with the lock.
const maxReaderWaitOfTest = 2500 * time.Millisecond

// openInChild opens a directory in a process that is killed at the end of the test.
func openInChild(t *testing.T, dir string, readOnly bool) *os.Process {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), openDirEnv+"="+dir)
	if readOnly {
		child.Env = append(child.Env, openReadOnlyEnv+"=1")
	}
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = child.Process.Kill()
		_ = child.Wait()
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatalf("the child says %q: %v", line, err)
	}
	return child.Process
}

// stop stops a process, and waits until it is.
func stop(t *testing.T, process *os.Process) {
	t.Helper()
	if err := process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(process.Pid) + "/stat")
		if err == nil && strings.Contains(string(stat), ") T ") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the process does not stop: %.60s, %v", stat, err)
		}
	}
}

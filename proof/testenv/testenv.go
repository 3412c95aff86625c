// SPDX-License-Identifier: Apache-2.0

// Package testenv has what the tests of several packages share: the flag -long, and directories in
// memory. Only tests import it.
//
// By default a test repeats its random part a few times, and keeps its files in memory where a disk
// adds nothing but the time of its syncs. With -long it repeats more often, and all files are on
// the disk:
//
//	go test ./engine -long
//
// The flag exists only in the packages whose tests import this one. Go refuses it for the others,
// so it cannot be combined with ./... of the whole module.
package testenv

import (
	"flag"
	"os"
	"testing"
	"time"
)

var long = flag.Bool("long", false, "more repetitions of the random tests, and all files on the disk under TMPDIR")

// Long reports whether the flag -long is set.
func Long() bool { return *long }

// TempDir is DirInMemory by default, and t.TempDir with -long. It suits a test that passes on any
// file system, and that would spend most of its time in the syncs of a disk.
func TempDir(t testing.TB) string {
	t.Helper()
	if Long() {
		return t.TempDir()
	}
	return DirInMemory(t)
}

// DirInMemory returns an empty directory that is removed when the test ends. It is on a file system
// in memory, where a sync takes no time, if the machine has one with enough room. Otherwise it is
// t.TempDir.
func DirInMemory(t testing.TB) string {
	t.Helper()
	if !roomInMemory() {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp(memory, "daybook-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("removing a temporary directory: %v", err)
		}
	})
	return dir
}

// EndsWithin calls fn, and fails the test if it takes longer than the limit. fn must not call
// FailNow or Fatal. It is for calls that an error in the code would make endless: otherwise they
// would show as a test run that ends after ten minutes.
func EndsWithin(t testing.TB, limit time.Duration, fn func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		fn()
	}()
	select {
	case <-done:
	case <-time.After(limit):
		t.Fatalf("it has not ended after %v", limit)
	}
}

// Symlink makes a symbolic link. It skips the test on a system that makes none. Wine says that it
// has made one, and then has no such file.
func Symlink(t testing.TB, target, path string) {
	t.Helper()
	err := os.Symlink(target, path)
	if err == nil {
		_, err = os.Readlink(path)
	}
	if err != nil {
		t.Skipf("no symbolic link can be made here: %v", err)
	}
}

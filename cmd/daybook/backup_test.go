// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBackupAndRestore(t *testing.T) {
	dir := filledDir(t, awkwardValues()...)
	want := stored(t, dir)
	file := filepath.Join(t.TempDir(), "history.daybook")
	if out := mustRun(t, "", "backup", file, "--dir", dir); !strings.HasPrefix(out, "3,005 values of 4 records in ") {
		t.Errorf("backup printed %q", out)
	}
	restored := newDir(t)
	out := mustRun(t, "", "restore", file, "--dir", restored)
	if out != "restored 3,005 values of 4 records into "+restored+"\n" {
		t.Errorf("restore printed %q", out)
	}
	if diff := cmp.Diff(want, stored(t, restored)); diff != "" {
		t.Errorf("restored values (-want +got):\n%s", diff)
	}
	piped := newDir(t)
	mustRun(t, mustRun(t, "", "backup", "-", "--dir", dir), "restore", "-", "--dir", piped)
	if diff := cmp.Diff(want, stored(t, piped)); diff != "" {
		t.Errorf("piped values (-want +got):\n%s", diff)
	}
	if parts, _ := filepath.Glob(filepath.Join(filepath.Dir(file), "*.part")); len(parts) > 0 {
		t.Errorf("the backup left %q", parts)
	}
}

func TestBackupAndRestoreRefuse(t *testing.T) {
	dir := filledDir(t, awkwardValues()...)
	file := filepath.Join(t.TempDir(), "history.daybook")
	mustRun(t, "", "backup", file, "--dir", dir)
	restored := newDir(t)
	mustRun(t, "", "restore", file, "--dir", restored)
	before := stored(t, restored)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	altered := bytes.Clone(whole)
	altered[len(altered)/2] ^= 1
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"a backup that is cut off",
			[]string{"restore", writeFile(t, "cut", string(whole[:len(whole)-100])), "--dir", newDir(t)}, "cut off"},
		{"a backup that was altered",
			[]string{"restore", writeFile(t, "altered", string(altered)), "--dir", newDir(t)}, "has been altered"},
		{"a directory that is not empty", []string{"restore", file, "--dir", restored}, "is not empty"},
		{"a file that exists", []string{"backup", file, "--dir", dir}, "exists already"},
		{"a backup that does not exist", []string{"restore", file + "x", "--dir", newDir(t)}, syscall.ENOENT.Error()},
		{"a directory without a daybook", []string{"backup", file + "x", "--dir", newDir(t)}, "there is no daybook"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := run(t, "", test.args...)
			if got.status != statusFailed || got.out != "" || strings.Count(got.err, "\n") != 1 ||
				!strings.Contains(got.err, test.want) {
				t.Errorf("status %d, stdout %q, stderr %q; want %q", got.status, got.out, got.err, test.want)
			}
			if dir := test.args[len(test.args)-1]; dir != restored && test.args[0] == "restore" {
				if _, err := os.Stat(dir); !os.IsNotExist(err) {
					t.Errorf("the directory exists: %v", err)
				}
			}
		})
	}
	if diff := cmp.Diff(before, stored(t, restored)); diff != "" {
		t.Errorf("restored values (-before +after):\n%s", diff)
	}
	if parts, _ := filepath.Glob(filepath.Join(filepath.Dir(file), "*.part")); len(parts) > 0 {
		t.Errorf("the backups left %q", parts)
	}
}

// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestModesOfNewFiles wants that the umask decides who reads an export, which is for other
// programs, and that no umask opens a backup to others.
func TestModesOfNewFiles(t *testing.T) {
	dir := filledDir(t, someValues()...)
	tests := []struct {
		name, umask string
		args        []string
		want        fs.FileMode
	}{
		{"an export for all", "022", []string{"export", "*", "new.csv"}, 0o644},
		{"an export in Parquet for a group", "007", []string{"export", "*", "new.parquet"}, 0o660},
		{"an export for its owner", "077", []string{"export", "*", "new.ndjson"}, 0o600},
		{"a backup", "000", []string{"backup", "new.daybook"}, 0o600},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			out := t.TempDir()
			command := exec.Command("/bin/sh", append([]string{"-c", `umask "$0"; exec "$@"`, test.umask,
				os.Args[0], "--dir", dir}, test.args...)...)
			command.Dir = out
			command.Env = append(os.Environ(), "DAYBOOK_TEST_COMMAND=1")
			if output, err := command.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, output)
			}
			files, err := filepath.Glob(filepath.Join(out, "new.*"))
			if err != nil || len(files) != 1 {
				t.Fatalf("%q: %v; want one file", files, err)
			}
			info, err := os.Stat(files[0])
			if err != nil {
				t.Fatal(err)
			}
			if got := info.Mode().Perm(); got != test.want {
				t.Errorf("mode %04o; want %04o", got, test.want)
			}
		})
	}
}

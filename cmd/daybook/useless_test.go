// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestUselessFlags gives flags together of which one would have no effect. The error names both,
// and nothing is done.
func TestUselessFlags(t *testing.T) {
	dir := filledDir(t, someValues()...)
	rules := writeFile(t, "rules.yaml", "max_age: 1d\n")
	for _, args := range [][]string{
		{"holds", "--release", "x", "--json"},
		{"quarantine", "--remove", "x", "--json"},
		{"tail", "*", "--after", "0", "-n", "5"},
		{"retain", "--rules", rules, "--once", "--interval", "1h"},
		{"prune", "*", "--max-per-record", "1", "--keep-newest", "1"},
		{"prune", "*", "--newer-than", "0s", "--keep-newest", "1"},
		{"prune", "*", "--newer-than", "1970-01-01T00:00:00Z", "--older-than", "1d", "--keep-newest", "1"},
	} {
		got := run(t, "", append(args, "--dir", dir)...)
		if got.status != statusUsage || got.out != "" || strings.Count(got.err, "--") < 2 {
			t.Errorf("%q: status %d, stdout %q, stderr %q; want an error that names both flags",
				args, got.status, got.out, got.err)
		}
	}
	if got := stored(t, dir); len(got) != len(someValues()) {
		t.Errorf("%d values are there; want %d", len(got), len(someValues()))
	}
}

// TestNoFileInsideTheDaybook names files in the daybook's own directory, in several ways.
func TestNoFileInsideTheDaybook(t *testing.T) {
	dir := filledDir(t, someValues()...)
	link := filepath.Join(t.TempDir(), "link")
	err := os.Symlink(dir, link)
	if err == nil {
		_, err = os.ReadDir(link)
	}
	if err != nil {
		t.Logf("no symbolic link: %v", err) // on Windows only an administrator may make one
		link = dir
	}
	if err := os.Mkdir(filepath.Join(dir, "below"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.Dir(dir))
	before, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{
		filepath.Join(dir, "x.csv"), filepath.Join(dir, "wal", "x.csv"), filepath.Join(dir, "below", "x.csv"),
		filepath.Join(link, "x.csv"), filepath.Join(filepath.Base(dir), "x.csv"), "./below/../history/x.csv",
		filepath.Join(dir, "below", "..", "x.csv"),
	} {
		for _, args := range [][]string{{"backup", file, "--dir", dir}, {"export", "*", file, "--dir", link}} {
			got := run(t, "", args...)
			isRefused := got.status == statusUsage && strings.Contains(got.err, "the directory of the daybook itself")
			if _, err := os.Stat(filepath.Dir(file)); err == nil && !isRefused {
				t.Errorf("%q: status %d, stderr %q; want it refused", args, got.status, got.err)
			}
		}
	}
	if after, err := os.ReadDir(dir); err != nil || len(after) != len(before) {
		t.Errorf("the directory has %d entries, %v; want %d", len(after), err, len(before))
	}
	mustRun(t, "", "backup", filepath.Join(filepath.Dir(dir), "beside"), "--dir", dir)
}

// TestTailStepsOverDamage prints what is whole before and after a damaged chunk.
func TestTailStepsOverDamage(t *testing.T) {
	dir := damagedDir(t, someValues()...)
	got := run(t, "", "tail", "*", "--after", "0", "--format", "csv", "--dir", dir)
	if got.status != statusFailed || strings.Count(got.out, "\n") != 4 || !strings.Contains(got.out, "b,0,") {
		t.Errorf("status %d, stdout %q; want a failure, and the three values that can be read", got.status, got.out)
	}
	wantParts(t, got.err, `record "a.two" from `, "going on after them", "reached ", "1 damaged range was left out")
	if lines := strings.Split(strings.TrimSpace(got.err), "\n"); len(lines) != 3 {
		t.Errorf("stderr has the lines %q; want one for the range, the place, and the failure", lines)
	}
}

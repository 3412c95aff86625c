// SPDX-License-Identifier: Apache-2.0

package peers_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/perf/benchfmt"
)

var before = flag.String("before", "", "commit whose engine takes part in BenchmarkShapes as daybook-before")

// child runs one heat of the row in a process of its own, and returns the figures that it prints.
// A child of another commit must have made the same history, or the figures could not be compared.
func (r row) child(b *testing.B, binary, entrant string) figures {
	b.Helper()
	dir, remove := temporary(b)
	defer remove()
	args := []string{
		"-test.run", "^$", "-test.bench", "^BenchmarkShapes$/^row=" + r.name + "$", "-test.benchtime", "1x",
		"-test.timeout", "0", "-rounds", "1", "-peers", entrant, "-inprocess",
		fmt.Sprintf("-test.short=%v", testing.Short()),
	}
	command := exec.Command(binary, args...)
	command.Dir, command.Env = dir, append(os.Environ(), "TMPDIR="+dir)
	out, err := command.CombinedOutput()
	if err != nil {
		b.Fatalf("%s %s: %v\n%s", binary, strings.Join(args, " "), err, out)
	}
	measured, err := heatFigures(out, entrant)
	if err != nil {
		b.Fatalf("%s %s: %v\n%s", binary, strings.Join(args, " "), err, out)
	}
	if made, ok := measured["ingest values"]; ok {
		want := expect(r.History)
		raw := fmt.Sprintf("%.4g", float64(want.raw)/float64(want.values))
		if got := fmt.Sprintf("%.4g", measured["ingest raw-B/value"]); int(made) != want.values || got != raw {
			b.Fatalf("%s has made %.0f values of %s bytes; want %d of %s: its race is another",
				binary, made, got, want.values, raw)
		}
	}
	return measured
}

// heatFigures reads the output of a child, in which each work is a benchmark.
func heatFigures(out []byte, entrant string) (figures, error) {
	measured := figures{}
	reader := benchfmt.NewReader(bytes.NewReader(out), "child")
	for reader.Scan() {
		result, ok := reader.Result().(*benchfmt.Result)
		if !ok {
			continue
		}
		parameters := map[string]string{}
		_, parts := result.Name.Parts()
		for _, part := range parts {
			key, value, _ := strings.Cut(strings.TrimPrefix(string(part), "/"), "=")
			parameters[key] = value
		}
		if parameters["peer"] != entrant {
			return nil, fmt.Errorf("%s is not of %s", result.Name, entrant)
		}
		for _, v := range result.Values {
			value, unit := v.Value, v.Unit
			if v.OrigUnit != "" {
				value, unit = v.OrigValue, v.OrigUnit
			}
			measured[parameters["work"]+" "+unit] = value
		}
	}
	if err := reader.Err(); err != nil {
		return nil, err
	}
	if len(measured) == 0 {
		return nil, errors.New("it printed no figure")
	}
	return measured, nil
}

// ownBinary returns the program that runs.
func ownBinary(b *testing.B) string {
	b.Helper()
	path, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	return path
}

// buildBefore builds the race as it was at the commit of the flag, once. The commit is taken out of
// the repository as an archive, so that its worktrees and its index stay as they are.
var buildBefore = sync.OnceValues(func() (binary string, err error) {
	source, err := os.MkdirTemp("", "before")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(source)
	top, err := exec.Command("git", "rev-parse", "--show-toplevel").Output()
	if err != nil {
		return "", fmt.Errorf("the repository of commit %s: %w", *before, err)
	}
	archive := filepath.Join(source, "commit.tar")
	pack := exec.Command("git", "-C", strings.TrimSpace(string(top)), "archive", "-o", archive, *before)
	if out, err := pack.CombinedOutput(); err != nil {
		return "", fmt.Errorf("commit %s: %w: %s", *before, err, out)
	}
	if out, err := exec.Command("tar", "-x", "-f", archive, "-C", source).CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	home, err := os.MkdirTemp("", "before")
	if err != nil {
		return "", err
	}
	beforeHome = home
	binary = filepath.Join(home, "before.test")
	build := exec.Command("go", "test", "-c", "-o", binary, ".")
	build.Dir = filepath.Join(source, "bench", "peers")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the race of commit %s: %w: %s", *before, err, out)
	}
	return binary, nil
})

func beforeBinary(b *testing.B) string {
	b.Helper()
	binary, err := buildBefore()
	if err != nil {
		b.Fatal(err)
	}
	return binary
}

// beforeHome is the directory that buildBefore has made; "" if it has made none.
var beforeHome string

// removeBefore removes what buildBefore has built.
func removeBefore() {
	if beforeHome != "" {
		os.RemoveAll(beforeHome)
	}
}

// TestHeatFigures shows what is read of the output of a child.
func TestHeatFigures(t *testing.T) {
	const lines = "commit: 0123\n" +
		"BenchmarkShapes/row=sparse/work=ingest/peer=sqlite-tuned-2 1 5e4 values/s 12.5 disk-B/value\n" +
		"BenchmarkShapes/row=sparse/work=one/peer=sqlite-tuned-2 1 2000 ns/op\nPASS\n"
	got, err := heatFigures([]byte(lines), "sqlite-tuned")
	want := figures{"ingest values/s": 5e4, "ingest disk-B/value": 12.5, "one ns/op": 2000}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for _, tt := range []struct{ out, entrant, reason string }{
		{lines, "sqlite", "the figures are of another entrant"},
		{"PASS\n", "sqlite", "nothing was measured"},
	} {
		if got, err := heatFigures([]byte(tt.out), tt.entrant); err == nil {
			t.Errorf("%s: got %v", tt.reason, got)
		}
	}
}

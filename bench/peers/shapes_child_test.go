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
func (r row) child(b *testing.B, binary, entrant string, want func() expectation) figures {
	b.Helper()
	measured, err := r.inChild(b, binary, entrant, want)
	if err != nil {
		b.Fatal(err)
	}
	return measured
}

// childBefore runs the heat of an earlier commit. A row that the commit did not have yet has no
// figures.
func (r row) childBefore(b *testing.B, binary string, want func() expectation) figures {
	b.Helper()
	measured, err := r.inChild(b, binary, daybookPeer.Name, want)
	if err != nil && !errors.Is(err, errNoFigure) {
		b.Fatal(err)
	}
	return measured
}

func (r row) inChild(b *testing.B, binary, entrant string, want func() expectation) (figures, error) {
	b.Helper()
	dir, remove := temporary(b)
	defer remove()
	command := exec.Command(binary,
		"-test.run", "^$", "-test.bench", "^BenchmarkShapes$/^row="+r.name+"$", "-test.benchtime", "1x",
		"-test.timeout", "0", fmt.Sprintf("-test.short=%v", testing.Short()),
		"-rounds", "1", "-peers", entrant, "-inprocess")
	command.Dir, command.Env = dir, append(os.Environ(), "TMPDIR="+dir)
	out, err := command.CombinedOutput()
	var measured figures
	if err == nil {
		measured, err = heatFigures(out, entrant)
	}
	if err == nil {
		err = want().sameHistory(measured)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", command, err, out)
	}
	return measured, nil
}

// sameHistory returns an error if a store was measured with another history: an earlier commit may
// have other rows. A limit does not say what it was measured with.
func (want expectation) sameHistory(measured figures) error {
	values, ok := measured["ingest values"]
	if !ok {
		return nil
	}
	got := fmt.Sprintf("%.0f values of %.4g bytes", values, measured["ingest raw-B/value"])
	length := float64(want.raw) / float64(want.values)
	if want := fmt.Sprintf("%d values of %.4g bytes", want.values, length); got != want {
		return fmt.Errorf("it has stored %s; want %s: its race is another", got, want)
	}
	return nil
}

// errNoFigure is returned for a child that measured nothing, because it does not have the row.
var errNoFigure = errors.New("it printed no figure")

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
		return nil, errNoFigure
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

// buildBefore builds the race as it was at the commit of the flag, once.
var buildBefore = sync.OnceValues(func() (binary string, err error) {
	source, err := os.MkdirTemp("", "before")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(source)
	if err := exportCommit(*before, source); err != nil {
		return "", fmt.Errorf("commit %s: %w", *before, err)
	}
	if beforeHome, err = os.MkdirTemp("", "before"); err != nil {
		return "", err
	}
	binary = filepath.Join(beforeHome, "before.test")
	build := exec.Command("go", "test", "-c", "-o", binary, ".")
	build.Dir = filepath.Join(source, "bench", "peers")
	if err := runQuietly(build); err != nil {
		return "", fmt.Errorf("building the race of commit %s: %w", *before, err)
	}
	return binary, nil
})

// exportCommit writes the files of a commit to dir. It takes an archive, so that the repository's
// worktrees and index stay as they are.
func exportCommit(commit, dir string) error {
	top, err := exec.Command("git", "rev-parse", "--show-toplevel").Output()
	if err != nil {
		return fmt.Errorf("no repository: %w", err)
	}
	archive := filepath.Join(dir, "commit.tar")
	pack := exec.Command("git", "-C", strings.TrimSpace(string(top)), "archive", "-o", archive, commit)
	if err := runQuietly(pack); err != nil {
		return err
	}
	return runQuietly(exec.Command("tar", "-x", "-f", archive, "-C", dir))
}

// runQuietly returns an error with the output of a command that fails.
func runQuietly(command *exec.Cmd) error {
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

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
	for _, tt := range []struct {
		out, entrant string
		none         bool // whether errNoFigure is wanted
		reason       string
	}{
		{lines, "sqlite", false, "the figures are of another entrant"},
		{"PASS\n", "sqlite", true, "nothing was measured"},
	} {
		got, err := heatFigures([]byte(tt.out), tt.entrant)
		if err == nil || errors.Is(err, errNoFigure) != tt.none {
			t.Errorf("%s: got %v, %v", tt.reason, got, err)
		}
	}
}

// TestSameHistory shows that figures of another history are refused.
func TestSameHistory(t *testing.T) {
	want := expectation{values: 1000, raw: 222_140}
	for _, tt := range []struct {
		measured figures
		same     bool
		reason   string
	}{
		{figures{"ingest values": 1000, "ingest raw-B/value": 222.1}, true, "as a benchmark prints it"},
		{figures{"ingest values": 1000, "ingest raw-B/value": 220.9}, false, "other values"},
		{figures{"ingest values": 2000, "ingest raw-B/value": 222.1}, false, "more values"},
		{figures{"scan values/s": 5}, true, "a limit"},
	} {
		if err := want.sameHistory(tt.measured); (err == nil) != tt.same {
			t.Errorf("%s: got %v", tt.reason, err)
		}
	}
}

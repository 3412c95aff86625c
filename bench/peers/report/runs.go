// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/perf/benchfmt"
)

// measure names a figure that every entrant may have.
type measure struct {
	benchmark string // its name without Benchmark, peer and number of processors, such as Latest/n=1
	unit      string // as the benchmark reports it, such as ns/op
}

// key names the figure of one entrant.
type key struct {
	measure
	peer string
}

// run is the content of one file.
type run struct {
	file    string            // base name
	config  map[string]string // the lines `key: value`
	figures map[key]float64
}

// runs are in the order of the command line.
type runs []run

func readRuns(paths []string) (runs, error) {
	var all runs
	for _, path := range paths {
		r, err := readRunFile(path)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}

func readRunFile(path string) (run, error) {
	f, err := os.Open(path)
	if err != nil {
		return run{}, err
	}
	defer f.Close()
	return readRun(f, filepath.Base(path))
}

// readRun reads the output of go test, or the outputs of several, one after another, which are the
// parts of one run. Several lines of one benchmark, as with -count, become their median. A line
// that begins like a benchmark's and cannot be read is an error, because its figure would be
// missing without notice.
func readRun(in io.Reader, file string) (run, error) {
	r := run{file: file, config: map[string]string{}, figures: map[key]float64{}}
	lines := map[key][]float64{}
	text, err := io.ReadAll(in)
	if err != nil {
		return run{}, err
	}
	if line := failedLine(text); line != "" {
		return run{}, fmt.Errorf("%s: a benchmark failed (%q), so its figures may be of work that was not done",
			file, line)
	}
	reader := benchfmt.NewReader(bytes.NewReader(text), file)
	for reader.Scan() {
		switch record := reader.Result().(type) {
		case *benchfmt.SyntaxError:
			return run{}, record
		case *benchfmt.Result:
			if err := r.add(record, lines); err != nil {
				return run{}, fmt.Errorf("%s: %w", file, err)
			}
		}
	}
	if err := reader.Err(); err != nil {
		return run{}, err
	}
	if len(lines) == 0 {
		return run{}, fmt.Errorf("%s: no benchmark line", file)
	}
	for k, values := range lines {
		r.figures[k] = median(values)
	}
	return r, nil
}

// failedLine returns the first line of go test that says that something failed; "" if none does.
func failedLine(text []byte) string {
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "FAIL") || strings.HasPrefix(line, "--- FAIL") || strings.HasPrefix(line, "panic:") {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

// add adds the figures of a line to lines, and its configuration to r. It copies everything,
// because the reader reuses the memory of result.
func (r *run) add(result *benchfmt.Result, lines map[key][]float64) error {
	for _, c := range result.Config {
		got, had := string(c.Value), r.config[c.Key]
		if had != "" && got != had && slices.Contains(agreedKeys, c.Key) {
			return fmt.Errorf("%s is %q, and %q before: these are parts of two runs", c.Key, got, had)
		}
		r.config[c.Key] = got
	}
	benchmark, peer, err := splitPeer(result.Name)
	if err != nil {
		return err
	}
	for _, v := range result.Values {
		value, unit := v.Value, v.Unit
		if v.OrigUnit != "" {
			value, unit = v.OrigValue, v.OrigUnit
		}
		k := key{measure{benchmark, unit}, peer}
		lines[k] = append(lines[k], value)
	}
	return nil
}

// splitPeer splits the name of a benchmark into the peer and the rest, without the number of
// processors that Go adds.
func splitPeer(name benchfmt.Name) (benchmark, peer string, err error) {
	base, parts := name.Parts()
	var b strings.Builder
	b.Write(base)
	for _, part := range parts {
		switch value, isPeer := strings.CutPrefix(string(part), "/peer="); {
		case isPeer:
			peer = value
		case part[0] == '/':
			b.Write(part)
		}
	}
	if peer != "" && !slices.ContainsFunc(entrants, func(e entrant) bool { return e.name == peer }) {
		return "", "", fmt.Errorf("Benchmark%s: unknown peer %q", name, peer)
	}
	return b.String(), peer, nil
}

// kind says which of four sets a benchmark belongs to.
type kind string

const (
	theRace   kind = "race"
	theShapes kind = "shapes"
	theGrowth kind = "growth"
	theSoak   kind = "soak"
)

func kindOf(benchmark string) kind {
	switch {
	case strings.HasPrefix(benchmark, "Shapes/"), benchmark == scanBeside, benchmark == watchers:
		return theShapes
	case strings.HasPrefix(benchmark, "Growth/"):
		return theGrowth
	case strings.HasPrefix(benchmark, "Soak/"):
		return theSoak
	}
	return theRace
}

// of returns the runs that have benchmarks of one of the kinds.
func (all runs) of(wanted ...kind) (some runs) {
	for _, r := range all {
		for k := range r.figures {
			if slices.Contains(wanted, kindOf(k.benchmark)) {
				some = append(some, r)
				break
			}
		}
	}
	return some
}

// validate returns an error if there are no runs, or if they are of different machines or versions:
// a median over two machines says nothing about either.
func (all runs) validate(wanted kind) error {
	if len(all) == 0 {
		return errors.New("no file has a benchmark of the " + string(wanted))
	}
	first := all[0]
	for _, r := range all[1:] {
		for _, k := range agreedKeys {
			if got, want := r.config[k], first.config[k]; got != want {
				return fmt.Errorf("%s: %s is %q, and %q in %s", r.file, k, got, want, first.file)
			}
		}
	}
	return nil
}

// median returns the median of a peer's figures in the runs that have one.
func (all runs) median(m measure, peer string) (figure float64, ok bool) {
	var values []float64
	for _, r := range all {
		if v, ok := r.figures[key{m, peer}]; ok {
			values = append(values, v)
		}
	}
	if len(values) == 0 {
		return 0, false
	}
	return median(values), true
}

// advantage returns how many times better Daybook's figure is than the peer's in the same run, as
// the median of the runs that have both. Figures of different runs are not compared, because a
// machine changes more from run to run than some peers differ.
func (all runs) advantage(w work, peer string) (ratio float64, ok bool) {
	var ratios []float64
	for _, r := range all {
		ours, haveOurs := r.figures[key{w.measure, daybook}]
		theirs, haveTheirs := r.figures[key{w.measure, peer}]
		if !haveOurs || !haveTheirs {
			continue
		}
		if ratio, ok := w.better.ratio(ours, theirs); ok {
			ratios = append(ratios, ratio)
		}
	}
	if len(ratios) == 0 {
		return 0, false
	}
	return median(ratios), true
}

// median returns the median of values, and does not change their order.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	half := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[half]
	}
	return (sorted[half-1] + sorted[half]) / 2
}

// SPDX-License-Identifier: Apache-2.0

// Command report makes tables and charts for people from the output of the race, and judges the
// race by its bars.
//
// The race is the benchmarks of package bench/peers: the same work done by Daybook, by other stores
// and by the limits of the hardware. A run is one output of the race. A bar is a bound that
// Daybook's figure has to meet in every run, such as "at least 1.5x better than sqlite".
//
// The command is run from the root of the repository, with one file for each run. A run that was
// made in parts, such as some rows of the shapes each, is the outputs one after another in a file:
//
//	go run -C bench/peers ./report -bars RUN...
//	go run -C bench/peers ./report -readme ../../README.md -readme ../../docs/benchmarks.md RUN...
//	go run -C bench/peers ./report -chart ../../bench/race.svg RUN...
//	go run -C bench/peers ./report -growth ../../bench/growth.svg GROWTHRUN...
//	go run -C bench/peers ./report -soak ../../bench/soak.svg SOAKRUN...
//
// The files that it writes depend only on the runs, so the same runs give the same files. A file
// that has only growth curves, only a soak, or only the race over the shapes, is not a run of the
// race. With several flags, files of all kinds may be named together. -bars judges the bars of the
// race by its runs, and those of the shapes by runs of BenchmarkShapes.
//
// The exit status is 0 if everything was done and, with -bars, every bar holds; 1 if a bar was
// missed or something failed; and 2 for wrong usage.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

const usage = `usage: go run -C bench/peers ./report FLAG... RUN...

RUN is a file with the output of one go test -bench, or those of the parts of one run, one after
another. At least one flag and one RUN are needed.

`

func main() {
	os.Exit(report(os.Args[1:], os.Stdout, os.Stderr))
}

// report does the work of main, and returns the exit status.
func report(args []string, stdout, stderr io.Writer) int {
	req, err := parseRequest(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	}
	held, err := req.carryOut(stdout)
	if err != nil {
		fmt.Fprintln(stderr, "report:", err)
	}
	if err != nil || !held {
		return 1
	}
	return 0
}

// request is a command line.
type request struct {
	documents           []string // Markdown files whose generated sections are to be replaced
	chart, growth, soak string   // files to write; "": none
	bars                bool
	files               []string
}

var errUsage = errors.New("wrong usage")

// parseRequest reads a command line. Before it returns an error, it writes the reason to stderr.
func parseRequest(args []string, stderr io.Writer) (request, error) {
	var req request
	flags := flag.NewFlagSet("report", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprint(stderr, usage)
		flags.PrintDefaults()
	}
	addDocument := func(path string) error {
		req.documents = append(req.documents, path)
		return nil
	}
	flags.Func("readme", "replace the generated sections of `FILE`, in Markdown; may be repeated", addDocument)
	flags.BoolVar(&req.bars, "bars", false, "print every bar and whether it holds; exit 1 if one does not")
	flags.StringVar(&req.chart, "chart", "", "write the chart of ratios to `FILE`, an SVG")
	flags.StringVar(&req.growth, "growth", "", "write the growth curves to `FILE`, an SVG")
	flags.StringVar(&req.soak, "soak", "", "write the days of the soak to `FILE`, an SVG")
	if err := flags.Parse(args); err != nil {
		return request{}, err
	}
	req.files = flags.Args()
	if len(req.files) == 0 || !req.race() && req.growth == "" && req.soak == "" {
		flags.Usage()
		return request{}, errUsage
	}
	return req, nil
}

// race reports whether the request is about runs of the race or of the shapes.
func (req request) race() bool { return len(req.documents) > 0 || req.chart != "" || req.bars }

// needsRace reports whether the request needs a run of the race. Runs of the shapes have bars of
// their own.
func (req request) needsRace(shapes runs) bool {
	return len(req.documents) > 0 || req.chart != "" || req.bars && len(shapes) == 0
}

// carryOut does what is requested. It reports whether every bar holds, if -bars was given. It
// prints the bars first, so that they are seen even if a file cannot be written.
func (req request) carryOut(stdout io.Writer) (held bool, err error) {
	all, err := readRuns(req.files)
	if err != nil {
		return false, err
	}
	race, shapes, measured := all.of(theRace), all.of(theShapes), all.of(theRace, theShapes)
	growth, soak := all.of(theGrowth), all.of(theSoak)
	for _, part := range []struct {
		wanted bool
		kind
		runs
	}{
		{req.needsRace(shapes), theRace, race}, {req.race() && len(shapes) > 0, theShapes, shapes},
		{req.growth != "", theGrowth, growth}, {req.soak != "", theSoak, soak},
	} {
		if part.wanted {
			if err := part.validate(part.kind); err != nil {
				return false, err
			}
		}
	}
	held = true
	if req.bars {
		held = printAllBars(stdout, measured)
	}
	for _, document := range req.documents {
		err = errors.Join(err, writeDocument(document, measured))
	}
	if err == nil && req.chart != "" {
		err = writeRatios(req.chart, race)
	}
	if err == nil && req.growth != "" {
		err = writeGrowth(req.growth, growth)
	}
	if err == nil && req.soak != "" {
		err = writeSoak(req.soak, soak)
	}
	return held, err
}

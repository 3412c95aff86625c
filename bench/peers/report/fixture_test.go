// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const fixtureMachine = `goos: linux
goarch: amd64
pkg: github.com/daybook-db/daybook/bench/peers
cpu: Example CPU
machine: 2 cores, 24 GiB, ext4 on virtio disk
go: go1.26
`

// parse reads lines as if they were a file of that name.
func parse(t *testing.T, file, lines string) run {
	t.Helper()
	r, err := readRun(strings.NewReader(fixtureMachine+lines), file)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// fullRace returns benchmark lines for all works and bars of the race.
func fullRace(peerFactor float64) string { return full(works, bars, peerFactor) }

// fullShapes returns benchmark lines for all works and bars of the shapes.
func fullShapes(peerFactor float64) string {
	var done []work
	for _, row := range shapeRows {
		for _, w := range shapeWorks {
			done = append(done, workOf(row.name, w.column))
		}
	}
	for _, b := range besideBars {
		done = append(done, b.work)
	}
	return full(done, shapeBars(), peerFactor)
}

// full returns benchmark lines in which Daybook does every work, and each peer of a bar the work of
// the bar. Daybook is peerFactor times better than the peer, or equal if the bar allows the peer to
// be ahead. No bar without a peer is missed.
func full(works []work, bars []bar, peerFactor float64) string {
	var b strings.Builder
	written := map[key]bool{}
	add := func(w work, peer string, figure float64) {
		k := key{w.measure, peer}
		if !written[k] {
			fmt.Fprintf(&b, "Benchmark%s/peer=%s-2\t1\t%g %s\n", w.benchmark, peer, figure, w.unit)
		}
		written[k] = true
	}
	for _, w := range works {
		add(w, daybook, 0.05)
	}
	for _, bar := range bars {
		switch {
		case bar.rule == timesAtMost:
			add(bar.work, bar.peer, 0.05)
		case bar.peer != "" && bar.work.better == less:
			add(bar.work, bar.peer, 0.05*peerFactor)
		case bar.peer != "":
			add(bar.work, bar.peer, 0.05/peerFactor)
		}
	}
	return b.String()
}

func writeFile(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

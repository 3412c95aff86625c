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

// parse reads lines as a file of that name.
func parse(t *testing.T, file, lines string) run {
	t.Helper()
	r, err := readRun(strings.NewReader(fixtureMachine+lines), file)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// fullRace has Daybook in every work, and whom a bar compares it with: Daybook is peerFactor times better than
// each, or level where the bar lets it be behind. No absolute bar is missed.
func fullRace(peerFactor float64) string {
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

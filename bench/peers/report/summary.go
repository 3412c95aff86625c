// SPDX-License-Identifier: Apache-2.0

package main

import "github.com/jedib0t/go-pretty/v6/table"

// summarized are the works of the summary.
var summarized = []work{store, storeParallel, ingest1k, size, latest1, cleanup}

// summary renders one small table: Daybook beside SQLite, which most programs would use, and beside
// the best peer at each work.
func summary(race runs) string {
	t := newTable(table.Row{"", "Daybook", "SQLite", "best peer"})
	for _, w := range summarized {
		row := table.Row{w.title, cell(race, w, entrantNamed(daybook)), cell(race, w, entrantNamed("sqlite")), ""}
		if best, ok := race.bestPeer(w); ok {
			row[len(row)-1] = best.label + " " + cell(race, w, best)
		}
		t.AppendRow(row)
	}
	return t.RenderMarkdown() + "\n"
}

// bestPeer returns the peer with the best figure. An entrant that does not keep JSON is left out,
// because it does less work.
func (all runs) bestPeer(w work) (best entrant, ok bool) {
	var lowest float64
	for _, e := range rivals() {
		ratio, ran := all.advantage(w, e.name)
		if ran && e.kind == keepsJSON && (!ok || ratio < lowest) {
			best, lowest, ok = e, ratio, true
		}
	}
	return best, ok
}

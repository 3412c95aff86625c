// SPDX-License-Identifier: Apache-2.0

// Package peers makes other stores do Daybook's work, so that Daybook can be compared with them:
// SQLite, bbolt, Pebble, Badger and BuntDB keep the same history, and tstorage keeps numbers. The
// package is a module of its own, so that a program that imports Daybook does not depend on them.
//
// A peer that was slow or wrong because of its adapter here would prove nothing. So each peer
// passes package backendtest, has the settings that its own documentation advises, and is durable
// on every Store. The comment on a peer names the promises that it does not keep.
//
// The race is the benchmarks of this package. Each benchmark is one kind of work, a heat is that
// work done once by one entrant, and the entrants are Daybook, its peers and the limits, which are
// no stores. The entrants take turns in one process. The benchmark reports the median of each
// entrant's figures as a sub-benchmark with its name:
//
//	go test -run '^$' -bench . -benchtime 1x -timeout 0    # -rounds 3, all peers
//	go test -run '^$' -bench Ingest -benchtime 1x -peers daybook,pebble
//	go test -run '^$' -bench Shapes -benchtime 1x -timeout 0 -before COMMIT
//	go test -run '^$' -bench Growth -benchtime 1x -timeout 0 -growth
//	go test -run '^$' -bench . -benchtime 1x -short        # small histories, as a check
//
// The race over the shapes, BenchmarkShapes, does all kinds of work on one history after another,
// and each history has values of another shape. With -before an earlier commit of Daybook takes
// part.
//
// With CGO_CFLAGS="-O2 -g -DHAVE_FDATASYNC=1" SQLite syncs with fdatasync, as the others do.
// Command report makes tables and charts of the output, and judges it by the bars: bounds that
// Daybook's figures have to meet.
//
// Package backend/sqlite of the main module keeps the same table in SQLite, but is not used here.
// It checks names and values, and it will change; the race has to measure the same work every year,
// on two drivers, with AimDB's own statements.
package peers

import (
	"io"

	"github.com/daybook-db/daybook"
)

// Store is what a peer has to do in the race: keep the history of named JSON records, durably.
// Store and StoreBatch return when the values are on stable storage, and Cleanup when the deletion
// is. Close moves everything from the peer's log to where it stays, as far as the peer can.
type Store interface {
	daybook.Backend
	daybook.BatchStorer
	daybook.Scanner
	io.Closer
}

// Peer is a store other than Daybook.
type Peer struct {
	Name string
	// Open opens the history in dir, and creates it if there is none.
	Open func(dir string) (Store, error)
}

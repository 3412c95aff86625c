// SPDX-License-Identifier: Apache-2.0

// Package peers does the work that Daybook exists for on what one would pick instead: SQLite in AimDB's design and
// tuned, bbolt, Pebble, Badger, buntdb, and tstorage as far as it goes. It is a module of its own, so that nothing
// of them reaches an importer of Daybook.
//
// Each peer passes package backendtest, is tuned as its own documentation advises, and is durable on every Store: one
// that is slow or wrong because of us proves nothing. What a peer promises less, its comment says.
//
// The race is this package's benchmarks. Each runs one piece of work on Daybook and on all peers, in turns, in one
// process, and reports the median of each as a sub-benchmark named after the peer:
//
//	go test -bench . -benchtime 1x -timeout 0              # -rounds 3, all peers
//	go test -bench Ingest -benchtime 1x -peers daybook,pebble
//	go test -bench Growth -benchtime 1x -timeout 0 -growth
//	go test -bench . -benchtime 1x -short                  # small histories, to see that it runs
//
// With CGO_CFLAGS="-O2 -g -DHAVE_FDATASYNC=1" SQLite syncs with fdatasync, as the others do. Command report makes
// tables and charts of the output.
package peers

import (
	"io"

	"github.com/daybook-db/daybook"
)

// Store is what a peer must do to run the race: keep the history of named JSON records as Daybook does,
// durably. Store and StoreBatch return when the values are on stable storage. Cleanup is durable when it
// returns. Close leaves nothing in a log that the peer can post somewhere better.
type Store interface {
	daybook.Backend
	daybook.BatchStorer
	daybook.Scanner
	io.Closer
}

// Peer is one way to keep a history.
type Peer struct {
	Name string
	// Open opens the history in dir, and makes it where there is none.
	Open func(dir string) (Store, error)
}

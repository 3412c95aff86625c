// SPDX-License-Identifier: Apache-2.0

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

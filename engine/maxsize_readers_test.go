// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/proof/testenv"
)

// TestMaxSizeBesideReaders reads everything again and again, by Scan and by Changes, while
// DropOldest takes several times as many values as fit. No Store is refused.
func TestMaxSizeBesideReaders(t *testing.T) {
	dir := testenv.TempDir(t)
	db := mustOpen(t, dir,
		&Options{Durability: DurabilityOS, MaxSize: MinMaxSize, WhenFull: WhenFullDropOldest, Logger: discard})
	stop := make(chan struct{})
	var reading sync.WaitGroup
	again := func(read func() error) {
		reading.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := read(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	again(func() (err error) {
		for _, err = range db.Scan(ctx, "*", daybook.QueryParams{}) {
		}
		return err
	})
	again(func() (err error) {
		for _, err = range db.Changes(ctx, daybook.ChangesParams{}) {
		}
		return err
	})
	refused, slowest := 0, time.Duration(0)
	stores := uint64(800)
	if testenv.Long() {
		stores = 4000
	}
	for i := range stores {
		started := time.Now()
		if err := db.Store(ctx, fmt.Sprintf("r%d", i%50), json.RawMessage(`"`+digits(24_000)+`"`), i); err != nil {
			if refused++; refused == 1 {
				t.Errorf("store %d: %v", i, err)
			}
		}
		slowest = max(slowest, time.Since(started))
		if size := occupied(t, dir); i%64 == 0 && size > MinMaxSize {
			t.Fatalf("after %d stores the directory has %d bytes", i, size)
		}
	}
	close(stop)
	reading.Wait()
	if refused > 0 {
		t.Errorf("%d stores were refused", refused)
	}
	t.Logf("the slowest Store took %v", slowest)
}

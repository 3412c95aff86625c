// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/proof/testenv"
)

// TestStatsIsOneSnapshot calls Stats while batches are stored and heads are posted. Its numbers
// must agree with one another: nothing is deleted, so each number of values follows from the last
// sequence number.
func TestStatsIsOneSnapshot(t *testing.T) {
	const batch, records, batches = 7, 13, 500 // any two batches have values of every record
	db := mustOpen(t, testenv.TempDir(t), &Options{Durability: DurabilityOS, Tuning: Tuning{HeadSize: 64 << 10}})
	stop := make(chan struct{})
	var writing sync.WaitGroup
	for w := range 2 {
		writing.Go(func() {
			for i := range batches {
				values := make([]daybook.StoredValue, batch)
				for v := range values {
					values[v] = daybook.StoredValue{RecordName: fmt.Sprint("record", ((i+w)*batch+v)%records),
						Value: json.RawMessage(`"` + digits(98) + `"`), StoredAt: uint64(i * (w + 1))}
				}
				if err := db.StoreBatch(ctx, values); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	go func() {
		writing.Wait()
		close(stop)
	}()
	for ended := false; !ended; {
		select {
		case <-stop:
			ended = true
		default:
		}
		s, err := db.Stats(ctx)
		if err != nil {
			t.Fatal(err)
		}
		last := s.LastSequence
		if s.Values != last || s.CommitValues != last || s.ValueBytes != 100*last || last%batch != 0 ||
			s.LastCursor.Sequence != last || s.Watermark > last || s.Commits > last/batch ||
			s.Records != min(last, records) || (last > s.Watermark) != (s.HeadBytes > 0 && s.Values > s.Watermark) ||
			s.DiskBytes != s.TreeBytes+s.LogBytes+db.reserve.size()+db.session.size() || s.TreeUsed > s.TreeBytes {
			t.Fatalf("the numbers are not from one moment: %+v", s)
		}
	}
	if got := db.heads.last(); got != 2*batch*batches {
		t.Errorf("%d values were stored; want %d", got, 2*batch*batches)
	}
}

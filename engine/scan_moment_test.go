// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"encoding/json"
	"fmt"
	"iter"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/backendtest"
	"github.com/daybook-db/daybook/proof/testenv"
)

// The head has several times as many records here as a reader of it looks at in one step.
const momentRecords = 300

// momentRun interleaves scans with other work, in one goroutine, and keeps a model beside the
// engine. Each scan must yield what the model had when the scan began.
type momentRun struct {
	t      *testing.T
	random *rand.Rand
	db     *DB
	model  *backendtest.Memory
	now    uint64
	scans  []*openScan
}

// openScan is a scan that has been begun, and perhaps not ended.
type openScan struct {
	what      string
	got, want []row
	next      func() (daybook.StoredValue, error, bool)
	stop      func()
}

// TestScansShowTheMomentTheyBegan runs operations at random, and prints its seed.
func TestScansShowTheMomentTheyBegan(t *testing.T) {
	rounds := 300
	if testenv.Long() {
		rounds = 10_000
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := &momentRun{t: t, random: rand.New(rand.NewPCG(seed, 0)), now: 1_000_000, model: backendtest.NewMemory()}
	r.db = mustOpen(t, testenv.TempDir(t), &Options{Durability: DurabilityOS})
	for range rounds {
		switch n := r.random.IntN(20); {
		case n < 7:
			r.store()
		case n < 9:
			r.begin()
		case n < 18:
			r.advance(1 + r.random.IntN(400))
		case n < 19:
			r.post()
		default:
			r.cleanup()
		}
		if t.Failed() {
			return
		}
	}
	for len(r.scans) > 0 {
		r.advance(1000)
	}
}

// store stores a batch of new records and old ones, some of its values late.
func (r *momentRun) store() {
	var batch []daybook.StoredValue
	for range 1 + r.random.IntN(60) {
		r.now++
		at, record := r.now, r.random.IntN(momentRecords)
		if r.random.IntN(3) == 0 {
			record = r.random.IntN(3) // of these there are many values
		}
		if r.random.IntN(5) == 0 {
			at -= uint64(r.random.IntN(5000))
		}
		batch = append(batch, daybook.StoredValue{RecordName: fmt.Sprintf("r.%03d.%d", record, record%7),
			Value: json.RawMessage(fmt.Sprint(r.now)), StoredAt: at})
	}
	for _, backend := range []daybook.BatchStorer{r.db, r.model} {
		if err := backend.StoreBatch(ctx, batch); err != nil {
			r.t.Fatal(err)
		}
	}
}

// begin begins a scan, as far as its first value.
func (r *momentRun) begin() {
	patterns := []string{"*", "r.*", "r.0*", "*.3", "r.001.1", "none", "r.?5?.*"}
	pattern := patterns[r.random.IntN(len(patterns))]
	params := daybook.QueryParams{Order: daybook.Order(r.random.IntN(2))}
	if r.random.IntN(3) == 0 {
		params.LimitPerRecord = 1 + r.random.IntN(40)
	}
	if r.random.IntN(3) == 0 {
		start, end := r.now-uint64(r.random.IntN(5000)), r.now-uint64(r.random.IntN(1000))
		params.StartTime, params.EndTime = &start, &end
	}
	values, err := r.model.Query(ctx, pattern, params)
	if err != nil {
		r.t.Fatal(err)
	}
	scan := &openScan{what: fmt.Sprintf("scan of %s, %+v", pattern, params), want: rows(values)}
	scan.next, scan.stop = iter.Pull2(r.db.Scan(ctx, pattern, params))
	r.t.Cleanup(scan.stop)
	r.scans = append(r.scans, scan)
	r.pull(len(r.scans)-1, 1)
}

// advance takes values of one of the scans.
func (r *momentRun) advance(count int) {
	if len(r.scans) > 0 {
		r.pull(r.random.IntN(len(r.scans)), count)
	}
}

func (r *momentRun) pull(at, count int) {
	scan := r.scans[at]
	for range count {
		value, err, more := scan.next()
		if err != nil {
			r.t.Fatalf("%s: %v", scan.what, err)
		}
		if !more {
			if !slices.Equal(scan.got, scan.want) {
				r.t.Errorf("%s: %d values, which are not the %d of the moment when it began",
					scan.what, len(scan.got), len(scan.want))
			}
			r.scans = slices.Delete(r.scans, at, at+1)
			return
		}
		scan.got = append(scan.got, row{value.RecordName, string(value.Value), value.StoredAt})
	}
}

// post posts the heads. On some systems an open scan holds that up.
func (r *momentRun) post() {
	if err := r.db.Checkpoint(ctx); err != nil && len(r.scans) == 0 {
		r.t.Fatal(err)
	}
}

// cleanup deletes the oldest values. On Windows an open scan could make it fail half done.
func (r *momentRun) cleanup() {
	if runtime.GOOS == "windows" {
		return
	}
	cutoff := r.now - uint64(r.random.IntN(5000))
	for _, backend := range []daybook.Backend{r.db, r.model} {
		if _, err := backend.Cleanup(ctx, cutoff); err != nil {
			r.t.Fatal(err)
		}
	}
}

// TestScansBesideABroadWriter stores batches with a value of each of many records, while readers
// scan: some all records, some few. No scan may show a part of a batch, or a batch without those
// before it.
func TestScansBesideABroadWriter(t *testing.T) {
	batches := 40
	if testenv.Long() {
		batches = 500
	}
	db := mustOpen(t, testenv.TempDir(t), &Options{Durability: DurabilityOS, Tuning: Tuning{HeadSize: 256 << 10}})
	stored := make(chan struct{})
	var readers sync.WaitGroup
	for _, reader := range []struct {
		pattern string
		records int
	}{{"*", momentRecords}, {"*.3", (momentRecords + 3) / 7}} {
		readers.Go(func() {
			for done := false; !done; {
				select {
				case <-stored:
					done = true
				default:
				}
				counts := map[uint64]int{}
				for value, err := range db.Scan(ctx, reader.pattern, daybook.QueryParams{}) {
					if err != nil {
						t.Error(err)
						return
					}
					counts[value.StoredAt]++
				}
				for at := range uint64(len(counts)) {
					if counts[at] != reader.records {
						t.Errorf("%s: %d batches, number %d has %d of %d values",
							reader.pattern, len(counts), at, counts[at], reader.records)
						return
					}
				}
			}
		})
	}
	for at := range uint64(batches) {
		var batch []daybook.StoredValue
		for record := range momentRecords {
			batch = append(batch, daybook.StoredValue{
				RecordName: fmt.Sprintf("r.%03d.%d", record, record%7), Value: []byte("1"), StoredAt: at})
		}
		if err := db.StoreBatch(ctx, batch); err != nil {
			t.Fatal(err)
		}
	}
	close(stored)
	readers.Wait()
}

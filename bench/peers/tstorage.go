// SPDX-License-Identifier: Apache-2.0

package peers

import (
	"errors"
	"math"
	"time"

	"github.com/nakabonne/tstorage"
)

// Floats keeps the history of named numbers in github.com/nakabonne/tstorage. It holds no JSON, and so is no Store:
// it shows what numbers alone take.
//
// It promises less than a Store. StoreBatch returns when its log has been written, but neither the log nor the
// partitions that Close writes are ever synced, so what was acknowledged outlives the process and not the machine.
// A point that is not later than the last one of its name is counted only once its partition is on disk, one that is
// older than the last two partitions is dropped without an error, and one at time 0 is given the current time.
// A history of more than an hour is written out in the background, and a Close meanwhile was seen to fail or to
// crash the process (v0.3.6). There is no deletion by time: whole partitions go when they have been on disk for long enough.
type Floats struct {
	storage tstorage.Storage
}

// Float is one number of a name's history.
type Float struct {
	Name     string
	Value    float64
	StoredAt int64 // Unix milliseconds
}

// OpenFloats opens the history in dir, and makes it where there is none. The log is handed to the system with each
// batch, which is the most durable that it can be. Nothing expires, as with the others.
func OpenFloats(dir string) (*Floats, error) {
	storage, err := tstorage.NewStorage(
		tstorage.WithDataPath(dir),
		tstorage.WithTimestampPrecision(tstorage.Milliseconds),
		tstorage.WithWALBufferedSize(0),
		tstorage.WithRetention(math.MaxInt64*time.Nanosecond),
	)
	if err != nil {
		return nil, err
	}
	return &Floats{storage: storage}, nil
}

// StoreBatch stores values, which should come in the order of their times.
func (f *Floats) StoreBatch(values []Float) error {
	if len(values) == 0 {
		return nil
	}
	rows := make([]tstorage.Row, len(values))
	for i, v := range values {
		rows[i] = tstorage.Row{Metric: v.Name, DataPoint: tstorage.DataPoint{Timestamp: v.StoredAt, Value: v.Value}}
	}
	return f.storage.InsertRows(rows)
}

// Range reads the values of name from start to before end (Unix ms), and returns how many there are.
func (f *Floats) Range(name string, start, end int64) (int, error) {
	points, err := f.storage.Select(name, nil, start, end)
	if errors.Is(err, tstorage.ErrNoDataPoints) {
		return 0, nil
	}
	return len(points), err
}

// Close writes what is in memory to disk, and removes the log. The store must not be used after or beside it.
func (f *Floats) Close() error { return f.storage.Close() }

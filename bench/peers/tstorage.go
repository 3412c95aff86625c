// SPDX-License-Identifier: Apache-2.0

package peers

import (
	"errors"
	"math"
	"time"

	"github.com/nakabonne/tstorage"
)

// Floats keeps the history of named numbers in github.com/nakabonne/tstorage. It keeps no JSON, so
// it is no Store. It shows the time and space that numbers alone take.
//
// It promises less than a Store (v0.3.6):
//
//   - StoreBatch returns when the log has been written. Neither the log nor the partitions that
//     Close writes are ever synced, so a power cut can lose acknowledged values.
//   - A point that is not later than the last point of its name is counted only when its partition
//     is on disk.
//   - A point that is older than the last two partitions is dropped without an error.
//   - A point at time 0 gets the current time.
//   - A history of more than an hour is written in the background. A Close at that time was seen to
//     fail or to crash the process.
//   - Nothing is deleted by time. Whole partitions are deleted when they have been on disk for long
//     enough.
type Floats struct {
	storage tstorage.Storage
}

// Float is one number of a name's history.
type Float struct {
	Name     string
	Value    float64
	StoredAt int64 // Unix milliseconds
}

// OpenFloats opens the history in dir, and creates it if there is none. The log is written to the
// operating system with each batch, which is as durable as tstorage can be. Nothing expires, as in
// the peers.
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

// StoreBatch stores values, which should be in the order of their times.
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

// Range reads the values of name from start (inclusive) to end (exclusive), in Unix ms, and returns
// their number.
func (f *Floats) Range(name string, start, end int64) (int, error) {
	points, err := f.storage.Select(name, nil, start, end)
	if errors.Is(err, tstorage.ErrNoDataPoints) {
		return 0, nil
	}
	return len(points), err
}

// Close writes the values in memory to disk, and removes the log. No other method may be called
// during or after it.
func (f *Floats) Close() error { return f.storage.Close() }

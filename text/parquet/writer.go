// SPDX-License-Identifier: Apache-2.0

// Package parquet writes stored values into Parquet files and reads them back, byte for byte. It is
// not a part of package text because the Parquet library adds 7 MB to a program.
//
// The columns are record_name (string), stored_at (unsigned 64-bit, Unix milliseconds),
// stored_at_utc and value (JSON). Files are compressed with zstd.
//
// stored_at_utc is the same time as a TIMESTAMP in UTC with milliseconds, which DuckDB and pandas
// read without a cast. It is null for a time after the year 9999, which those programs do not
// have.
//
// NewFlatWriter writes a file for those programs alone, with a column for each member.
package parquet

import (
	"io"
	"runtime/debug"
	"time"

	parquetgo "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/text"
)

// parquetRow is a value in a Parquet file, and its name is that of the schema in the file. The time
// is an unsigned number, because a timestamp of Parquet holds only half of the times that a daybook
// does.
type parquetRow struct {
	RecordName string `parquet:"record_name,dict"`
	StoredAt   uint64 `parquet:"stored_at,delta"`
	// StoredAtUTC is null if it is zero, for a time after maxUTC.
	StoredAtUTC time.Time `parquet:"stored_at_utc,optional,delta,timestamp(millisecond:utc)"`
	Value       string    `parquet:"value,json"`
}

// maxUTC is the last millisecond of the year 9999.
const maxUTC = 253_402_300_799_999

// Limits of a row group, which is in memory until it is written.
const (
	maxGroupRows  = 128 << 10
	maxGroupBytes = 32 << 20 // of values
)

// writer writes values into a Parquet file.
type writer struct {
	out        *parquetgo.GenericWriter[parquetRow]
	groupBytes int // of the values in the row group that is being filled
	row        [1]parquetRow
}

// NewWriter returns a writer of Parquet, which NewReader reads. It holds at most 128 Ki values in
// memory, and at most 32 MiB and one value of JSON. The file cannot be read before Close.
func NewWriter(out io.Writer) text.ValueWriter {
	return &writer{out: parquetgo.NewGenericWriter[parquetRow](out,
		parquetgo.Compression(&zstd.Codec{}),
		parquetgo.MaxRowsPerRowGroup(maxGroupRows),
		parquetgo.CreatedBy("daybook", moduleVersion(), ""))}
}

func (w *writer) Write(v daybook.StoredValue) error {
	w.row[0] = parquetRow{v.RecordName, v.StoredAt, time.Time{}, string(v.Value)}
	if v.StoredAt <= maxUTC {
		w.row[0].StoredAtUTC = time.UnixMilli(int64(v.StoredAt)).UTC()
	}
	if _, err := w.out.Write(w.row[:]); err != nil {
		return err
	}
	if w.groupBytes += len(v.Value); w.groupBytes < maxGroupBytes {
		return nil
	}
	w.groupBytes = 0
	return w.out.Flush()
}

// Flush writes nothing: small row groups would make the file large.
func (w *writer) Flush() error { return nil }

func (w *writer) Close() error { return w.out.Close() }

// moduleVersion returns the version of this module that the program was built with.
func moduleVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	return versionIn(info)
}

// versionIn returns the version of this module in the build information of a program.
func versionIn(info *debug.BuildInfo) string {
	const path = "github.com/daybook-db/daybook"
	for _, module := range append(info.Deps, &info.Main) {
		if module.Path == path && module.Version != "" {
			return module.Version
		}
	}
	return "(devel)"
}

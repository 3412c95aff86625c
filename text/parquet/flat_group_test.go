// SPDX-License-Identifier: Apache-2.0

package parquet

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	parquetgo "github.com/parquet-go/parquet-go"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/text"
)

// TestFlatRowGroups wants groups that end when they have many cells, also if most are null.
func TestFlatRowGroups(t *testing.T) {
	const members, rows = 100, 250
	columns := text.NewFlatColumns()
	var values []daybook.StoredValue
	for n := range rows {
		v := daybook.StoredValue{RecordName: "r", Value: fmt.Appendf(nil, `{"m%d":%d}`, n%members, n)}
		if err := columns.Add(v); err != nil {
			t.Fatal(err)
		}
		values = append(values, v)
	}
	var out bytes.Buffer
	w := NewFlatWriter(&out, columns).(*flatWriter)
	w.maxCells = 100 * (members + 2)
	for _, v := range values {
		if err := w.Write(v); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := parquetgo.OpenFile(bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil {
		t.Fatal(err)
	}
	var got []int64
	for _, group := range file.RowGroups() {
		got = append(got, group.NumRows())
	}
	if want := []int64{100, 100, 50}; !slices.Equal(got, want) {
		t.Errorf("rows in each group: %d; want %d", got, want)
	}
}

// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook"
)

// The directories in testdata/chunk2 were written by the last version whose chunks had version 2.
// Each has chunk2Rows, stored record by record in batches of 40. "closed" was closed. "killed" was
// killed after a checkpoint of all but the last 20 values of each record.
var chunk2 = []string{"closed", "killed"}

// chunk2Rows returns 60 values of each kind of chunk, in the order of a query.
func chunk2Rows() (rows []row) {
	kinds := []struct {
		record string
		value  func(i int) string
	}{
		{"counters", func(i int) string { return fmt.Sprintf(`{"n":%d,"limit":18446744073709551615}`, i*i) }},
		{"decimals", func(i int) string { return fmt.Sprintf(`{"t":%d.%d,"at":"%02d:00"}`, i/2-9, i%10, i%24) }},
		{"doubles", func(i int) string { return fmt.Sprintf(`{"x":%v,"y":[%v]}`, math.Sin(float64(i)), float32(i)/7) }},
		{"huge", func(i int) string { return fmt.Sprintf(`{"n":%d%018d}`, i+1, i*7919) }},
		{"nested", func(i int) string { return strings.Repeat("[", i%3) + fmt.Sprint(i%5) + strings.Repeat("]", i%3) }},
		{"states", func(i int) string { return fmt.Sprintf(`{"state":%q,"n":%d}`, []string{"on", "off"}[i/7%2], i) }},
		{"texts", func(i int) string { return fmt.Sprintf("%q", strings.Repeat(string(rune('a'+i%26)), 1+i*7%40)) }},
	}
	for _, kind := range kinds {
		for i := range 60 {
			rows = append(rows, row{kind.record, kind.value(i), 1_700_000_000_000 + uint64(i/2*250)})
		}
	}
	return append(rows, row{"value", "null", 7})
}

// TestChunk2 opens directories of that version, read-only and for writing, and requires the same
// answers before and after values are added to their chunks, some are deleted, and the rest is
// compacted into chunks of the present version.
func TestChunk2(t *testing.T) {
	oldestFirst := daybook.QueryParams{Order: daybook.OldestFirst}
	for _, name := range chunk2 {
		t.Run(name, func(t *testing.T) {
			dir, want := unzip(t, "chunk2/"+name), chunk2Rows()
			db := mustOpen(t, dir, &Options{ReadOnly: true})
			wantRows(t, mustQuery(t, db, "*", oldestFirst), want...)
			mustClose(t, db)
			if got := chunkVersions(t, dir); slices.Max(got) > 2 {
				t.Errorf("the chunks have versions %v; want none above 2", got)
			}

			db = mustOpen(t, dir, nil)
			wantRows(t, mustQuery(t, db, "*", oldestFirst), want...)
			if err := db.Checkpoint(ctx); err != nil {
				t.Fatal(err)
			}
			wantRows(t, mustQuery(t, db, "*", oldestFirst), want...)
			if _, err := db.Prune(ctx, "d*", daybook.PruneParams{OlderThan: 1_700_000_001_000}); err != nil {
				t.Fatal(err)
			}
			want = slices.DeleteFunc(want, func(r row) bool {
				return strings.HasPrefix(r.Name, "d") && r.At < 1_700_000_001_000
			})
			wantRows(t, mustQuery(t, db, "*", oldestFirst), want...)
			if err := db.Compact(ctx); err != nil {
				t.Fatal(err)
			}
			wantRows(t, mustQuery(t, db, "*", oldestFirst), want...)
			mustClose(t, db)
			if got := chunkVersions(t, dir); slices.Min(got) < 3 {
				t.Errorf("after a compaction, the chunks have versions %v; want none below 3", got)
			}
		})
	}
}

// chunkVersions returns the version of each chunk of a closed directory.
func chunkVersions(t *testing.T, dir string) (versions []byte) {
	t.Helper()
	tree, err := bbolt.Open(filepath.Join(dir, "daybook.db"), 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	err = tree.View(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte("values")).ForEach(func(_, chunk []byte) error {
			versions = append(versions, chunk[0])
			return nil
		})
	})
	if err != nil || len(versions) == 0 {
		t.Fatalf("%d chunks, %v", len(versions), err)
	}
	return versions
}

// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/proof/testenv"
)

// The directories in testdata/format3 were written by the last version before trees and logs had
// identities. Each has 120 values of 6 records.
var format3 = []struct{ name, state string }{
	{"closed", "it was closed"},
	{"killed", "it was killed after a checkpoint of the first half"},
	{"posting", "it was killed between two transactions of a checkpoint"},
}

func format3Rows() (rows []row) {
	for record := range 6 {
		for tick := range 20 {
			rows = append(rows, row{fmt.Sprintf("r%d", record), fmt.Sprintf(`{"tick":%d}`, tick), uint64(tick)})
		}
	}
	return rows
}

// unzip returns a directory with the files of an archive of testdata.
func unzip(t *testing.T, archive string) (dir string) {
	t.Helper()
	files, err := zip.OpenReader(filepath.Join("testdata", archive+".zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	dir = filepath.Join(testenv.TempDir(t), "daybook")
	if err := os.CopyFS(dir, files); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestFormat3 opens directories of the version before, read-only, and for writing again and again.
// All values must be there. Opened for writing, a directory gets an identity and keeps it, also if
// the process is killed at once.
func TestFormat3(t *testing.T) {
	oldestFirst := daybook.QueryParams{Order: daybook.OldestFirst}
	for _, old := range format3 {
		for _, killed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, killed %v", old.name, killed), func(t *testing.T) {
				dir := unzip(t, "format3/"+old.name)
				db := mustOpen(t, dir, &Options{ReadOnly: true})
				wantRows(t, mustQuery(t, db, "*", oldestFirst), format3Rows()...)
				if store, _ := storeAndEpoch(t, db); store != [16]byte{} {
					t.Errorf("read-only, the store is %x; want none", store)
				}
				mustClose(t, db)

				var first [16]byte
				for n := range 3 {
					db = mustOpen(t, dir, nil)
					wantRows(t, mustQuery(t, db, "r?", oldestFirst), format3Rows()...)
					store, _ := storeAndEpoch(t, db)
					if n == 0 {
						first = store
					}
					if store == [16]byte{} || store != first {
						t.Errorf("open %d, the store is %x; before it was %x", n, store, first)
					}
					mustStore(t, db, "new", "1", 1)
					if killed {
						if err := db.abandon(); err != nil {
							t.Fatal(err)
						}
					}
					mustClose(t, db)
				}
			})
		}
	}
}

// TestFormat3Backup restores a backup of the version before.
func TestFormat3Backup(t *testing.T) {
	backup, err := os.ReadFile(filepath.Join(unzip(t, "format3/backup"), "backup"))
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "restored")
	if err := Restore(ctx, dir, io.Reader(bytes.NewReader(backup))); err != nil {
		t.Fatal(err)
	}
	db := mustOpen(t, dir, nil)
	wantRows(t, mustQuery(t, db, "*", daybook.QueryParams{Order: daybook.OldestFirst}), format3Rows()...)
	if store, _ := storeAndEpoch(t, db); store == [16]byte{} {
		t.Error("the restored store has no identity")
	}
}

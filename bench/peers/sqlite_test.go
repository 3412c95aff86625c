// SPDX-License-Identifier: Apache-2.0

package peers

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/daybook-db/daybook"
)

// TestSQLitePragmas shows that every connection of both drivers has the settings that durability
// needs and that the documentation of SQLite advises.
func TestSQLitePragmas(t *testing.T) {
	tests := []struct{ pragma, want, reason string }{
		{"journal_mode", "wal", "a commit is one sync"},
		{"synchronous", "2", "FULL: a commit is durable"},
		{"wal_autocheckpoint", "16384", "64 MiB"},
		{"cache_size", "-65536", "64 MiB"},
		{"mmap_size", "1073741824", "1 GiB"},
		{"temp_store", "2", "MEMORY"},
	}
	for _, peer := range sqlite() {
		t.Run(peer.Name, func(t *testing.T) {
			store := mustOpenSQLite(t, peer, t.TempDir())
			defer store.Close()
			for _, test := range tests {
				var writer, reader string
				if err := store.writer.QueryRowContext(t.Context(), "PRAGMA "+test.pragma).Scan(&writer); err != nil {
					t.Fatal(err)
				}
				if err := store.readers.QueryRowContext(t.Context(), "PRAGMA "+test.pragma).Scan(&reader); err != nil {
					t.Fatal(err)
				}
				if writer != test.want || reader != test.want {
					t.Errorf("%s is %s for the writer and %s for a reader; want %s (%s)",
						test.pragma, writer, reader, test.want, test.reason)
				}
			}
		})
	}
}

// TestSQLiteClose shows that Close leaves no log.
func TestSQLiteClose(t *testing.T) {
	for _, peer := range sqlite() {
		t.Run(peer.Name, func(t *testing.T) {
			dir := t.TempDir()
			store := mustOpenSQLite(t, peer, dir)
			if err := store.Store(t.Context(), "r", json.RawMessage("1"), 1); err != nil {
				t.Fatal(err)
			}
			if _, err := store.Query(t.Context(), "*", daybook.Latest(1)); err != nil {
				t.Fatal(err)
			}
			if err := store.Close(); err != nil {
				t.Fatal(err)
			}
			files, err := os.ReadDir(dir)
			if err != nil || len(files) != 1 {
				t.Errorf("Close leaves %v, %v; want only the database", files, err)
			}
		})
	}
}

// TestSQLiteGlob shows the patterns that SQL narrows the names by.
func TestSQLiteGlob(t *testing.T) {
	tests := []struct {
		pattern, prefix, want string
		syntax                daybook.PatternSyntax
		reason                string
	}{
		{"*", "", "", daybook.Glob, "everything"},
		{"a.**", "a.", "", daybook.Glob, "the prefix is enough"},
		{`[\**`, "[*", "", daybook.Glob, "the prefix is enough, when translated"},
		{"a*b?", "a", "a*b?", daybook.Glob, "the same in both"},
		{`*[\?]\\\a`, "", `*[[][?]]\a`, daybook.Glob, "an escaped character becomes a class where it has to"},
		{"a.#.c", "a.", "a*.c", daybook.Topic, "a.c matches"},
		{"#.c", "", "*c", daybook.Topic, "c matches"},
		{"#.#.*.c", "", "***.c", daybook.Topic, "b.c matches"},
		{"a.#", "a", "", daybook.Topic, "a matches"},
		{"a.*.b*?", "a.", "a.*.b[*][?]", daybook.Topic, "wildcards are whole levels"},
	}
	for _, test := range tests {
		if got := sqliteGlob(test.pattern, test.prefix, test.syntax); got != test.want {
			t.Errorf("%s %q: got %q; want %q (%s)", test.syntax, test.pattern, got, test.want, test.reason)
		}
	}
}

func mustOpenSQLite(t *testing.T, peer Peer, dir string) *sqliteStore {
	t.Helper()
	store, err := peer.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return store.(*sqliteStore)
}

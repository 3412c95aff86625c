// SPDX-License-Identifier: Apache-2.0

package main

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine"
)

func TestCompact(t *testing.T) {
	dir := filledDir(t, someValues()...)
	db, err := engine.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range uint64(40) { // together larger than the values that remain
		large := `"` + strings.Repeat(strconv.FormatUint(i*i*i, 7), 10_000) + `"`
		if err := db.Store(t.Context(), "large", []byte(large), 1); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.Prune(t.Context(), "large", daybook.PruneParams{OlderThan: 2}); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	before := stored(t, dir)
	got := mustRun(t, "", "compact", "--dir", dir)
	want := `^compacted daybook\.db from \d+ kB to \d+ kB, which is [0-9.]+ B for each of its 4 values\n$`
	if !regexp.MustCompile(want).MatchString(got) {
		t.Errorf("output %q", got)
	}
	if diff := cmp.Diff(before, stored(t, dir)); diff != "" {
		t.Errorf("values (-before +after):\n%s", diff)
	}
}

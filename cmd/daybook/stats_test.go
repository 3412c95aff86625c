// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"testing"
)

func TestStats(t *testing.T) {
	dir := filledDir(t, someValues()...)
	var got statsJSON
	if err := json.Unmarshal([]byte(mustRun(t, "", "stats", "--json", "--dir", dir)), &got); err != nil {
		t.Fatal(err)
	}
	if got.Values != 4 || got.Records != 3 || got.ValueBytes != 35 || got.DiskBytes <= 0 {
		t.Errorf("stats: %+v", got)
	}
	if len(got.Store) != 32 || len(got.Epoch) != 32 || got.Store == got.Epoch {
		t.Errorf("store %q in epoch %q; want two times 32 hexadecimal digits", got.Store, got.Epoch)
	}
	table := mustRun(t, "", "stats", "--dir", dir)
	wantParts(t, table, "records", "values", "raw JSON          35 B", "8.8 B", "directory",
		"store "+got.Store+", in epoch "+got.Epoch)
}

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"testing"

	"github.com/daybook-db/daybook"
)

func TestStats(t *testing.T) {
	dir := filledDir(t, someValues()...)
	var got daybook.Stats
	if err := json.Unmarshal([]byte(mustRun(t, "", "stats", "--json", "--dir", dir)), &got); err != nil {
		t.Fatal(err)
	}
	if got.Values != 4 || got.Records != 3 || got.ValueBytes != 35 || got.DiskBytes <= 0 {
		t.Errorf("stats: %+v", got)
	}
	store, epoch := idText(got.Store), idText(got.Epoch)
	if len(store) != 32 || len(epoch) != 32 || store == epoch {
		t.Errorf("store %q in epoch %q; want two times 32 hexadecimal digits", store, epoch)
	}
	table := mustRun(t, "", "stats", "--dir", dir)
	wantParts(t, table, "records", "values", "raw JSON          35 B", "8.8 B", "directory",
		"store "+store+", in epoch "+epoch)
}

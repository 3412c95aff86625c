// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine"
)

func TestHolds(t *testing.T) {
	dir := filledDir(t, someValues()...)
	if got := run(t, "", "holds", "--dir", dir); got != (result{"", "no holds\n", statusDone}) {
		t.Errorf("without holds: %+v", got)
	}
	db, err := engine.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	alarms := daybook.Pattern{Text: "a.#", Syntax: daybook.Topic}
	for _, h := range []daybook.Hold{
		{Name: "cloud", MaxBytes: 2 << 20, MaxAge: 36 * time.Hour},
		{Name: "alarms", Pattern: alarms, MaxAge: time.Hour},
	} {
		if err := db.SetHold(t.Context(), h); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if out := mustRun(t, "", "cleanup", "--older-than", "0s", "--dir", dir); out[:16] != "deleted 0 values" {
		t.Errorf("cleanup of held values: %s", out)
	}
	out := mustRun(t, "", "holds", "--dir", dir)
	wantParts(t, out, "HOLD", "alarms", "a.#", "1h0m0s", "cloud", "all records", "2.1 MB, 36h0m0s", "35 B")
	var got daybook.HoldInfo
	lines := mustRun(t, "", "holds", "--json", "--dir", dir)
	if err := json.Unmarshal([]byte(lines[:strings.IndexByte(lines, '\n')]), &got); err != nil {
		t.Fatal(err)
	}
	if got.Name != "alarms" || got.Pattern != alarms || got.MaxAge != time.Hour {
		t.Errorf("holds --json: %+v", got)
	}
	if out := mustRun(t, "", "holds", "--release", "cloud", "--dir", dir); out != "released the hold cloud\n" {
		t.Errorf("holds --release: %s", out)
	}
	again := run(t, "", "holds", "--release", "cloud", "--dir", dir)
	if again.status != statusFailed {
		t.Errorf("releasing it again: %+v", again)
	}
	wantParts(t, again.err, "no such hold", "cloud", "daybook holds")
	if empty := run(t, "", "holds", "--release", "", "--dir", dir); empty.status != statusUsage {
		t.Errorf("--release without a name, as of a variable that is not set: %+v", empty)
	}
}

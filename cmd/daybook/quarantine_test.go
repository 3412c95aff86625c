// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/daybook-db/daybook"
)

func TestQuarantine(t *testing.T) {
	whole := filledDir(t, someValues()...)
	if got := run(t, "", "quarantine", "--dir", whole); got != (result{"", "no files in quarantine\n", statusDone}) {
		t.Errorf("of an undamaged directory: %+v", got)
	}
	dir := filledDir(t, someValues()...)
	path := filepath.Join(dir, "daybook.db")
	if err := os.WriteFile(path, []byte("the disk has lost its mind"), 0o600); err != nil {
		t.Fatal(err)
	}
	mustRun(t, "", "check", "--quarantine", "--dir", dir)
	wantParts(t, mustRun(t, "", "quarantine", "--dir", dir), "FILE", "daybook.corrupt-1.db", "26 B", "T", "daybook.db")
	var got daybook.QuarantinedFile
	if err := json.Unmarshal([]byte(mustRun(t, "", "quarantine", "--json", "--dir", dir)), &got); err != nil {
		t.Fatal(err)
	}
	if got.Name != "daybook.corrupt-1.db" || got.Bytes != 26 || got.QuarantinedAt == 0 || got.Reason == "" {
		t.Errorf("quarantine --json: %+v", got)
	}
	wantParts(t, mustRun(t, "", "stats", "--dir", dir), "quarantine", "26 B", "see daybook quarantine")
	if out := mustRun(t, "", "check", "--quarantine", "--dir", dir); out[:5] == "set a" {
		t.Errorf("a second check tells what the first one has set aside: %s", out)
	}
	for _, name := range []string{"daybook.db", "../daybook.corrupt-1.db", got.Path} {
		refused := run(t, "", "quarantine", "--remove", name, "--dir", dir)
		if refused.status != statusFailed {
			t.Errorf("--remove %s: %+v", name, refused)
		}
		wantParts(t, refused.err, "is not in quarantine", "daybook quarantine")
	}
	removed := mustRun(t, "", "quarantine", "--remove", got.Name, "--dir", dir)
	if removed != "removed daybook.corrupt-1.db\n" {
		t.Errorf("--remove: %s", removed)
	}
	if _, err := os.Stat(got.Path); !os.IsNotExist(err) {
		t.Errorf("after --remove: %v", err)
	}
	if empty := run(t, "", "quarantine", "--remove", "", "--dir", dir); empty.status != statusUsage {
		t.Errorf("--remove without a name, as of a variable that is not set: %+v", empty)
	}
}

// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"testing"

	"github.com/daybook-db/daybook/proof/testenv"
)

// TestEntriesAfterALook yields all values of captured heads after the first record has been looked
// at, and after another loop over them that ended early. Each value comes once.
func TestEntriesAfterALook(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t), nil)
	for n := range uint64(6) {
		mustStore(t, db, string("abc"[n%3]), "1", n)
	}
	taken := mustTakeTurn(t, db)
	defer taken.end()
	heads, err := taken.captureUnposted(allRecords)
	if err != nil {
		t.Fatal(err)
	}
	if first, found, err := heads.firstName(ctx); first != "a" || !found || err != nil {
		t.Fatalf("the first record is %q, %v, %v", first, found, err)
	}
	for range heads.entries(ctx) {
		break
	}
	seen := map[uint64]int{}
	for entry := range heads.entries(ctx) {
		seen[entry.Sequence]++
	}
	for sequence := uint64(1); sequence <= 6; sequence++ {
		if seen[sequence] != 1 {
			t.Errorf("value %d came %d times; want once", sequence, seen[sequence])
		}
	}
}

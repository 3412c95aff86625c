// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestValuesStay shows that the shapes of the first race make the values that they always made, in
// ticks of one value of each record. Bars were measured on them, so a change makes them mean
// something else.
func TestValuesStay(t *testing.T) {
	want := map[Shape]string{
		Readings: "e05a3df5f8c37797",
		Drift:    "ecb0b988e4b260ac",
		Events:   "d78b846d06257dd7",
		Counters: "da857140a52400bd",
		Texts:    "43a1c493708f6843",
		Mixed:    "5ad5e2110c884e6d",
	}
	got := map[Shape]string{}
	for shape := range want {
		got[shape] = checksum(NewWorkload(130, 1, shape), 50)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("SHA-256 of 50 ticks of 130 records (-want +got):\n%s", diff)
	}
}

// checksum returns the start of the SHA-256 of the next ticks: names, times and values.
func checksum(w *Workload, ticks int) string {
	sum := sha256.New()
	for range ticks {
		for _, v := range w.Tick() {
			fmt.Fprintf(sum, "%s %d %s\n", v.RecordName, v.StoredAt, v.Value)
		}
	}
	return hex.EncodeToString(sum.Sum(nil)[:8])
}

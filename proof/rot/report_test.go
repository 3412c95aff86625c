// SPDX-License-Identifier: Apache-2.0

package rot

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/daybook-db/daybook/proof/testenv"
)

// reportOutcomes fails the test if there are findings. It prints a line for each kind of case, with
// an example of each kind of finding.
func reportOutcomes(t *testing.T, victims string, outcomes []outcome) {
	t.Helper()
	kinds := make(map[string]*tally)
	failed := 0
	for _, o := range outcomes {
		kind := o.damage.Victim + "/" + o.damage.Kind
		if kinds[kind] == nil {
			kinds[kind] = &tally{cases: make(map[string]int), examples: make(map[string]string)}
		}
		kinds[kind].add(o)
		if len(o.findings) > 0 {
			failed++
		}
		for _, f := range o.findings {
			if *allFlag {
				t.Logf("%v: %s: %s", o.damage, f.What, f.Detail)
			}
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		if len(kinds[kind].cases) > 0 {
			t.Errorf("%s: %v", kind, kinds[kind])
		}
	}
	if failed > 0 {
		t.Errorf("%d of %d cases failed; to repeat one: go test ./proof/rot -run 'TestRot$' "+
			"-proof.rot=%s -long=%v -proof.rot.seed=%d -proof.rot.victims=%s -proof.rot.case='NAME'",
			failed, len(outcomes), *modeFlag, testenv.Long(), *seedFlag, filepath.Clean(victims))
	}
}

// tally counts the cases of one kind, and for each kind of finding the cases with such a finding.
type tally struct {
	all      int
	cases    map[string]int
	examples map[string]string
}

func (r *tally) add(o outcome) {
	r.all++
	seen := make(map[string]bool)
	for _, f := range o.findings {
		if !seen[f.What] {
			seen[f.What] = true
			r.cases[f.What]++
			r.examples[f.What] = fmt.Sprintf("%v: %s", o.damage, f.Detail)
		}
	}
}

func (r *tally) String() string {
	var s, examples strings.Builder
	fmt.Fprintf(&s, "%d cases", r.all)
	for _, what := range slices.Sorted(maps.Keys(r.cases)) {
		fmt.Fprintf(&s, ", %d %s", r.cases[what], what)
		fmt.Fprintf(&examples, "\n\t%s: %s", what, r.examples[what])
	}
	return s.String() + examples.String()
}

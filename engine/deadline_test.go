// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/daybook-db/daybook"
)

// maxOverrun is how long after its deadline a method may return. It is generous, because the
// machine has other work: without checks of the context each case here takes many seconds.
const maxOverrun = time.Second

// TestHostilePatternHonoursDeadline queries a head of long names with a pattern that takes up to
// two milliseconds for each of them.
func TestHostilePatternHonoursDeadline(t *testing.T) {
	db := mustOpen(t, t.TempDir(), &Options{Durability: OS})
	const names = 3000
	batch := make([]daybook.StoredValue, names)
	for i := range batch {
		batch[i] = daybook.StoredValue{RecordName: strings.Repeat("a", 1000) + fmt.Sprint(i), Value: json.RawMessage(`1`)}
	}
	if err := db.StoreBatch(ctx, batch); err != nil {
		t.Fatal(err)
	}
	hostile := "*a" + strings.Repeat("?", 500) + "b*"
	for _, place := range []string{"in the head", "in the tree"} {
		t.Run(place, func(t *testing.T) {
			if place == "in the tree" {
				if err := db.Checkpoint(ctx); err != nil {
					t.Fatal(err)
				}
			}
			short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
			defer cancel()
			values, err := db.Query(short, hostile, daybook.QueryParams{})
			deadline, _ := short.Deadline()
			if late := time.Since(deadline); !errors.Is(err, context.DeadlineExceeded) || late > maxOverrun {
				t.Errorf("%d values, %v, %v after the deadline; want its error at once", len(values), err, late)
			}
		})
	}
}

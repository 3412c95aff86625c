// SPDX-License-Identifier: Apache-2.0

package retention

import (
	"encoding/json"
	"log/slog"
	"time"

	"github.com/daybook-db/daybook"
)

// Swept is the result of a sweep.
type Swept struct {
	At      time.Time     // by Keeper.Now, when the sweep began
	Took    time.Duration // its duration
	Deleted uint64        // number of values that it deleted, also if it failed
	// Err says why the sweep failed, or deleted less than the policy says. It matches ErrClock if
	// the clock is in doubt, and the context's error if that ended the sweep. nil: it did all.
	Err error
}

// sweptJSON is the JSON of Swept.
type sweptJSON struct {
	At      uint64  `json:"swept_at"` // Unix ms
	Took    float64 `json:"took_seconds"`
	Deleted uint64  `json:"deleted"`
	Error   string  `json:"error,omitempty"`
}

// MarshalJSON writes At in Unix ms as swept_at, Took in seconds as took_seconds, and the text of
// Err as error if there is one.
func (s Swept) MarshalJSON() ([]byte, error) {
	out := sweptJSON{At: daybook.Timestamp(s.At), Took: s.Took.Seconds(), Deleted: s.Deleted}
	if s.Err != nil {
		out.Error = s.Err.Error()
	}
	return json.Marshal(out)
}

// LogValue returns the fields as a group, with Err only if there is one.
func (s Swept) LogValue() slog.Value {
	attrs := []slog.Attr{
		slog.Time("at", s.At), slog.Duration("took", s.Took), slog.Uint64("deleted", s.Deleted),
	}
	if s.Err != nil {
		attrs = append(attrs, slog.Any("error", s.Err))
	}
	return slog.GroupValue(attrs...)
}

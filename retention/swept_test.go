// SPDX-License-Identifier: Apache-2.0

package retention

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// TestSweptTells wants a sweep as JSON for a health endpoint, and as a short group in a log.
func TestSweptTells(t *testing.T) {
	at := time.UnixMilli(1_700_000_000_123).UTC()
	for _, test := range []struct {
		name      string
		swept     Swept
		json, log string
	}{
		{"well", Swept{At: at, Took: 1500 * time.Millisecond, Deleted: 3},
			`{"swept_at":1700000000123,"took_seconds":1.5,"deleted":3}`,
			`sweep.at=2023-11-14T22:13:20.123Z sweep.took=1.5s sweep.deleted=3`},
		{"in doubt", Swept{At: at, Err: ErrClock},
			`{"swept_at":1700000000123,"took_seconds":0,"deleted":0,"error":"` + ErrClock.Error() + `"}`,
			`sweep.took=0s sweep.deleted=0 sweep.error="` + ErrClock.Error() + `"`},
	} {
		if got, err := json.Marshal(test.swept); string(got) != test.json || err != nil {
			t.Errorf("%s as JSON: got  %s, %v\nwant %s", test.name, got, err, test.json)
		}
		var out bytes.Buffer
		slog.New(slog.NewTextHandler(&out, nil)).Info("", "sweep", test.swept)
		if !strings.HasSuffix(strings.TrimSpace(out.String()), test.log) {
			t.Errorf("%s in a log: got  %s\nwant %s", test.name, out.String(), test.log)
		}
	}
}

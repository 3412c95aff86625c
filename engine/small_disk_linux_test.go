// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/daybook-db/daybook/proof/smalldisk"
)

// TestMaxSizeBeyondTheDisk opens a store on a disk of 12 MiB. Open must warn, once, of a MaxSize
// that the disk has no room for.
func TestMaxSizeBeyondTheDisk(t *testing.T) {
	const disk = 12 << 20
	mounted := smalldisk.Mount(t, disk)
	for _, test := range []struct {
		name    string
		maxSize int64
		want    int
		reason  string
	}{
		{"none", 0, 0, "no bound is no bound that is too large"},
		{"smaller", MinMaxSize, 0, "it is reached before the disk is full"},
		{"as large", disk, 0, "the whole disk is the store's"},
		{"larger", disk + 4096, 1, "it is never reached"},
		{"much larger", 1 << 62, 1, "it is never reached"},
	} {
		var logged bytes.Buffer
		opts := &Options{MaxSize: test.maxSize, Logger: slog.New(slog.NewTextHandler(&logged, nil)),
			Tuning: Tuning{HeadSize: 256 << 10}}
		mustClose(t, mustOpen(t, filepath.Join(mounted, "store"), opts))
		if got := strings.Count(logged.String(), "MaxSize is larger than the file system"); got != test.want {
			t.Errorf("%s: %d warnings; want %d, because %s:\n%s", test.name, got, test.want, test.reason, &logged)
		}
	}
}

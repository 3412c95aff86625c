// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"errors"
	"strings"
	"testing"

	"github.com/daybook-db/daybook"
)

// TestDefaultSizes shows the sizes that follow from the disk and from MaxSize.
func TestDefaultSizes(t *testing.T) {
	tests := []struct {
		name              string
		opts              *Options
		maxHead           int64
		head, transaction int64
		reason            string
	}{
		{"a large disk", nil, 1 << 30, 32 << 20, 8 << 20, "the documented defaults"},
		{"a small disk", nil, 1 << 20, 1 << 20, 1 << 20, "a transaction follows from the head of that disk"},
		{"MaxSize", &Options{MaxSize: 64 << 20}, 1 << 30, 4 << 20, 1 << 20, "a sixteenth and a 64th"},
		{"a head of one's own", &Options{Tuning: Tuning{HeadSize: 16 << 20}}, 1 << 20, 16 << 20, 4 << 20,
			"the disk limits only the default"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := test.opts.withDefaultsForDisk(test.maxHead)
			if err != nil {
				t.Fatal(err)
			}
			if got.Tuning.HeadSize != test.head || got.Tuning.TransactionSize != test.transaction {
				t.Errorf("heads of %d and transactions of %d bytes; want %d and %d: %s",
					got.Tuning.HeadSize, got.Tuning.TransactionSize, test.head, test.transaction, test.reason)
			}
		})
	}
}

// TestBadMaxSizeIsOneError shows that an impossible MaxSize is named alone, without the sizes that
// would follow from it.
func TestBadMaxSizeIsOneError(t *testing.T) {
	for _, size := range []int64{-5, -1, 100, MinMaxSize - 1} {
		_, err := (&Options{MaxSize: size}).withDefaults()
		if !errors.Is(err, daybook.ErrInvalidParams) || strings.Contains(err.Error(), "Tuning") ||
			strings.Contains(err.Error(), "\n") {
			t.Errorf("MaxSize %d: %v; want one error about MaxSize", size, err)
		}
	}
}

// TestUselessOptions shows that an option that has no effect beside the others is an error that
// names it. drop_test.go has those of WhenFullDropOldest.
func TestUselessOptions(t *testing.T) {
	tests := []struct {
		name  string
		opts  Options
		names string // in the error; "": the options are valid
	}{
		{"read only", Options{ReadOnly: true, LockTimeout: -1, Logger: discard, Tuning: Tuning{HeadSize: 1 << 20}}, ""},
		{"read only and durable", Options{ReadOnly: true, Durability: DurabilityOS}, "Durability"},
		{"read only and bounded", Options{ReadOnly: true, MaxSize: MinMaxSize}, "MaxSize"},
		{"read only and early", Options{ReadOnly: true, MaxFuture: 1}, "MaxFuture"},
		{"read only and quarantine", Options{ReadOnly: true, OnCorruption: OnCorruptionQuarantine}, "Quarantine"},
		{"an interval", Options{Durability: DurabilityInterval, SyncInterval: 1}, ""},
		{"an interval of no syncs", Options{SyncInterval: 1}, "SyncInterval"},
		{"an interval of no syncs either", Options{Durability: DurabilityOS, SyncInterval: 1}, "SyncInterval"},
	}
	for _, test := range tests {
		_, err := test.opts.withDefaults()
		switch {
		case test.names == "" && err != nil:
			t.Errorf("%s: %v", test.name, err)
		case test.names != "" &&
			(!errors.Is(err, daybook.ErrInvalidParams) || !strings.Contains(err.Error(), test.names)):
			t.Errorf("%s: got %v; want ErrInvalidParams that names %s", test.name, err, test.names)
		}
	}
}

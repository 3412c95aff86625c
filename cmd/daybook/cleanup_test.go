// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
)

func TestCleanup(t *testing.T) {
	tests := []struct {
		name      string
		olderThan string
		want      string
		remaining int
	}{
		{"values as old as the cutoff stay", "1500", "2 values stored before 1970-01-01T01:00:01.500+01:00", 2},
		{"an RFC 3339 time", "1970-01-01T00:00:01.001Z", "2 values stored before 1970-01-01T01:00:01.001+01:00", 2},
		{"a singular for one value", "1", "1 value stored before 1970-01-01T01:00:00.001+01:00", 3},
		{"no value is older", "0", "0 values stored before 1970-01-01T01:00:00.000+01:00", 4},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := filledDir(t, someValues()...)
			got := mustRun(t, "", "cleanup", "--older-than", test.olderThan, "--dir", dir)
			if diff := cmp.Diff("deleted "+test.want+"\n", got); diff != "" {
				t.Errorf("output (-want +got):\n%s", diff)
			}
			if remaining := len(stored(t, dir)); remaining != test.remaining {
				t.Errorf("%d values remain; want %d", remaining, test.remaining)
			}
		})
	}
}

func TestCleanupByAge(t *testing.T) {
	fresh := daybook.Now()
	day := uint64(24 * time.Hour / time.Millisecond)
	dir := filledDir(t, value("r", "1", fresh), value("r", "2", fresh-6*day), value("r", "3", fresh-8*day))
	got := mustRun(t, "", "cleanup", "--older-than", "1w", "--dir", dir)
	if !strings.HasPrefix(got, "deleted 1 value stored before ") {
		t.Errorf("output %q", got)
	}
}

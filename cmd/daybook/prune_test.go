// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
)

func TestPrune(t *testing.T) {
	tests := []struct {
		name      string
		args      []string
		remaining int // values
	}{
		{"by age", []string{"*", "--older-than", "1970-01-01T00:00:01.2Z"}, 2},
		{"by age, and keep the newest",
			[]string{"*", "--older-than", "1970-01-01T00:00:01.2Z", "--keep-newest", "1"}, 3},
		{"from the future", []string{"*", "--newer-than", "1970-01-01T00:00:01.2Z"}, 2},
		{"from no future", []string{"*", "--newer-than", "0s"}, 4},
		{"between two times", []string{"*", "--newer-than", "1000", "--older-than", "1600"}, 3},
		{"until a time in the future", []string{"*", "--newer-than", "1000", "--older-than", "+1d"}, 2},
		{"by number", []string{"a.*", "--max-per-record", "1"}, 3},
		{"by size", []string{"*", "--max-bytes", "27B"}, 2},
		{"except some records", []string{"*", "--older-than", "1d", "--except", "a.t*", "--except", "b"}, 2},
		{"by topic", []string{"*", "--topic", "--older-than", "1d"}, 3},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := filledDir(t, someValues()...)
			out := mustRun(t, "", append([]string{"prune", "--dir", dir}, test.args...)...)
			got := stored(t, dir)
			deleted := counted(4-test.remaining, "value")
			if len(got) != test.remaining || !strings.HasPrefix(out, "deleted "+deleted+" in ") {
				t.Errorf("%q, and %d values remain: %v; want %d", out, len(got), got, test.remaining)
			}
		})
	}
}

func TestPruneRefuses(t *testing.T) {
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"no limit at all", []string{"*"}, "prune needs --older-than"},
		{"no time between", []string{"*", "--newer-than", "1d", "--older-than", "2d"},
			"--newer-than 1d and --older-than 2d: there is no time between them"},
		{"newer than everything", []string{"*", "--newer-than", "0"}, "want a later one"},
		{"a word for a time", []string{"*", "--older-than", "soon"}, `--older-than "soon" is not a time`},
		{"a word for a size", []string{"*", "--max-bytes", "much"}, `--max-bytes "much": want a number and a unit`},
		{"a size without a unit", []string{"*", "--max-bytes", "500"},
			`--max-bytes "500": want a unit, as in 500B, 500kB or 500MB`},
		{"a size of nothing", []string{"*", "--max-bytes", "0B"}, `--max-bytes "0B": want more than 0`},
		{"a negative number", []string{"*", "--max-per-record", "-1"}, "--max-per-record -1: want 1 or more"},
		{"none of each record", []string{"*", "--max-per-record", "0"}, "--max-per-record 0: want 1 or more"},
		{"a negative number to keep", []string{"*", "--older-than", "1d", "--keep-newest", "-1"},
			"--keep-newest -1: want 0 or more"},
		{"more to keep than the limit", []string{"*", "--max-per-record", "1", "--keep-newest", "2"},
			"--keep-newest 2 is more than --max-per-record 1"},
		{"an empty exception", []string{"*", "--older-than", "1d", "--except", ""},
			`daybook: --except: invalid pattern: it is empty`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := filledDir(t, someValues()...)
			got := run(t, "", append([]string{"prune", "--dir", dir}, test.args...)...)
			if got.status != statusUsage || !strings.Contains(got.err, test.want) || len(stored(t, dir)) != 4 {
				t.Errorf("%+v; want status %d, %q and nothing deleted", got, statusUsage, test.want)
			}
		})
	}
}

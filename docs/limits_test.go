// SPDX-License-Identifier: Apache-2.0

package docs_test

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine"
	"github.com/daybook-db/daybook/index"
)

// TestLimits compares the limits in reference.md with the constants.
func TestLimits(t *testing.T) {
	data, err := os.ReadFile("reference.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(data), "\n## Limits\n")
	section, _, _ = strings.Cut(section, "\n## ")
	for what, wants := range map[string][]string{
		"record name": {"1 to " + strconv.Itoa(daybook.MaxRecordNameLen) + " bytes"},
		"value":       {strconv.Itoa(daybook.MaxValueLen>>20) + " MiB", grouped(daybook.MaxValueDepth) + " deep"},
		"batch":       {strconv.Itoa(engine.MaxBatchBytes>>20) + " MiB", grouped(engine.MaxBatchValues) + " values"},
		"pattern":     {strconv.Itoa(index.MaxPatternLen) + " bytes"},
	} {
		_, row, found := strings.Cut(section, "\n| "+what+" | ")
		row, _, _ = strings.Cut(row, "\n")
		for _, want := range wants {
			if !found || !strings.Contains(row, want) {
				t.Errorf("the limit of a %s is %q; want %q", what, row, want)
			}
		}
	}
}

// grouped writes a number of four to seven digits with commas.
func grouped(n int) string {
	text := strconv.Itoa(n)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}

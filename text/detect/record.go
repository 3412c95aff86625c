// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"path/filepath"
	"slices"
	"strings"
)

// endings are those that names of files lose.
var endings = strings.Fields(".gz .zst .csv .tsv .tab .txt .log .dat .ndjson .jsonl .json .json-seq .lp")

// RecordOfFile returns the name of a record for the values of a file: the file's name without its
// directory and its endings. Braces would be those of a template.
func RecordOfFile(name string) string {
	base := filepath.Base(name)
	for {
		ending := filepath.Ext(base)
		if len(ending) == len(base) || !slices.Contains(endings, strings.ToLower(ending)) {
			break
		}
		base = strings.TrimSuffix(base, ending)
	}
	base = strings.NewReplacer("{", "(", "}", ")", "\x00", "").Replace(base)
	const maxName = 1024
	return strings.ToValidUTF8(base[:min(len(base), maxName)], "")
}

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
)

// machineKeys are the lines `key: value` that say where a run was made, and with what. Go writes the first three, whoever
// started the run the others.
var machineKeys = []string{"goos", "goarch", "cpu", "machine", "go", "cgo"}

// machine says in one sentence where the runs were made, as far as they say it.
func (all runs) machine() string {
	config := all[0].config
	var where []string
	if config["goos"] != "" {
		where = append(where, config["goos"]+"/"+config["goarch"])
	}
	for _, k := range []string{"cpu", "machine"} {
		if config[k] != "" {
			where = append(where, config[k])
		}
	}
	if len(where) == 0 {
		where = []string{"an unnamed machine"}
	}
	sentence := "Measured on " + strings.Join(where, ", ")
	if config["go"] != "" {
		sentence += ", with " + config["go"]
	}
	return sentence + "."
}

// medians says how many runs stand behind each figure.
func (all runs) medians() string {
	if len(all) == 1 {
		return "Each figure is of one run."
	}
	return fmt.Sprintf("Each figure is the median of %d runs, or of those of them that its peer took part in.", len(all))
}

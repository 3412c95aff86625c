// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
)

// machineKeys are the keys of the lines `key: value` that describe the machine and the tools of a
// run. go test prints the first three, and the race prints the others.
var machineKeys = []string{"goos", "goarch", "cpu", "machine", "go", "cgo"}

// versionKeys are the keys of the lines `key: value` that say what is measured.
var versionKeys = []string{"commit", "before", "peers"}

// machine returns a sentence about the machine of the runs.
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
	return sentence + "." + all.versions()
}

// versions returns what the runs say about the versions of the entrants, as sentences that follow
// another one.
func (all runs) versions() string {
	config, sentences := all[0].config, ""
	if config["commit"] != "" {
		sentences += " Daybook is that of commit " + config["commit"] + "."
	}
	if config["before"] != "" {
		sentences += " Before means commit " + config["before"] + "."
	}
	if config["peers"] != "" {
		sentences += " The peers are " + config["peers"] + "."
	}
	return sentences
}

// medians returns a sentence about the number of runs that a figure comes from.
func (all runs) medians() string {
	if len(all) == 1 {
		return "Each figure is of one run."
	}
	return fmt.Sprintf("Each figure is the median of %d runs, or of those runs that the peer took part in.", len(all))
}

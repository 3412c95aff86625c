// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"strings"
)

// machineKeys are the keys of the lines `key: value` that describe the machine and the tools of a
// run. go test prints the first three, and the race prints the others.
var machineKeys = []string{"goos", "goarch", "cpu", "machine", "go", "cgo"}

// versionKeys are the keys of the lines `key: value` that say what is measured.
var versionKeys = []string{"commit", "before", "peers"}

// agreedKeys are the keys whose lines are the same in all parts of a run, and in all runs.
var agreedKeys = slices.Concat(machineKeys, versionKeys)

// wantedRuns is the number of runs that figures and bars are meant to be of.
const wantedRuns = 3

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

// medians returns sentences about the number of runs, and of rounds, that a figure comes from.
func (all runs) medians() string {
	sentence := "Each figure is of one run."
	if len(all) > 1 {
		sentence = fmt.Sprintf(
			"Each figure is the median of %d runs, or of those runs that the peer took part in.", len(all))
	}
	if len(all) < wantedRuns {
		sentence += fmt.Sprintf(" **These are fewer than the %d runs that are wanted.**", wantedRuns)
	}
	return sentence + all.rounds()
}

// rounds returns a sentence about the rounds of the runs, which follows another one. Runs from
// before the race said their number have none.
func (all runs) rounds() string {
	var counts []string
	for _, r := range all {
		if r.config["rounds"] != "" {
			counts = append(counts, r.config["rounds"])
		}
	}
	if len(counts) == 0 {
		return ""
	}
	if distinct := slices.Compact(slices.Clone(counts)); len(distinct) == 1 {
		counts = distinct
	}
	return " Rounds of each run: " + strings.Join(counts, ", ") + "."
}

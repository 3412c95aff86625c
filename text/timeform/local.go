// SPDX-License-Identifier: Apache-2.0

package timeform

import (
	"os"
	"path/filepath"
	"strings"
	"time"
)

// nameOfZone returns what a person calls a zone.
func nameOfZone(zone *time.Location) string {
	switch name := zone.String(); {
	case zone != time.Local && name == "":
		return offsetOf(zone)
	case zone != time.Local:
		return name
	case name != "Local": // TZ is UTC, or no zone at all
		return name + " (this machine's zone)"
	}
	if name := localName(); name != "" {
		return name + " (this machine's zone)"
	}
	return "this machine's zone, " + offsetOf(zone)
}

// localName returns the name that this machine's zone has in the tz database, such as
// Europe/Vienna, or nothing if it cannot be known.
func localName() string {
	name, isSet := os.LookupEnv("TZ")
	if !isSet {
		name, _ = filepath.EvalSymlinks("/etc/localtime")
		name = filepath.ToSlash(name)
	} else if name == "" {
		return "UTC"
	}
	name = strings.TrimPrefix(name, ":")
	if _, after, isPath := strings.Cut(name, "zoneinfo/"); isPath {
		name = after
	}
	switch _, err := time.LoadLocation(name); {
	case name == "" || err != nil:
		return ""
	case name == "Etc/UTC":
		return "UTC"
	}
	return name
}

// offsetOf returns the offset that a zone has now: UTC+01:00.
func offsetOf(zone *time.Location) string { return "UTC" + time.Now().In(zone).Format("-07:00") }

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
	if zone == time.Local {
		if name := localName(); name != "" {
			return name + " (this machine's zone)"
		}
		return "this machine's zone, " + offsetOf(zone)
	}
	if zone.String() == "" {
		return offsetOf(zone)
	}
	return zone.String()
}

// localName returns the name that this machine's zone has in the tz database, such as
// Europe/Vienna, or nothing if it cannot be known.
func localName() string {
	name, isSet := os.LookupEnv("TZ")
	name = strings.TrimPrefix(name, ":")
	if !isSet {
		name, _ = filepath.EvalSymlinks("/etc/localtime")
	}
	if _, after, isPath := strings.Cut(name, "zoneinfo/"); isPath {
		name = after
	}
	switch {
	case isSet && name == "", name == "Etc/UTC":
		return "UTC"
	case strings.HasPrefix(name, "/"):
		return ""
	}
	if _, err := time.LoadLocation(name); err != nil {
		return ""
	}
	return name
}

// offsetOf returns the offset that a zone has now: UTC+01:00.
func offsetOf(zone *time.Location) string { return "UTC" + time.Now().In(zone).Format("-07:00") }

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"
	"time"
)

func TestZoneFlag(t *testing.T) {
	at := time.Date(2024, 7, 1, 0, 0, 0, 0, time.UTC)
	for typed, want := range map[string]int{ // seconds east of UTC; -1: an error
		"Europe/Vienna": 2 * 3600, "UTC": 0, "+01:00": 3600, "-0530": -(5*3600 + 30*60), "+02": 2 * 3600,
		"": -1, "Europe/Atlantis": -1, "1": -1, "../etc/passwd": -1,
	} {
		var flag zoneFlag
		err := flag.Set(typed)
		if (err != nil) != (want == -1) {
			t.Errorf("%q: error %v", typed, err)
		}
		if err != nil {
			continue
		}
		if _, offset := at.In(flag.zone).Zone(); offset != want {
			t.Errorf("%q is %d s east of UTC; want %d", typed, offset, want)
		}
	}
}

func TestCharacterFlag(t *testing.T) {
	for typed, want := range map[string]rune{
		";": ';', "tab": '\t', `\t`: '\t', "\t": '\t', "|": '|', "space": ' ', "§": '§',
		"": 0, ";;": 0, "\n": 0, `"`: 0, "\x00": 0, "\xff": 0,
	} {
		var flag characterFlag
		if err := flag.Set(typed); (err != nil) != (want == 0) || err == nil && flag.value != want {
			t.Errorf("%q: got %q, %v; want %q", typed, flag.value, err, want)
		}
	}
}

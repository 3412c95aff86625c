// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/daybook-db/daybook/text"
	"github.com/daybook-db/daybook/text/timeform"
)

// findZone takes the zone that a document of Open-Meteo says beside its values. All its times have
// the offset.
func (d *jsonDetection) findZone(document *node) {
	const maxOffset = 14 * 60 * 60
	if d.hints.Time.Zone != nil {
		return
	}
	if offset := document.member("utc_offset_seconds"); offset != nil && offset.kind == numberNode {
		seconds, err := strconv.Atoi(offset.text)
		if err == nil && -maxOffset <= seconds && seconds <= maxOffset {
			d.hints.Time.Zone = zoneOfOffset(seconds)
		}
		return
	}
	if name := document.member("timezone"); name != nil && name.kind == stringNode && name.text != "" {
		if zone, err := time.LoadLocation(name.text); err == nil {
			d.hints.Time.Zone = zone
		}
	}
}

// namesOfZones are the names of members that hold a zone.
var namesOfZones = strings.Fields("tz zone timezone time_zone timeZone tzid tzname offset utc_offset " +
	"utcOffset tz_offset")

// offsetText matches an offset from UTC.
var offsetText = regexp.MustCompile(`^(?:UTC|GMT)?[+-][0-9]{1,2}(?::?[0-9]{2})?$`)

// checkZones refuses times without a zone beside a member that has one: each value may have its
// own.
func (d *jsonDetection) checkZones(form *timeform.Form, member *timeMember) error {
	if d.hints.Time.Zone != nil || !form.UsesZone() {
		return nil
	}
	for _, m := range scalars(d.objects) {
		isBeside := len(m.names) == 1 || m.parent() == member.parent()
		if isBeside && slices.Contains(namesOfZones, m.name()) && isZone(m.samples[0]) {
			want := "one, as " + quotedPaths([]*timeMember{m}) + " says, which is not read"
			return &text.TimeError{Text: member.samples[0], Err: text.ErrNoZone, Want: want}
		}
	}
	return nil
}

func isZone(text string) bool {
	if offsetText.MatchString(text) {
		return true
	}
	_, err := time.LoadLocation(text)
	return err == nil && text != ""
}

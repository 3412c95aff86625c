// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/daybook-db/daybook/text/timeform"
)

// maxTimePath is how many names the path of a time has.
const maxTimePath = 3

// timeMember is a member that may be the time of objects.
type timeMember struct {
	names   []string
	samples []string // its texts, in the order of the objects
	lines   []int
	objects int // that have it
	looks   timeform.Likelihood
	score   int // how much it looks like the time of the objects; 0 is not at all
}

func (m *timeMember) path() string { return pathOf(m.names) }

// name is the last one of its path.
func (m *timeMember) name() string { return m.names[len(m.names)-1] }

// parent is the path of the object around it.
func (m *timeMember) parent() string { return pathOf(m.names[:len(m.names)-1]) }

// scalars returns the members of objects that are strings or numbers, in the order of their first
// appearance.
func scalars(objects []*node) (members []*timeMember) {
	byPath := make(map[string]*timeMember)
	var walk func(object *node, names []string)
	walk = func(object *node, names []string) {
		for i, value := range object.nodes {
			path := append(slices.Clone(names), object.names[i])
			switch {
			case object.names[i] == "": // no path leads to it
			case value.kind == objectNode && len(path) < maxTimePath:
				walk(value, path)
			case value.kind == stringNode || value.kind == numberNode:
				key := pathOf(path)
				if byPath[key] == nil {
					byPath[key] = &timeMember{names: path}
					members = append(members, byPath[key])
				}
				m := byPath[key]
				m.objects++
				m.samples, m.lines = append(m.samples, value.text), append(m.lines, object.line)
			}
		}
	}
	for _, object := range objects {
		walk(object, nil)
	}
	for _, m := range members {
		m.judge(len(objects))
	}
	return members
}

// namesOfTimes are names of times that wordsOf does not tell: of mosquitto_sub, OpenWeather,
// journald and OTLP.
var namesOfTimes = strings.Fields("tst dt __REALTIME_TIMESTAMP timeUnixNano @t")

// otherTimes are words of the names of times at which nothing was measured, and of numbers.
var otherTimes = strings.Fields("until end next monotonic valid id by count counter serial duration interval " +
	"timeout elapsed taken uptime")

// nameLikelihood says how much the name of a member is that of a time, and reports false for the
// name of a time that is none of a reading.
func nameLikelihood(name string) (likelihood int, ok bool) {
	if isOtherDate(name) {
		return 0, false
	}
	for _, word := range wordsOf(name) {
		if slices.Contains(otherTimes, word) {
			return 0, false
		}
	}
	if slices.Contains(namesOfTimes, name) {
		return strongName, true
	}
	return likelihoodOfName(name), true
}

// judge says how much a member looks like the time of objects.
func (m *timeMember) judge(objects int) {
	name, ok := nameLikelihood(m.name())
	m.looks = timeform.Looks(m.samples)
	switch {
	case !ok || 2*m.objects < objects || m.looks < timeform.Numbers:
		return
	case name == 0 && m.looks < timeform.Times:
		return
	}
	score := 2*name + int(m.looks)
	if m.objects == objects {
		score++
	}
	m.score = (maxTimePath+1)*score - len(m.names)
}

// timesOf returns the members that are the time of objects: one, or a date and a time of day. The
// others look like times, too.
func timesOf(objects []*node) (times, others []*timeMember) {
	members := scalars(objects)
	var best *timeMember
	for _, m := range members {
		if m.score > 0 && (best == nil || m.score > best.score) {
			best = m
		}
	}
	if second, part := pairOfSecond(members); second >= 0 && (best == nil || best == members[second]) {
		return []*timeMember{members[second], members[part]}, nil
	}
	if best == nil {
		return nil, nil
	}
	times = []*timeMember{best}
	if best.looks == timeform.Dates {
		if clock := clockBeside(best, members); clock != nil {
			times = append(times, clock)
		}
	}
	for _, m := range members {
		if !slices.Contains(times, m) && m.score > 0 && m.looks >= best.looks {
			others = append(others, m)
		}
	}
	return times, others
}

// hasInnerTimes reports whether a value has an array whose elements have times of their own, as the
// intervals of a meter have. They may end an interval.
func hasInnerTimes(value *node) bool {
	if value.kind == arrayNode && isSeries(value.nodes) {
		return true
	}
	return slices.ContainsFunc(value.nodes, hasInnerTimes)
}

// isSeries reports whether the elements of an array are objects with a time, or arrays that start
// with one.
func isSeries(elements []*node) bool {
	var objects []*node
	var firsts []string
	for _, element := range elements {
		switch {
		case element.kind == objectNode:
			objects = append(objects, element)
		case element.kind == arrayNode && len(element.nodes) > 1:
			firsts = append(firsts, element.nodes[0].text)
		}
	}
	isTime := func(m *timeMember) bool {
		name := m.name()
		return m.looks == timeform.Times && !isOtherDate(name) ||
			m.looks >= timeform.Numbers && !isOtherDate(name) && likelihoodOfName(name) > 0
	}
	return timeform.Looks(firsts) >= timeform.Numbers || slices.ContainsFunc(scalars(objects), isTime)
}

// namedLikeTime returns a member that has the name of a time, whatever its values are. Their error
// says more than that there is no time.
func namedLikeTime(objects []*node) *timeMember {
	for _, m := range scalars(objects) {
		name, ok := nameLikelihood(m.name())
		if ok && name == strongName && m.objects == len(objects) && m.looks != timeform.Clocks {
			return m
		}
	}
	return nil
}

// clockBeside returns the time of day that belongs to a date, or nil. Of several it is the one
// whose name is most like that of the date.
func clockBeside(date *timeMember, members []*timeMember) (clock *timeMember) {
	for _, m := range members {
		name, ok := nameLikelihood(m.name())
		if ok && name > 0 && m.parent() == date.parent() && m.objects == date.objects &&
			m.looks == timeform.Clocks {
			if clock == nil || kinship(date.name(), m.name()) > kinship(date.name(), clock.name()) {
				clock = m
			}
		}
	}
	return clock
}

// joinedSamples returns the texts of a time, and the line of the first.
func joinedSamples(times []*timeMember) (samples []string, line int) {
	for i := range times[0].samples {
		var parts []string
		for _, m := range times {
			if i < len(m.samples) {
				parts = append(parts, m.samples[i])
			}
		}
		samples = append(samples, strings.Join(parts, " "))
	}
	return samples, times[0].lines[0]
}

// quotedPaths names members.
func quotedPaths(members []*timeMember) string {
	paths := make([]string, len(members))
	for i, m := range members {
		paths[i] = m.path()
	}
	return quoted(paths)
}

// isTopicForm reports whether the values have AimDB's form, which readers know and read faster.
func (d *jsonDetection) isTopicForm(times []*timeMember) bool {
	said := d.hints.Reader
	return len(said.Time) == 0 && said.Record == "" && said.Value == "" && len(times) == 1 &&
		times[0].path() == "ts" && d.allHave("topic") && d.allHave("payload")
}

// useTime fills in the time of a finding.
func (d *jsonDetection) useTime(times, others []*timeMember) error {
	opts := &d.finding.Reader
	samples, line := joinedSamples(times)
	isUTC := func(m *timeMember) bool { return isNameOfUTC(m.name()) }
	if d.hints.Time.Zone == nil && slices.ContainsFunc(times, isUTC) {
		d.hints.Time.Zone = time.UTC
	}
	d.hints.Time.Addend = addendOf(times, d.hints.Time)
	form, err := timeform.Detect(samples, d.hints.Time)
	if err != nil {
		return fmt.Errorf("line %d: time in %s: %w", line, quotedPaths(times), err)
	}
	if err := d.checkZones(form, times[0]); err != nil {
		return fmt.Errorf("line %d: time in %s: %w", line, quotedPaths(times), err)
	}
	if i, err := checkHalfDays(samples, d.hints.Time); err != nil {
		return fmt.Errorf("line %d: time in %s: %w", times[0].lines[i], quotedPaths(times), err)
	}
	d.finding.Time, opts.Times = form, form.NewParser()
	if opts.Time = nil; !d.isTopicForm(times) {
		for _, m := range times {
			opts.Time = append(opts.Time, m.path())
		}
	}
	not := ""
	if len(others) > 0 {
		not = " (not " + quotedPaths(others) + ")"
	}
	d.finding.add("time: %s%s as %s", quotedPaths(times), not, form)
	return nil
}

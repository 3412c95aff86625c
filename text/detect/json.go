// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/text"
)

// ErrUnknownShape is returned for JSON that has values in a place where only a person can tell
// which of them belong together, such as arrays in arrays.
var ErrUnknownShape = errors.New("it has arrays, and it cannot be known which of their elements are the values")

// ErrInnerTimes is returned for JSON whose values have arrays with times of their own: a reading
// may be an element, or the whole value.
var ErrInnerTimes = errors.New("it has arrays with times of their own, and it cannot be known " +
	"whether their elements are the values")

// jsonDetection is the detection of one file of JSON.
type jsonDetection struct {
	sample  Sample
	hints   Hints
	objects []*node // the values in the sample
	keyed   bool    // the values are in an array of each member
	finding *Finding
}

// detectJSON finds how a file of JSON is written.
func detectJSON(sample Sample, hints Hints) (*Finding, error) {
	d := &jsonDetection{sample: sample, hints: hints, finding: &Finding{Reader: hints.Reader}}
	if err := d.findValues(); err != nil {
		return nil, err
	}
	if d.isOwn() {
		d.finding.Own = true
		d.finding.say("in the form that export writes")
		return d.finding, nil
	}
	if err := d.findTime(); err != nil {
		return nil, err
	}
	return d.finding, d.findRecord()
}

// findValues finds the kind of the file, and its first values.
func (d *jsonDetection) findValues() error {
	head := bytes.TrimLeft(d.sample.Text, " \t\r\n")
	if len(head) > 0 && head[0] == '[' {
		d.finding.Kind = JSONArray
		return d.useElements(newTreeParser(d.sample.Text).values())
	}
	d.finding.Kind = NDJSON
	if d.hints.Kind == NDJSON || kindOfObjects(d.sample) == NDJSON && !isOneText(d.sample) {
		d.objects = treesOfLines(cutLine(d.sample).Text)
		if len(d.objects) == 0 && !d.sample.Whole && !bytes.Contains(d.sample.Text, []byte{'\n'}) {
			d.objects = newTreeParser(d.sample.Text).values() // a line that is longer than the sample
		}
		return d.checkObjects()
	}
	values := newTreeParser(d.sample.Text).values()
	if len(values) != 1 {
		d.objects = slices.DeleteFunc(values, func(n *node) bool { return n.kind != objectNode || !n.complete })
		return d.checkObjects()
	}
	return d.useDocument(values[0])
}

// useElements takes the objects of an array.
func (d *jsonDetection) useElements(values []*node) error {
	if len(values) == 0 {
		return d.checkObjects()
	}
	for _, element := range values[0].nodes {
		if element.kind == arrayNode {
			return shapeError(ErrUnknownShape, values[0].nodes...)
		}
		if element.kind == objectNode && element.complete {
			d.objects = append(d.objects, element)
		}
	}
	return d.checkObjects()
}

// useDocument takes the values of a document, or the document as one value.
func (d *jsonDetection) useDocument(document *node) error {
	if found, err := d.findRows(document); found || err != nil {
		d.finding.Kind = JSONDocument
		return err
	}
	if !document.complete {
		if document.member("record_name") != nil || document.member("topic") != nil {
			d.objects = []*node{document} // a line that is longer than the sample
			return nil
		}
		d.finding.Kind = JSONDocument
		return shapeError(ErrUnknownShape, document)
	}
	if d.finding.Kind = NDJSON; bytes.Contains(bytes.TrimSpace(d.sample.Text), []byte{'\n'}) {
		d.finding.Kind = JSONDocument
	}
	d.objects = []*node{document}
	return nil
}

// isOneText reports whether a file is one JSON text.
func isOneText(sample Sample) bool {
	return sample.Whole && json.Valid(sample.Text)
}

// checkObjects returns the error of a file without a value. A reader knows where it is wrong. It
// also knows where each line is that is wrong, if all are.
func (d *jsonDetection) checkObjects() error {
	if len(d.objects) > 0 || d.finding.Kind == NDJSON && d.sample.Whole {
		return nil
	}
	values, err := text.NewJSONReader(bytes.NewReader(d.sample.Text), text.ReadOptions{Name: d.hints.Reader.Name})
	if err != nil {
		return err
	}
	if _, err = values.Read(); err == nil || err == io.EOF {
		return nil
	}
	return err
}

// isOwn reports whether export wrote the values: the first has no other members than those of
// export, among them the record's name. The others may be damaged.
func (d *jsonDetection) isOwn() bool {
	opts := d.hints.Reader
	if d.finding.Kind != NDJSON || opts.Record != "" || len(opts.Time) > 0 || opts.Value != "" {
		return false
	}
	if len(d.objects) == 0 {
		return true // nor is it anything else
	}
	first := d.objects[0]
	if !first.complete { // its time is beyond the sample
		return true
	}
	others := slices.DeleteFunc(slices.Clone(first.names), func(name string) bool {
		return name == "record_name" || name == "stored_at" || name == "value"
	})
	return len(others) == 0 && first.member("record_name") != nil
}

// allHave reports whether each object has a member.
func (d *jsonDetection) allHave(name string) bool {
	return len(d.objects) > 0 &&
		!slices.ContainsFunc(d.objects, func(object *node) bool { return object.member(name) == nil })
}

// findTime finds the members that hold the time, and their form.
func (d *jsonDetection) findTime() error {
	opts := &d.finding.Reader
	if len(d.objects) == 0 {
		return nil // nor has it a time
	}
	if len(opts.Time) > 0 {
		return d.useSaidTime(opts.Time)
	}
	isOwnForm := d.allHave("record_name") && d.allHave("value") && d.allHave("stored_at")
	if isOwnForm && opts.Record == "" && opts.Value == "" {
		d.finding.add(`time: "stored_at"`)
		return nil
	}
	times, others := timesOf(d.objects)
	if times == nil {
		if named := namedLikeTime(d.objects); named != nil {
			times = []*timeMember{named}
		}
	}
	switch {
	case times != nil && !d.allHave("topic") && slices.ContainsFunc(d.objects, hasInnerTimes):
		return shapeError(ErrInnerTimes, d.objects...)
	case times != nil:
		if err := cmp.Or(d.checkWide(times), d.checkParts(times)); err != nil {
			return err
		}
		if err := d.useTime(times, others); err != nil {
			return err
		}
		return d.checkAddends(times)
	case opts.StampNow:
		d.finding.add("time: now")
		return nil
	}
	return d.noTime()
}

// useSaidTime finds the form of the time that a person named.
func (d *jsonDetection) useSaidTime(paths []string) error {
	var times []*timeMember
	members := scalars(d.objects)
	for _, path := range paths {
		i := slices.IndexFunc(members, func(m *timeMember) bool { return m.path() == path })
		if i < 0 {
			return nil // a reader says that it is missing
		}
		times = append(times, members[i])
	}
	return d.useTime(times, nil)
}

// noTime returns the error of values in which nothing looks like a time.
func (d *jsonDetection) noTime() error {
	if slices.ContainsFunc(d.objects, func(object *node) bool { return object.nests(false) }) {
		return shapeError(ErrUnknownShape, d.objects...)
	}
	members := scalars(d.objects)
	if len(members) == 0 {
		return ErrNoTime
	}
	return fmt.Errorf("%w: its members are %s", ErrNoTime, quotedPaths(members))
}

// findRecord finds what names the record: a member, or the file.
func (d *jsonDetection) findRecord() error {
	opts := &d.finding.Reader
	const field = "{" + text.AnyMember + "}"
	switch {
	case d.keyed && opts.Record != "" && !strings.Contains(opts.Record, field):
		return fmt.Errorf("%w: %q is one record for the arrays of all members; want %s in it, their name",
			daybook.ErrInvalidParams, opts.Record, field)
	case opts.Record != "":
	case d.keyed:
		opts.Record = RecordOfFile(opts.Name) + "." + field
	case d.allHave("record_name"):
		d.finding.add(`record from "record_name"`)
		return nil
	case d.allHave("topic"):
		d.finding.add(`record from "topic"`)
		return nil
	default:
		opts.Record = RecordOfFile(opts.Name)
	}
	d.finding.add("record %q", opts.Record)
	return nil
}

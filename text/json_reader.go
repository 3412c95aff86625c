// SPDX-License-Identifier: Apache-2.0

package text

import (
	"io"

	"github.com/daybook-db/daybook"
)

// jsonReader reads JSON of other programs.
type jsonReader struct {
	values *JSONValues
	form   *objectForm
}

// NewJSONReader returns a reader of JSON objects: NDJSON, one array of them, or a document in which
// opts.JSON says where they are. Objects that follow each other may span several lines.
//
// Without opts.Record, opts.Time and opts.Value, objects have the forms that NewNDJSONReader reads.
// With one of them, the record is opts.Record, whose fields are paths in the object. Default:
// record_name, or topic with "." for "/". The time is at the paths opts.Time. Default: ts. The
// value is what opts.Value leads to. Default: the payload beside a topic, the value beside a
// record_name, or else the object without its record and its time; the rest keeps its bytes and its
// order.
//
// A path has names with dots between them, and numbers for the elements of an array, as in
// "axes.0.speed". A dot in a name has a backslash before it.
//
// A payload that is no JSON is kept as a string.
func NewJSONReader(in io.Reader, opts ReadOptions) (ValueReader, error) {
	form, err := newObjectForm(opts)
	if err != nil {
		return nil, err
	}
	values, err := NewJSONValues(in, opts)
	if err != nil {
		return nil, err
	}
	values.isValue, values.isTime = form.hasTime, form.isTime
	return &jsonReader{values, form}, nil
}

func (r *jsonReader) Read() (daybook.StoredValue, error) {
	raw, key, err := r.values.next()
	if err != nil {
		return daybook.StoredValue{}, err
	}
	value, err := r.form.parse(raw, key)
	if err != nil {
		return value, r.values.LineError(err)
	}
	return value, nil
}

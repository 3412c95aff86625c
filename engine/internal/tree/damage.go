// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"errors"
	"fmt"

	"github.com/daybook-db/daybook"
)

// damage is a fault of one record's chunks, or of its catalogue entry.
type damage struct {
	record string
	fault  error
}

func (d *damage) Error() string { return d.fault.Error() }
func (d *damage) Unwrap() error { return d.fault }

// inRecord says of which record an error is a damage, if it is one.
func (path guard) inRecord(record []byte, err error) error {
	if err = path.fault(err); errors.Is(err, daybook.ErrCorrupt) {
		return &damage{string(record), err}
	}
	return err
}

// damages are those that were met, and do not stop what is done to other records.
type damages struct {
	records map[string]bool
	first   error
}

// add reports whether err is the first damage of a record.
func (d *damages) add(err error) bool {
	var one *damage
	if !errors.As(err, &one) || d.records[one.record] {
		return false
	}
	if d.first == nil {
		d.first, d.records = err, make(map[string]bool)
	}
	d.records[one.record] = true
	return true
}

func (d *damages) of(record []byte) bool { return d.records[string(record)] }

func (d *damages) error() error {
	if others := len(d.records) - 1; others > 0 {
		return fmt.Errorf("%w; %d more records are damaged", d.first, others)
	}
	return d.first
}

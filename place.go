// SPDX-License-Identifier: Apache-2.0

package daybook

import "fmt"

// Place is a place within the result of a query: after some of its values. With it a program reads
// a result in pieces, without holding a snapshot in between:
//
//	place := &daybook.Place{}
//	for {
//		params.After = place
//		for value, err := range db.Scan(ctx, "*", params) {
//			...
//			place.Advance(value.RecordName, value.StoredAt)
//			... // break after enough values
//		}
//	}
//
// Read pieces with Query or Scan, and decode afterwards: QueryAs may return fewer values than the
// limit while more follow. The JSON of a Place is a token for the next page; escape it in a URL.
//
// A value that is stored or deleted between two pieces is in the next piece if it comes after the
// place, as in any query. If values with the place's own record and timestamp are stored or
// deleted, the next piece may repeat or skip one of these.
type Place struct {
	RecordName string `json:"record_name"` // of the last value before the place; "": the beginning
	StoredAt   uint64 `json:"stored_at"`   // its timestamp, Unix ms
	Ties       int    `json:"ties"`        // number of the record's values with that timestamp before the place
}

// Advance moves the place to after the next value of the result, by its record name and timestamp:
// those of a StoredValue or of a Typed. If ScanAs has skipped a value that does not decode, the
// next piece may repeat one with the same record name and timestamp.
func (p *Place) Advance(recordName string, storedAt uint64) {
	if recordName != p.RecordName || storedAt != p.StoredAt {
		*p = Place{RecordName: recordName, StoredAt: storedAt}
	}
	p.Ties++
}

// IsBeginning reports whether the place is before all values. A nil place is, and the zero Place.
func (p *Place) IsBeginning() bool { return p == nil || *p == Place{} }

// validate returns an error that matches ErrInvalidParams if the place is malformed.
func (p *Place) validate() error {
	switch {
	case p.IsBeginning():
		return nil
	case p.RecordName == "":
		return fmt.Errorf("%w: got After.StoredAt %d and After.Ties %d without After.RecordName; want the record "+
			"of the last value before the place, or the zero Place", ErrInvalidParams, p.StoredAt, p.Ties)
	case p.Ties < 0:
		return fmt.Errorf("%w: got After.Ties %d; want 0 or more", ErrInvalidParams, p.Ties)
	}
	if err := ValidateRecordName(p.RecordName); err != nil {
		return fmt.Errorf("%w: After.RecordName: %w", ErrInvalidParams, err)
	}
	return nil
}

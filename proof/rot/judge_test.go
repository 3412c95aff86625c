// SPDX-License-Identifier: Apache-2.0

package rot

import (
	"context"
	"errors"
	"fmt"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine"
)

// judge asks a store questions, compares its answers with those of an oracle, and collects the
// findings.
type judge struct {
	ctx      context.Context
	damage   *damageCase
	db       *engine.DB
	stage    string
	findings *[]finding
}

func (j *judge) report(what, format string, args ...any) {
	*j.findings = append(*j.findings, finding{what, j.stage + ": " + fmt.Sprintf(format, args...)})
}

// attempt makes a call. An error that is not ErrCorrupt is a finding, and so is a panic.
func (j *judge) attempt(what string, call func() error) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("%w: a panic", daybook.ErrCorrupt)
			j.report(panicked, "%s: %.200v", what, cause)
		}
	}()
	err = call()
	allowed := err == nil || errors.Is(err, daybook.ErrCorrupt)
	if !allowed {
		j.report(otherError, "%s: %.300v", what, err)
	}
	return err
}

// query asks one question and compares the answer. The values that a scan yields before an error
// must be right too.
func (j *judge) query(q question, want []daybook.StoredValue) (readable bool) {
	var got []daybook.StoredValue
	err := j.attempt(q.String(), func() error {
		for value, err := range j.db.Scan(j.ctx, q.pattern, q.params) {
			if err != nil {
				return err
			}
			got = append(got, value)
			if len(got) > len(want) {
				return nil
			}
		}
		return nil
	})
	if diff := difference(got, want, err == nil); diff != "" {
		j.report(wrongData, "%v: %s", q, diff)
	}
	return err == nil
}

// difference describes how an answer differs from the right one, and is empty if it does not.
// Unless the answer is complete, values may be missing at its end.
func difference(got, want []daybook.StoredValue, complete bool) string {
	for i, v := range got {
		if i >= len(want) {
			return fmt.Sprintf("more than %d values", len(want))
		}
		w := want[i]
		if v.RecordName != w.RecordName || v.StoredAt != w.StoredAt || string(v.Value) != string(w.Value) {
			return fmt.Sprintf("value %d is %.30q at %d: %.30s; want %.30q at %d: %.30s",
				i, v.RecordName, v.StoredAt, v.Value, w.RecordName, w.StoredAt, w.Value)
		}
	}
	if complete && len(got) < len(want) {
		return fmt.Sprintf("%d values; want %d", len(got), len(want))
	}
	return ""
}

// askAll asks all questions.
func (j *judge) askAll(o *oracle) {
	for _, q := range o.always() {
		want, known := o.answers[q.String()]
		if !known {
			want = o.answer(q)
			o.answers[q.String()] = want
		}
		j.query(q, want)
	}
	j.askAboutHit(o)
	j.askRecords(o)
	j.askStats(o)
	j.askNotes(o)
}

// Each victim has a hold that spares nothing, and a stream that was received without values. The
// tree keeps both as notes. Most victims have another stream, whose position is in the log.
var (
	someHold  = daybook.Hold{Name: "rot", Pattern: daybook.Pattern{Text: "no such record"}, MaxBytes: 1234}
	someBatch = func() daybook.Batch {
		b := daybook.Batch{Store: [16]byte{1}, Epoch: [16]byte{2}, Stream: "rot", Through: 77}
		b.Digest = daybook.DigestOf(&b)
		return b
	}()
	loggedStream = daybook.Batch{Store: [16]byte{1}, Epoch: [16]byte{2}, Stream: "logged"}
)

// askNotes compares the hold and the positions. A hold or a position that is missing would let
// values be deleted, or stored twice.
func (j *judge) askNotes(o *oracle) {
	var holds []daybook.HoldInfo
	err := j.attempt("Holds", func() (err error) {
		holds, err = j.db.Holds(j.ctx)
		return err
	})
	if err == nil && (len(holds) != 1 || holds[0] != daybook.HoldInfo{Hold: someHold}) {
		j.report(wrongData, "Holds: %+v; want %+v", holds, someHold)
	}
	j.askPosition(&someBatch, someBatch.Position())
	j.askPosition(&loggedStream, o.position)
}

func (j *judge) askPosition(of *daybook.Batch, want daybook.Position) {
	var at daybook.Position
	err := j.attempt("Position", func() (err error) {
		at, err = j.db.Position(j.ctx, of.Store, of.Epoch, of.Stream)
		return err
	})
	if err == nil && at != want {
		j.report(wrongData, "Position of %q: %+v; want %+v", of.Stream, at, want)
	}
}

// askAboutHit asks about the records that are read through the damaged place.
func (j *judge) askAboutHit(o *oracle) {
	for _, record := range j.damage.Hit {
		for _, q := range o.about(record) {
			j.query(q, o.answer(q))
		}
	}
}

// askRecords compares the list of records.
func (j *judge) askRecords(o *oracle) {
	n := 0
	_ = j.attempt("Records", func() error {
		for info, err := range j.db.Records(j.ctx, "*", daybook.Glob) {
			if err != nil {
				return err
			}
			if n >= len(o.records) || info != o.info(o.records[n]) {
				j.report(wrongData, "Records: record %d is %.200q", n, fmt.Sprint(info))
				return nil
			}
			n++
		}
		if n < len(o.records) {
			j.report(wrongData, "Records: %d records; want %d", n, len(o.records))
		}
		return nil
	})
}

func (o *oracle) info(record string) daybook.RecordInfo {
	values := o.values[record]
	info := daybook.RecordInfo{
		RecordName: record, Count: uint64(len(values)), Oldest: values[0].At, Newest: values[len(values)-1].At,
	}
	for _, v := range values {
		info.Bytes += uint64(len(v.Value))
	}
	return info
}

func (j *judge) askStats(o *oracle) {
	var stats daybook.Stats
	err := j.attempt("Stats", func() (err error) {
		stats, err = j.db.Stats(j.ctx)
		return err
	})
	records := uint64(len(o.records))
	if err == nil && (stats.Values != o.count || stats.ValueBytes != o.bytes || stats.Records != records ||
		stats.LastSequence != o.lastSequence) {
		j.report(wrongData, "Stats: got %d values of %d bytes in %d records, the last is %d; want %d, %d, %d, %d",
			stats.Values, stats.ValueBytes, stats.Records, stats.LastSequence,
			o.count, o.bytes, records, o.lastSequence)
	}
}

// readable queries each record by itself in both orders, and returns those for which both
// succeeded. A query for the oldest values first also reads the page after the record's last one.
func (j *judge) readable(o *oracle) map[string]bool {
	readable := make(map[string]bool)
	for _, record := range o.records {
		readable[record] = true
		for _, order := range []daybook.Order{daybook.NewestFirst, daybook.OldestFirst} {
			q := question{record, daybook.QueryParams{Order: order}}
			readable[record] = j.query(q, o.answer(q)) && readable[record]
		}
	}
	return readable
}

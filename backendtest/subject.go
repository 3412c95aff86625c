// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
)

// subject is the backend that a case tests, together with helpers that keep cases short.
type subject struct {
	*testing.T
	backend daybook.Backend
	limits  Capabilities
	why     string // the promise that a failure breaks
}

// newSubject opens a backend and verifies that it is empty. The backend is closed when the test
// ends.
func newSubject(t *testing.T, open func(t *testing.T) daybook.Backend, limits Capabilities, test testCase) *subject {
	t.Helper()
	s := &subject{T: t, backend: open(t), limits: limits, why: test.why}
	if s.backend == nil {
		t.Fatal("open returned a nil Backend")
	}
	if closing, ok := daybook.As[io.Closer](s.backend); ok && !limits.SkipClose {
		t.Cleanup(func() {
			if err := closing.Close(); err != nil && !errors.Is(err, daybook.ErrClosed) {
				t.Errorf("Close at the end of the test: %v", err)
			}
		})
	}
	if err := s.backend.Initialize(s.Context()); err != nil {
		t.Fatalf("Initialize: %v", err)
	}
	s.want("*", daybook.QueryParams{})
	return s
}

// abilityOf returns the backend as an ability that its theme needs.
func abilityOf[Ability any](s *subject) Ability {
	s.Helper()
	ability, ok := daybook.As[Ability](s.backend)
	if !ok {
		s.Fatalf("%T has no %T any more", s.backend, &ability)
	}
	return ability
}

// wrong fails the test and names the broken promise.
func (s *subject) wrong(format string, args ...any) {
	s.Helper()
	s.Errorf("%s\nwhy: %s", fmt.Sprintf(format, args...), s.why)
}

// row is a stored value in a form that is easy to write and to read.
type row struct {
	Name  string
	Value string
	At    uint64
}

// store stores rows one by one. The test ends if it cannot.
func (s *subject) store(rows ...row) {
	s.Helper()
	for _, r := range rows {
		if err := s.backend.Store(s.Context(), r.Name, json.RawMessage(r.Value), r.At); err != nil {
			s.Fatalf("Store(%q, %s, %d): %v\nwhy: %s", shorten(r.Name), shorten(r.Value), r.At, err, s.why)
		}
	}
}

// storeNames stores one value under each name.
func (s *subject) storeNames(names ...string) {
	s.Helper()
	for _, name := range names {
		s.store(row{name, "1", 1})
	}
}

func (s *subject) query(pattern string, params daybook.QueryParams) []daybook.StoredValue {
	s.Helper()
	values, err := s.backend.Query(s.Context(), pattern, params)
	if err != nil {
		s.Fatalf("Query(%q, %s): %v\nwhy: %s", shorten(pattern), describe(params), err, s.why)
	}
	return values
}

// want compares the result of a query.
func (s *subject) want(pattern string, params daybook.QueryParams, want ...row) {
	s.Helper()
	got := s.rows(s.query(pattern, params))
	if diff := cmp.Diff(s.comparable(want), got); diff != "" {
		s.wrong("Query(%q, %s) (-want +got):\n%s", shorten(pattern), describe(params), diff)
	}
}

// wantNames compares the record names in the result of a query.
func (s *subject) wantNames(pattern string, syntax daybook.PatternSyntax, want ...string) {
	s.Helper()
	got := []string{}
	for _, v := range s.query(pattern, daybook.QueryParams{Syntax: syntax}) {
		got = append(got, v.RecordName)
	}
	if diff := cmp.Diff(append([]string{}, want...), got); diff != "" {
		s.wrong("records that the %s pattern %q matches (-want +got):\n%s", syntax, shorten(pattern), diff)
	}
}

// wantError verifies that invalid input is refused with an error that matches want and says what is
// wrong, on one line.
func (s *subject) wantError(what string, got, want error) {
	s.Helper()
	switch {
	case !errors.Is(got, want):
		s.wrong("%s: got error %v; want one that matches %q", what, got, want)
	case got.Error() == want.Error():
		s.wrong("%s: the error %q does not say what is wrong; want one that wraps it", what, got)
	case strings.Contains(got.Error(), "\n") || len(got.Error()) > 1000:
		s.wrong("%s: the error has %d bytes: %q; want one line of at most 1000 bytes",
			what, len(got.Error()), shorten(got.Error()))
	}
}

func (s *subject) wantCount(what string, got uint64, err error, want uint64) {
	s.Helper()
	if err != nil || got != want {
		s.wrong("%s = %d, %v; want %d", what, got, err, want)
	}
}

func (s *subject) cleanup(olderThan, want uint64) {
	s.Helper()
	got, err := s.backend.Cleanup(s.Context(), olderThan)
	s.wantCount(fmt.Sprintf("Cleanup(%d)", olderThan), got, err, want)
}

// rows returns stored values as rows that can be compared.
func (s *subject) rows(values []daybook.StoredValue) []row {
	rows := []row{}
	for _, v := range values {
		rows = append(rows, row{v.RecordName, string(v.Value), v.StoredAt})
	}
	return s.comparable(rows)
}

// comparable returns rows with short texts, and with canonical values if the backend returns only
// equal JSON.
func (s *subject) comparable(rows []row) []row {
	compared := []row{}
	for _, r := range rows {
		if s.limits.EqualJSON {
			r.Value = canonical(r.Value)
		}
		compared = append(compared, row{shorten(r.Name), shorten(r.Value), r.At})
	}
	return compared
}

// canonical returns the same text for all JSON texts that are equal.
func canonical(text string) string {
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		return text
	}
	encoded, err := json.Marshal(value)
	if err != nil {
		return text
	}
	return string(encoded)
}

// shorten cuts a long text for a failure message. A checksum keeps different texts different.
func shorten(text string) string {
	const maxLen = 120
	if len(text) <= maxLen {
		return text
	}
	start, sum := strings.ToValidUTF8(text[:maxLen], "?"), crc32.ChecksumIEEE([]byte(text))
	return fmt.Sprintf("%s... (%d bytes, CRC-32 %08x)", start, len(text), sum)
}

// describe writes parameters for a failure message.
func describe(params daybook.QueryParams) string {
	text := fmt.Sprintf("%s, %s", params.Syntax, params.Order)
	if params.LimitPerRecord != 0 {
		text += fmt.Sprintf(", limit %d", params.LimitPerRecord)
	}
	if params.StartTime != nil {
		text += fmt.Sprintf(", from %d", *params.StartTime)
	}
	if params.EndTime != nil {
		text += fmt.Sprintf(", to %d", *params.EndTime)
	}
	if params.After != nil {
		text += fmt.Sprintf(", after %+v", *params.After)
	}
	return text
}

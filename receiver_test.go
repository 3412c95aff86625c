// SPDX-License-Identifier: Apache-2.0

package daybook_test

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
)

func batchOf(values ...daybook.StoredValue) daybook.Batch {
	b := daybook.Batch{Store: [16]byte{1}, Epoch: [16]byte{2}, Stream: "s", From: 3, Through: 9, Values: values}
	b.Digest = daybook.DigestOf(&b)
	return b
}

// TestDigestOf pins the hashed bytes, because other programs compute them too. The pinned digest
// was computed by another program, from the comment of DigestOf.
func TestDigestOf(t *testing.T) {
	b := batchOf(daybook.StoredValue{RecordName: "a.b", Value: []byte(`{"n": 1}`), StoredAt: 5})
	const want = "914c720174a8f175d68c58c125abf08118f9bddc3ffaf96a8e00e57d10d16b66"
	if got := hex.EncodeToString(b.Digest[:]); got != want {
		t.Errorf("got %s; want %s", got, want)
	}
	changes := map[string]func(*daybook.Batch){
		"Previous":   func(b *daybook.Batch) { b.Previous[31]++ },
		"Store":      func(b *daybook.Batch) { b.Store[15]++ },
		"Epoch":      func(b *daybook.Batch) { b.Epoch[0]++ },
		"Stream":     func(b *daybook.Batch) { b.Stream = "t" },
		"From":       func(b *daybook.Batch) { b.From++ },
		"Through":    func(b *daybook.Batch) { b.Through++ },
		"RecordName": func(b *daybook.Batch) { b.Values[0].RecordName = "a.c" },
		"Value":      func(b *daybook.Batch) { b.Values[0].Value = []byte(`{"n":1}`) },
		"StoredAt":   func(b *daybook.Batch) { b.Values[0].StoredAt++ },
		"no values":  func(b *daybook.Batch) { b.Values = nil },
	}
	for name, change := range changes {
		changed := batchOf(daybook.StoredValue{RecordName: "a.b", Value: []byte(`{"n": 1}`), StoredAt: 5})
		change(&changed)
		err := changed.Validate()
		if daybook.DigestOf(&changed) == b.Digest || !errors.Is(err, daybook.ErrInvalidParams) {
			t.Errorf("with another %s the digest is the same, or Validate returns %v", name, err)
		}
	}
	if err := b.Validate(); err != nil {
		t.Error(err)
	}
}

func TestInvalidBatch(t *testing.T) {
	changes := map[string]func(*daybook.Batch){
		"no store":                 func(b *daybook.Batch) { b.Store = [16]byte{} },
		"no epoch":                 func(b *daybook.Batch) { b.Epoch = [16]byte{} },
		"long stream":              func(b *daybook.Batch) { b.Stream = strings.Repeat("s", daybook.MaxHoldNameLen+1) },
		"control character":        func(b *daybook.Batch) { b.Stream = "a\nb" },
		"nothing between":          func(b *daybook.Batch) { b.Through, b.Values = b.From, nil },
		"backwards":                func(b *daybook.Batch) { b.From, b.Values = math.MaxUint64, nil },
		"more values than numbers": func(b *daybook.Batch) { b.Through = b.From + 1 },
	}
	value := daybook.StoredValue{RecordName: "a", Value: []byte(`1`)}
	for name, change := range changes {
		b := batchOf(value, value)
		change(&b)
		b.Digest = daybook.DigestOf(&b)
		if err := b.Validate(); !errors.Is(err, daybook.ErrInvalidParams) {
			t.Errorf("%s: got %v; want ErrInvalidParams", name, err)
		}
	}
	full := batchOf(value, value)
	full.Through = full.From + 2
	full.Digest = daybook.DigestOf(&full)
	if err := full.Validate(); err != nil {
		t.Errorf("as many values as numbers: got %v", err)
	}
}

func TestPositionNext(t *testing.T) {
	first := daybook.Batch{Store: [16]byte{1}, Epoch: [16]byte{2}, Through: 5}
	first.Digest = daybook.DigestOf(&first)
	second := daybook.Batch{Store: [16]byte{1}, Epoch: [16]byte{2}, From: 5, Through: 7, Previous: first.Digest}
	second.Digest = daybook.DigestOf(&second)
	other := second // the same numbers after another first batch
	other.Previous[0]++
	other.Digest = daybook.DigestOf(&other)
	tests := []struct {
		name        string
		at          daybook.Position
		batch       daybook.Batch
		isDuplicate bool
		outOfStep   bool
		reason      string
	}{
		{"first", daybook.Position{}, first, false, false, "a stream begins at the zero Position"},
		{"first again", first.Position(), first, true, false, "the answer was lost"},
		{"second", first.Position(), second, false, false, "it follows"},
		{"second first", daybook.Position{}, second, false, true, "a batch is missing"},
		{"first after second", second.Position(), first, false, true, "only the last batch may come again"},
		{"another chain", first.Position(), other, false, true, "the numbers fit, the content before does not"},
		{"another batch", second.Position(), other, false, true, "the same numbers, another content"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			next, isDuplicate, err := test.at.Next(&test.batch)
			var outOfStep *daybook.OutOfStepError
			if isDuplicate != test.isDuplicate || errors.As(err, &outOfStep) != test.outOfStep {
				t.Fatalf("duplicate: %v, %v; want %v, out of step: %v (%s)",
					isDuplicate, err, test.isDuplicate, test.outOfStep, test.reason)
			}
			want := test.batch.Position()
			if test.outOfStep {
				want = test.at
				if outOfStep.Position != test.at || !errors.Is(err, daybook.ErrOutOfStep) {
					t.Errorf("the error has %+v; want %+v", outOfStep.Position, test.at)
				}
			}
			if next != want {
				t.Errorf("got %+v; want %+v", next, want)
			}
		})
	}
}

func TestInvalidHold(t *testing.T) {
	valid := daybook.Hold{Name: "cloud", MaxBytes: 1}
	if err := valid.Validate(); err != nil {
		t.Error(err)
	}
	changes := map[string]func(*daybook.Hold){
		"no name":              func(h *daybook.Hold) { h.Name = "" },
		"long name":            func(h *daybook.Hold) { h.Name = strings.Repeat("n", daybook.MaxHoldNameLen+1) },
		"invalid UTF-8":        func(h *daybook.Hold) { h.Name = "\xff" },
		"NUL":                  func(h *daybook.Hold) { h.Name = "a\x00" },
		"no bound":             func(h *daybook.Hold) { h.MaxBytes = 0 },
		"negative age":         func(h *daybook.Hold) { h.MaxAge = -time.Second },
		"unknown syntax":       func(h *daybook.Hold) { h.Pattern.Syntax = 9 },
		"number without epoch": func(h *daybook.Hold) { h.At.Sequence = 5 },
	}
	for name, change := range changes {
		h := valid
		change(&h)
		if err := h.Validate(); !errors.Is(err, daybook.ErrInvalidParams) {
			t.Errorf("%s: got %v; want ErrInvalidParams", name, err)
		}
	}
}

// TestBatchAsJSON sends a batch as JSON. The bytes of its values arrive as they were, also white
// space and characters that encoding/json escapes, or the digest would be another one.
func TestBatchAsJSON(t *testing.T) {
	b := daybook.Batch{
		Store: [16]byte{0xab}, Epoch: [16]byte{15: 0xcd}, Stream: "alarms", From: 3, Through: 9,
		Previous: [32]byte{0xef},
		Values: []daybook.StoredValue{
			{RecordName: "a", Value: json.RawMessage(" { \"html\": \"<&>\u2028\u00e4\\u00e4\" } "),
				StoredAt: math.MaxUint64},
			{RecordName: "b", Value: json.RawMessage("1.0"), StoredAt: 0},
		},
	}
	b.Digest = daybook.DigestOf(&b)
	text, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{
		`"store":"ab000000000000000000000000000000"`, `"previous":"ef00`, `"record_name":"b"`,
	} {
		if !strings.Contains(string(text), part) {
			t.Errorf("the JSON has no %s: %s", part, text)
		}
	}
	var got daybook.Batch
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(b, got); diff != "" || got.Validate() != nil {
		t.Errorf("read back: %v (-want +got):\n%s", got.Validate(), diff)
	}
	var position daybook.Position
	text, err = json.Marshal(b.Position())
	if err != nil || json.Unmarshal(text, &position) != nil || position != b.Position() ||
		!strings.HasPrefix(string(text), `{"through":9,"digest":"`) {
		t.Errorf("a Position: %s, %v, read back as %+v", text, err, position)
	}
	if err := json.Unmarshal([]byte(`{"digest":"xy"}`), &position); !errors.Is(err, daybook.ErrInvalidParams) {
		t.Errorf("a digest that is none: %v", err)
	}
}

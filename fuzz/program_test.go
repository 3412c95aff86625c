// SPDX-License-Identifier: Apache-2.0

package fuzz

import (
	"bytes"
	"context"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/backendtest"
)

// FuzzProgram compares the two forms of a program.
func FuzzProgram(f *testing.F) {
	every := []byte{0, 0, 0}
	for code := range opcodes {
		every = append(every, byte(code), 5, 4, 3, 2, 1, 0, 1, 2, 3, 4, 5)
	}
	f.Add(every)
	f.Add([]byte{4, 3, 2, 0, 8, 11, 46})
	f.Fuzz(func(t *testing.T, data []byte) {
		p := Decode(data)
		parsed, err := Parse([]byte(p.String()))
		if diff := cmp.Diff(p.String(), parsed.String()); diff != "" || err != nil {
			t.Fatalf("as text and parsed: %v (-was +is):\n%s", err, diff)
		}
		encoded, err := parsed.Encode()
		if diff := cmp.Diff(p.String(), Decode(encoded).String()); diff != "" || err != nil {
			t.Fatalf("encoded and decoded: %v (-was +is):\n%s", err, diff)
		}
	})
}

func TestParseErrors(t *testing.T) {
	const options = "options head 4096 values 2 bytes 100\n"
	tests := []struct {
		name, text, want string
	}{
		{"no options", "sync\n", "line 1"},
		{"unknown operation", options + "\n# a comment\nbegin\n", `line 4, begin: there is no operation "begin"`},
		{"cut short", options + "store a", "the line ends early"},
		{"too much", options + "sync now", `the line ends with "now", which is too much`},
		{"no time", options + `store a {"n":1} at noon`, "noon"},
		{"no value", options + `store a 1 at 1`, "cannot unmarshal"},
		{"unknown word", options + "reopen gladly", `want one of ["unseen" "seen"]`},
		{"a comma too many", options + `batch good a {"n":1} at 1,`, "comma"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if _, err := Parse([]byte(test.text)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Parse: got error %v; want one with %q", err, test.want)
			}
		})
	}
}

// memoryStore is a store in memory, for testing the runner.
type memoryStore struct {
	*backendtest.Memory
	fail func(what string) bool // reports whether to do something wrong
}

func (m *memoryStore) Open(StoreOptions, bool) (Subject, error) { return m, nil }
func (m *memoryStore) Checkpoint(context.Context) error         { return nil }
func (m *memoryStore) Compact(context.Context) error            { return nil }
func (m *memoryStore) Sync(context.Context) error               { return nil }
func (m *memoryStore) Check(context.Context) error              { return nil }
func (m *memoryStore) Stall()                                   {}
func (m *memoryStore) Close() error                             { return nil }
func (m *memoryStore) Restore() error                           { return nil }
func (m *memoryStore) ScansBlockWrites() bool                   { return false }

func (m *memoryStore) CursorAt(sequence uint64) daybook.Cursor {
	stats, err := m.Stats(ctx)
	if err != nil || sequence == 0 {
		return daybook.Cursor{}
	}
	return daybook.Cursor{Epoch: stats.LastCursor.Epoch, Sequence: sequence}
}

func (m *memoryStore) CrashWithin(
	ctx context.Context, values []daybook.StoredValue, eighths int,
) (arrived bool, err error) {
	switch {
	case m.fail("torn"):
		return false, m.StoreBatch(ctx, values[:len(values)*eighths/8])
	case eighths == 8 && m.fail("arrived"):
		return true, nil
	case eighths == 8:
		return true, m.StoreBatch(ctx, values)
	}
	return false, nil
}

func (m *memoryStore) Crash() error {
	if m.fail("crash") {
		_, err := m.Memory.Prune(ctx, "*", daybook.PruneParams{OlderThan: 5})
		return err
	}
	return nil
}

func (m *memoryStore) Cleanup(ctx context.Context, olderThan uint64) (uint64, error) {
	deleted, err := m.Memory.Cleanup(ctx, olderThan)
	if m.fail("cleanup") {
		deleted++
	}
	return deleted, err
}

func (m *memoryStore) StoreBatch(ctx context.Context, values []daybook.StoredValue) error {
	err := m.Memory.StoreBatch(ctx, values)
	if m.fail("batch") {
		return nil
	}
	return err
}

// AdvanceHold does nothing if it is wrong.
func (m *memoryStore) AdvanceHold(ctx context.Context, name string, at daybook.Cursor) error {
	if err := m.Memory.AdvanceHold(ctx, name, daybook.Cursor{}); err != nil || m.fail("holds") {
		return err
	}
	return m.Memory.AdvanceHold(ctx, name, at)
}

// StoreBatchFrom stores the values without the position if it is wrong.
func (m *memoryStore) StoreBatchFrom(ctx context.Context, b daybook.Batch) (daybook.Position, error) {
	if m.fail("receive") {
		return b.Position(), m.Memory.StoreBatch(ctx, b.Values)
	}
	return m.Memory.StoreBatchFrom(ctx, b)
}

func (m *memoryStore) Totals(ctx context.Context) (totals Totals, err error) {
	for info, err := range m.Records(ctx, "*", daybook.Glob) {
		if err != nil {
			return totals, err
		}
		totals.Records++
		totals.Values += info.Count
		totals.ValueBytes += info.Bytes
	}
	if m.fail("totals") {
		totals.ValueBytes++
	}
	return totals, nil
}

// TestRun: Run finds no difference between the model and itself, and finds each fault of a store.
func TestRun(t *testing.T) {
	for _, wrong := range []string{"", "torn", "arrived", "crash", "cleanup", "batch", "totals", "holds", "receive"} {
		t.Run("wrong "+wrong, func(t *testing.T) {
			random := rand.NewChaCha8([32]byte{1})
			isWrong := func(what string) bool { return what == wrong }
			var found error
			var p Program
			for range 100 {
				var data [150]byte
				_, _ = random.Read(data[:])
				p = Decode(data[:])
				if found = p.Run(&memoryStore{backendtest.NewMemory(), isWrong}); found != nil {
					break
				}
			}
			if (found != nil) != (wrong != "") {
				t.Errorf("Run: got error %v", found)
			}
			if found != nil {
				checkShrink(t, p, isWrong)
			}
			if found != nil && !strings.Contains(found.Error(), "the program:\noptions head ") {
				t.Errorf("the error does not have the program: %v", found)
			}
		})
	}
}

// checkShrink checks that at most three operations of a failing program remain: an operation that
// stores, one that sets a hold, and an operation that the store does wrong.
func checkShrink(t *testing.T, p Program, isWrong func(string) bool) {
	t.Helper()
	fails := func(p Program) bool { return p.Run(&memoryStore{backendtest.NewMemory(), isWrong}) != nil }
	if short := p.Shrink(fails); len(short.Ops) > 3 || !fails(short) {
		t.Errorf("%d operations remain; want at most 3:\n%s", len(short.Ops), short)
	}
}

func TestPaddings(t *testing.T) {
	for _, p := range paddings {
		if (p.String() == "") != (p == padding{}) {
			t.Errorf("%+v is %q in the text of a program", p, p)
		}
		for _, number := range []int{1, 12345} {
			value := Value{number, p}.JSON()
			if err := daybook.ValidateValue(value); err != nil || p.Len > 0 && len(value) != p.Len {
				t.Errorf("number %d with %+v has %d bytes: %v", number, p, len(value), err)
			}
			if p.Noise == bytes.Contains(value, []byte("0000")) && p.Len > 0 {
				t.Errorf("%+v is %s", p, value)
			}
		}
	}
}

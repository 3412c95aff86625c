// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/index"
	"github.com/daybook-db/daybook/proof/testenv"
)

// verb is something that is done with a tree.
type verb struct {
	name   string
	writes bool
	copies bool // to a new file
	// passesOver: what cannot be read does not count, and is no error.
	passesOver bool
	inParts    bool   // it takes several transactions
	ends       bool   // with its context
	want       string // what run returns; "": not known here
	// run returns a text of what it found or did. Only some verbs look at ctx.
	run func(ctx context.Context, tree *Tree) (string, error)
}

// verbHistory is the history of the tree that the verbs are tried on: three records with several
// leaves of chunks, many of them at equal times, and many records with one value.
func verbHistory() (h history, last uint64) {
	h = make(history)
	for i := range uint64(60) {
		for _, record := range []string{"a", "b", "c"} {
			last++
			value := fmt.Appendf(nil, `{"n":%d,"text":"%s"}`, last, strings.Repeat(record, 150))
			h[record] = append(h[record], codec.Entry{Timestamp: i / 3, Sequence: last, Value: value})
		}
	}
	for i := range 150 {
		last++
		h[fmt.Sprintf("one.%03d", i)] = []codec.Entry{{Timestamp: 5, Sequence: last, Value: []byte(`"one value"`)}}
	}
	return h, last
}

// makeVerbTree writes a tree with verbHistory and a note, and returns its path.
func makeVerbTree(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(testenv.TempDir(t), "tree")
	tree := mustOpen(t, path)
	h, last := verbHistory()
	if err := h.post(tree, last); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(tree.PutNotes(Notes{"noted": []byte("a note")}), tree.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

// verbs returns all verbs. Those that copy write to a file beside the tree.
func verbs(t *testing.T) []verb {
	everything, some := mustPattern(t, "*"), mustPattern(t, "[ac]")
	none := slices.Values([]codec.Entry(nil))
	holds := Holds{{Pattern: some, At: 20, From: 90}}
	onSnapshot := func(
		run func(context.Context, *Tree, *Snapshot) (string, error),
	) func(context.Context, *Tree) (string, error) {
		return func(ctx context.Context, tree *Tree) (string, error) {
			s, err := tree.Snapshot()
			if err != nil {
				return "", err
			}
			defer s.Close()
			return run(ctx, tree, s)
		}
	}
	copyStored := func(rule Rule) func(context.Context, *Tree) (string, error) {
		return func(ctx context.Context, tree *Tree) (string, error) {
			with := Pruning{Holds: holds, NotesOf: func([]uint64) Notes { return nil }}
			stored, lost, err := tree.CopyStored(ctx, copyPath(tree), rule, 1<<20, with)
			if err != nil {
				return "", err
			}
			text, err := readAll(ctx, stored)
			return fmt.Sprint(lost, text), errors.Join(err, stored.Close())
		}
	}
	third := func(all uint64) uint64 { return all / 3 }
	cutoff := func(order Order, holds Holds) func(context.Context, *Tree) (string, error) {
		return func(ctx context.Context, tree *Tree) (string, error) {
			rule, skipped, err := tree.Cutoff(ctx, everything, order, third, holds, 0, none)
			return fmt.Sprintf("%+v", rule), cmp.Or(err, skipped)
		}
	}
	prune := func(rule Rule, holds Holds) func(context.Context, *Tree) (string, error) {
		return func(ctx context.Context, tree *Tree) (string, error) {
			with := pruning(func([]Deletion) {})
			with.Holds, with.Lost = holds, func([]uint64) {}
			with.NotesOf = func(lost []uint64) Notes { return Notes{"lost": fmt.Append(nil, lost)} }
			deleted, err := tree.Prune(ctx, everything, rule, with)
			return fmt.Sprintf("%d deleted", deleted), err
		}
	}
	hasRecord := func(_ context.Context, _ *Tree, s *Snapshot) (string, error) {
		found, err := s.HasRecord("one.100")
		return fmt.Sprint(found), err
	}
	notesOf := func(_ context.Context, _ *Tree, s *Snapshot) (string, error) {
		notes, err := s.Notes()
		return fmt.Sprintf("%s", notes), err
	}
	noRecord := func(ctx context.Context, _ *Tree, s *Snapshot) (string, error) {
		_, _, found, err := s.Records(mustPattern(t, "*x")).Next(ctx)
		return fmt.Sprint(found), err
	}
	storedAfter := func(ctx context.Context, _ *Tree, s *Snapshot) (string, error) {
		values, bytes, err := s.StoredAfter(ctx, everything, 91, none)
		return fmt.Sprint(values, bytes), err
	}
	return []verb{
		{name: "State", run: func(_ context.Context, tree *Tree) (string, error) {
			s, err := tree.State()
			s.Generation = 0 // a damaged element takes a commit
			return fmt.Sprintf("%+v", s), err
		}},
		{name: "Size", want: "true", run: func(_ context.Context, tree *Tree) (string, error) {
			file, used, err := tree.Size()
			return fmt.Sprint(used > 30_000 && used <= file), err
		}},
		{name: "Notes", want: "map[noted:a note]", run: func(_ context.Context, tree *Tree) (string, error) {
			notes, err := tree.Notes()
			return fmt.Sprintf("%s", notes), err
		}},
		{name: "Check", ends: true, run: func(ctx context.Context, tree *Tree) (string, error) {
			return "", tree.Check(ctx)
		}},
		{name: "read everything", want: allVerbHistory(), run: onSnapshot(readEverything)},
		{name: "read ranges", run: onSnapshot(readRanges)},
		{name: "HasRecord", want: "true", run: onSnapshot(hasRecord)},
		{name: "Notes of a snapshot", want: "map[noted:a note]", run: onSnapshot(notesOf)},
		{name: "Records of which none matches", ends: true, want: "false", run: onSnapshot(noRecord)},
		{name: "LastStored", ends: true, passesOver: true, run: onSnapshot(
			func(ctx context.Context, _ *Tree, s *Snapshot) (string, error) {
				from, err := s.LastStored(ctx, everything, 3, 10_000, none)
				return fmt.Sprint(from), err
			})},
		{name: "StoredAfter", ends: true, run: onSnapshot(storedAfter)},
		{name: "ChangeReader", ends: true, run: readChanges},
		{name: "Cutoff by time", ends: true, passesOver: true, run: cutoff(ByTime, nil)},
		{name: "Cutoff by stored, with a hold", ends: true, passesOver: true, run: cutoff(ByStored, holds)},
		{name: "Backup", ends: true, want: allVerbHistory(), run: backUp},

		{name: "Post", writes: true, run: func(_ context.Context, tree *Tree) (string, error) {
			h, last := laterVerbHistory()
			return "", h.post(tree, last)
		}},
		{name: "SetWatermark", writes: true, run: func(_ context.Context, tree *Tree) (string, error) {
			return "", tree.SetWatermark(1_000_000, 7)
		}},
		{name: "PutNotes", writes: true, run: func(_ context.Context, tree *Tree) (string, error) {
			return "", tree.PutNotes(Notes{"noted": []byte("another")})
		}},
		{name: "Prune the oldest", ends: true, writes: true, run: prune(Rule{OlderThan: 11}, nil)},
		{name: "Prune all but two", ends: true, writes: true, run: prune(Rule{MaxPerRecord: 2}, holds)},
		{name: "Prune a span", ends: true, writes: true, run: prune(Rule{NewerThan: 3, OlderThan: 15}, holds)},
		{name: "Prune the newest", ends: true, writes: true, run: prune(Rule{NewerThan: 12}, nil)},
		{name: "Prune the first stored", ends: true, writes: true, run: prune(Rule{StoredThrough: 100}, holds)},
		{name: "Prune everything", ends: true, writes: true, run: prune(Rule{OlderThan: math.MaxUint64}, nil)},
		{name: "Copy", ends: true, copies: true, run: copyAll},
		{name: "Copy, then prune both", writes: true, copies: true, inParts: true, run: copyAndPrune},
		{name: "CopyStored", ends: true, copies: true, run: copyStored(Rule{StoredThrough: 100})},
		{name: "CopyStored but the newest", ends: true, copies: true,
			run: copyStored(Rule{StoredThrough: 100, KeepNewest: 30})},
	}
}

// copyPath returns the path of a file beside the tree, which does not exist.
func copyPath(tree *Tree) string {
	path := tree.mapped.path + ".copy"
	_ = os.Remove(path)
	return path
}

// readAll returns a text of all records and their values.
func readAll(ctx context.Context, tree *Tree) (string, error) {
	s, err := tree.Snapshot()
	if err != nil {
		return "", err
	}
	defer s.Close()
	return readEverything(ctx, tree, s)
}

func readEverything(ctx context.Context, tree *Tree, s *Snapshot) (string, error) {
	var text strings.Builder
	everything, err := index.CompileGlob("*")
	if err != nil {
		return "", err
	}
	for names := s.Records(everything); ; {
		name, entry, found, err := names.Next(ctx)
		if err != nil || !found {
			return text.String(), err
		}
		entries, err := read(tree, string(name))
		if err != nil {
			return "", err
		}
		writeRecord(&text, string(name), entry.Count, entries)
	}
}

// readRanges reads a range of each long record that begins and ends within it, in both directions.
func readRanges(_ context.Context, _ *Tree, s *Snapshot) (string, error) {
	var text strings.Builder
	for _, name := range []string{"a", "b", "c"} {
		for _, newest := range []bool{false, true} {
			entries, err := readRange(s, name, codec.Range{Start: 7, End: 12, Newest: newest})
			if err != nil {
				return "", err
			}
			writeRecord(&text, name, uint64(len(entries)), entries)
		}
	}
	return text.String(), nil
}

func writeRecord(text *strings.Builder, name string, count uint64, entries []codec.Entry) {
	fmt.Fprintf(text, "%s: %d values\n", name, count)
	for _, e := range entries {
		fmt.Fprintf(text, "%d %d %s\n", e.Timestamp, e.Sequence, e.Value)
	}
}

// allVerbHistory returns what readEverything returns of verbHistory.
func allVerbHistory() string {
	h, _ := verbHistory()
	return textOf(h)
}

// textOf returns what readEverything returns of a history.
func textOf(h history) string {
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(h)) {
		writeRecord(&text, name, uint64(len(h[name])), h[name])
	}
	return text.String()
}

func readChanges(ctx context.Context, tree *Tree) (string, error) {
	everything, err := index.CompileGlob("*")
	if err != nil {
		return "", err
	}
	var text strings.Builder
	r := NewChangeReader(everything, 10)
	r.size, r.max = 20, changeBounds{memory: 6000, values: 60, places: 30}
	for _, last := verbHistory(); r.After() < last; {
		s, err := tree.Snapshot()
		if err != nil {
			return "", err
		}
		before := r.After()
		batch, err := r.Read(ctx, s, last)
		for _, c := range batch {
			fmt.Fprintf(&text, "%s %d %d %s\n", c.Record, c.Sequence, c.Timestamp, c.Value)
		}
		s.Close()
		if err == nil && len(batch) == 0 && r.After() == before {
			err = errors.New("the reader has not moved")
		}
		if err != nil {
			return "", err
		}
	}
	return text.String(), nil
}

// do opens a copy of a tree's file, lets prepare change it, and runs the verb. What a verb that
// writes has done is part of the text.
func (v *verb) do(t *testing.T, ctx context.Context, file []byte, prepare func(*Tree)) (string, error) {
	t.Helper()
	path := filepath.Join(testenv.TempDir(t), "tree")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	tree, err := openAt(t, path, options())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tree.Close() }()
	prepare(tree)
	text, err := v.run(ctx, tree)
	if err == nil && v.writes {
		after, readErr := readAll(context.Background(), tree)
		text, err = text+"\n"+after, readErr
	}
	return text, err
}

// countdown is a context that ends when it has been asked for its error a number of times.
type countdown struct {
	context.Context
	left int
}

func (c *countdown) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

// TestVerbsEndWithTheirContext ends the context of each verb at each time that the verb asks for
// its error. The verb must return that.
func TestVerbsEndWithTheirContext(t *testing.T) {
	file, err := os.ReadFile(makeVerbTree(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range verbs(t) {
		whole := &countdown{ctx, math.MaxInt}
		if got, err := v.do(t, whole, file, func(*Tree) {}); err != nil || v.want != "" && got != v.want {
			t.Fatalf("%s: got %s, %v; want %s", v.name, got, err, v.want)
		}
		asked := math.MaxInt - whole.left
		if v.ends && asked == 0 {
			t.Errorf("%s: it does not ask its context", v.name)
		}
		for n := 0; n < asked; n += 1 + asked/30 {
			if _, err := v.do(t, &countdown{ctx, n}, file, func(*Tree) {}); !errors.Is(err, context.Canceled) {
				t.Errorf("%s: its context ended after %d of %d checks: got %v", v.name, n, asked, err)
			}
		}
	}
}

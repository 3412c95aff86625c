// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/pages"
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
	third := func(all uint64) uint64 { return all / 3 }
	cutoff := func(order Order, holds Holds) func(context.Context, *Tree) (string, error) {
		return func(ctx context.Context, tree *Tree) (string, error) {
			rule, skipped, err := tree.Cutoff(ctx, everything, order, third, holds, none)
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
	return []verb{
		{name: "State", run: func(_ context.Context, tree *Tree) (string, error) {
			s, err := tree.State()
			s.Generation = 0 // a damaged element takes a commit
			return fmt.Sprintf("%+v", s), err
		}},
		{name: "Size", run: func(_ context.Context, tree *Tree) (string, error) {
			file, used, err := tree.Size()
			return fmt.Sprint(used > 100_000, used <= file), err
		}},
		{name: "Notes", run: func(_ context.Context, tree *Tree) (string, error) {
			notes, err := tree.Notes()
			return fmt.Sprintf("%s", notes), err
		}},
		{name: "Check", run: func(ctx context.Context, tree *Tree) (string, error) { return "", tree.Check(ctx) }},
		{name: "read everything", run: onSnapshot(readEverything)},
		{name: "HasRecord", run: onSnapshot(func(_ context.Context, _ *Tree, s *Snapshot) (string, error) {
			found, err := s.HasRecord("one.100")
			return fmt.Sprint(found), err
		})},
		{name: "Notes of a snapshot", run: onSnapshot(func(_ context.Context, _ *Tree, s *Snapshot) (string, error) {
			notes, err := s.Notes()
			return fmt.Sprintf("%s", notes), err
		})},
		{name: "LastStored", passesOver: true, run: onSnapshot(
			func(ctx context.Context, _ *Tree, s *Snapshot) (string, error) {
				from, err := s.LastStored(ctx, everything, 3, 10_000, none)
				return fmt.Sprint(from), err
			})},
		{name: "StoredAfter", run: onSnapshot(func(ctx context.Context, _ *Tree, s *Snapshot) (string, error) {
			values, bytes, err := s.StoredAfter(ctx, everything, 91, none)
			return fmt.Sprint(values, bytes), err
		})},
		{name: "ChangeReader", run: readChanges},
		{name: "Cutoff by time", passesOver: true, run: cutoff(ByTime, nil)},
		{name: "Cutoff by stored, with a hold", passesOver: true, run: cutoff(ByStored, holds)},
		{name: "Backup", run: func(ctx context.Context, tree *Tree) (string, error) {
			b, err := tree.Backup()
			if err != nil {
				return "", err
			}
			defer b.Close()
			n, err := io.Copy(io.Discard, b.Reader())
			return fmt.Sprint(n == b.Size()), cmp.Or(b.Verify(ctx), err)
		}},

		{name: "Post", writes: true, run: func(_ context.Context, tree *Tree) (string, error) {
			h, last := verbHistory()
			for record := range h {
				for i := range h[record] {
					h[record][i].Sequence += last
				}
			}
			return "", h.post(tree, 2*last)
		}},
		{name: "SetWatermark", writes: true, run: func(_ context.Context, tree *Tree) (string, error) {
			return "", tree.SetWatermark(1_000_000, 7)
		}},
		{name: "PutNotes", writes: true, run: func(_ context.Context, tree *Tree) (string, error) {
			return "", tree.PutNotes(Notes{"noted": []byte("another")})
		}},
		{name: "Prune the oldest", writes: true, run: prune(Rule{OlderThan: 11}, nil)},
		{name: "Prune all but two", writes: true, run: prune(Rule{MaxPerRecord: 2}, holds)},
		{name: "Prune a span", writes: true, run: prune(Rule{NewerThan: 3, OlderThan: 15}, holds)},
		{name: "Prune the newest", writes: true, run: prune(Rule{NewerThan: 12}, nil)},
		{name: "Prune all but those stored last", writes: true, run: prune(Rule{StoredThrough: 100}, holds)},
		{name: "Prune everything", writes: true, run: prune(Rule{OlderThan: math.MaxUint64}, nil)},
		{name: "Copy", copies: true, run: copyAll},
		{name: "CopyStored", copies: true, run: func(ctx context.Context, tree *Tree) (string, error) {
			stored, lost, err := tree.CopyStored(ctx, copyPath(tree), 100, 1<<20, Pruning{Holds: holds,
				NotesOf: func([]uint64) Notes { return nil }})
			if err != nil {
				return "", err
			}
			text, err := readAll(ctx, stored)
			return fmt.Sprint(lost, text), errors.Join(err, stored.Close())
		}},
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
		fmt.Fprintf(&text, "%s: %+v\n", name, entry)
		for _, e := range entries {
			fmt.Fprintf(&text, "%d %d %s\n", e.Timestamp, e.Sequence, e.Value)
		}
	}
}

func readChanges(ctx context.Context, tree *Tree) (string, error) {
	everything, err := index.CompileGlob("*")
	if err != nil {
		return "", err
	}
	var text strings.Builder
	r := NewChangeReader(everything, 10)
	r.size, r.max = 20, changeBounds{bytes: 3000, values: 60, places: 30, placeBytes: 3000}
	for _, last := verbHistory(); r.After() < last; {
		s, err := tree.Snapshot()
		if err != nil {
			return "", err
		}
		batch, err := r.Read(ctx, s, last)
		for _, c := range batch {
			fmt.Fprintf(&text, "%s %d %d %s\n", c.Record, c.Sequence, c.Timestamp, c.Value)
		}
		s.Close()
		if err != nil {
			return "", err
		}
	}
	return text.String(), nil
}

func copyAll(ctx context.Context, tree *Tree) (string, error) {
	c, err := tree.Copy(copyPath(tree))
	if err != nil {
		return "", err
	}
	for done := false; !done; {
		if done, err = c.Step(ctx); err != nil {
			return "", errors.Join(err, c.Close())
		}
	}
	complete, err := c.Finish()
	if err != nil {
		return "", errors.Join(err, c.Close())
	}
	text, err := readAll(ctx, complete)
	return text, errors.Join(err, complete.Close())
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
		if _, err := v.do(t, whole, file, func(*Tree) {}); err != nil {
			t.Fatalf("%s: %v", v.name, err)
		}
		asked := math.MaxInt - whole.left
		for n := 0; n < asked; n += 1 + asked/30 {
			if _, err := v.do(t, &countdown{ctx, n}, file, func(*Tree) {}); !errors.Is(err, context.Canceled) {
				t.Errorf("%s: its context ended after %d of %d checks: got %v", v.name, n, asked, err)
			}
		}
	}
}

// TestVerbsMeetDamage damages each page of the file of an open tree, each chunk, and catalogue
// entries. Each verb must find the damage, or do what it would do without it.
func TestVerbsMeetDamage(t *testing.T) {
	path := makeVerbTree(t)
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	damages := append(damagedPages(len(file)/pageSize), damagedElements(t, path)...)
	for _, v := range verbs(t) {
		want, err := v.do(t, ctx, file, func(*Tree) {})
		if err != nil {
			t.Fatalf("%s: %v", v.name, err)
		}
		for _, d := range damages {
			got, err := v.do(t, ctx, file, func(tree *Tree) { d.to(t, tree) })
			switch {
			case err != nil && !errors.Is(err, daybook.ErrCorrupt):
				t.Errorf("%s: %s is damaged: %v", v.name, d.name, err)
			case err == nil && got != want && !v.passesOver:
				t.Errorf("%s: %s is damaged: got another result, and no error", v.name, d.name)
			}
		}
	}
}

// TestVerbsOfAFailedTree runs each verb on a tree whose writes fail, and on one whose file is
// closed. Those that write must say so; what the others read must be right.
func TestVerbsOfAFailedTree(t *testing.T) {
	file, err := os.ReadFile(makeVerbTree(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range verbs(t) {
		want, err := v.do(t, ctx, file, func(*Tree) {})
		if err != nil {
			t.Fatalf("%s: %v", v.name, err)
		}
		for name, fail := range map[string]func(*Tree){
			"failed":           func(tree *Tree) { _ = tree.Fail(errors.New("a fault")) },
			"with closed file": func(tree *Tree) { _ = tree.file.Close() },
		} {
			got, err := v.do(t, ctx, file, fail)
			switch {
			case v.writes && (err == nil || name == "failed" && !errors.Is(err, daybook.ErrFailed)):
				t.Errorf("%s of a tree %s: got %v; want an error, of a failed one ErrFailed", v.name, name, err)
			case err == nil && got != want:
				t.Errorf("%s of a tree %s: got another result, and no error", v.name, name)
			case err != nil && !v.writes && name == "failed":
				t.Errorf("%s of a tree %s: %v; want no error, as for all that reads", v.name, name, err)
			}
		}
	}
}

// damage is a change of an open tree.
type damage struct {
	name string
	to   func(*testing.T, *Tree)
}

// damagedPages returns the damage of each page but the meta pages.
func damagedPages(count int) (all []damage) {
	for page := 2; page < count; page++ {
		at := page*pageSize + 16 + 61*page%1000
		all = append(all, damage{fmt.Sprintf("page %d", page), func(t *testing.T, tree *Tree) {
			data, err := os.ReadFile(tree.mapped.path)
			if err != nil {
				t.Fatal(err)
			}
			overwrite(t, tree.mapped.path, []byte{data[at] ^ 4}, at)
		}})
	}
	return all
}

// damagedElements returns the damage of some chunks and catalogue entries, on pages whose checksums
// match.
func damagedElements(t *testing.T, path string) (all []damage) {
	t.Helper()
	tree := mustOpen(t, path)
	defer tree.Close()
	add := func(bucket string, every int) {
		seen := 0
		err := tree.view(func(_ *bbolt.Tx, image *pages.Image) error {
			b, err := image.Bucket(bucket)
			if err != nil {
				return err
			}
			return b.Walk(func(key, data []byte) error {
				if seen++; seen%every == 0 {
					key, data = bytes.Clone(key), bytes.Clone(data)
					data[len(data)/2] ^= 4
					name := fmt.Sprintf("the element %q of %s", key, bucket)
					all = append(all, damage{name, func(t *testing.T, tree *Tree) {
						putElement(t, tree, bucket, key, data)
					}})
				}
				return nil
			}, func(err error) error { return err })
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	add(valuesBucket, 13)
	add(recordsBucket, 50)
	return all
}

func putElement(t *testing.T, tree *Tree, bucket string, key, data []byte) {
	t.Helper()
	err := tree.update(func(w *writeTx) error { return w.tx.Bucket([]byte(bucket)).Put(key, data) })
	if err := errors.Join(err, tree.seal()); err != nil {
		t.Fatal(err)
	}
}

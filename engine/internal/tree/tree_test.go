// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/proof/testenv"
)

// TestLastSegmentGrows saves numbers of segments. The greatest one must be in the file after each
// call, because a new log begins after it.
func TestLastSegmentGrows(t *testing.T) {
	path := filepath.Join(testenv.TempDir(t), "tree")
	for _, step := range []struct {
		name       string
		save, want uint64
		reason     string
	}{
		{"first", 7, 7, "the first number"},
		{"smaller", 3, 7, "numbers are never given again"},
		{"greater", 9, 9, "segments have been created since"},
	} {
		tree := mustOpen(t, path)
		if err := tree.SaveLastSegment(step.save); err != nil || !tree.sealed {
			t.Errorf("%s: %v; the commit is sealed: %v; want true", step.name, err, tree.sealed)
		}
		if err := tree.Close(); err != nil {
			t.Fatal(err)
		}
		tree = mustOpen(t, path)
		if s, err := tree.State(); err != nil || s.LastSegment != step.want {
			t.Errorf("%s: got %d, %v; want %d: %s", step.name, s.LastSegment, err, step.want, step.reason)
		}
		if err := tree.Close(); err != nil {
			t.Fatal(err)
		}
	}
	tree := mustOpen(t, path)
	cause := tree.Fail(errors.New("a fault"))
	if err := tree.SaveLastSegment(10); !errors.Is(err, daybook.ErrFailed) {
		t.Errorf("after %v: got %v; want ErrFailed", cause, err)
	}
}

// TestIsAt asks whether a tree is at a path, before and after its file was renamed.
func TestIsAt(t *testing.T) {
	path := filepath.Join(testenv.TempDir(t), "tree")
	tree := mustOpen(t, path)
	mustPost(t, tree, 0)
	other := path + ".other"
	if err := os.WriteFile(other, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, at := range []struct {
		path string
		want bool
	}{{path, true}, {other, false}} {
		if got, err := tree.IsAt(at.path); got != at.want || err != nil {
			t.Errorf("IsAt(%s): got %v, %v; want %v", at.path, got, err, at.want)
		}
	}
	if _, err := tree.IsAt(path + ".missing"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("IsAt of a path without a file: %v; want ErrNotExist", err)
	}
	tree.SetPath(other)
	if err := tree.Check(ctx); tree.mapped.path != other || err != nil && !errors.Is(err, daybook.ErrCorrupt) {
		t.Errorf("after SetPath the tree is at %s, %v; want %s", tree.mapped, err, other)
	}
	_ = tree.file.Close()
	if _, err := tree.IsAt(path); err == nil {
		t.Error("IsAt with a closed file: want its error")
	}
	for name, call := range map[string]func() error{
		"Size":        func() error { _, _, err := tree.Size(); return err },
		"RoomForNext": func() error { _, _, _, err := tree.RoomForNext(); return err },
	} {
		if call() == nil {
			t.Errorf("%s with a closed file: want its error", name)
		}
	}
}

// TestCloseWhenUnused closes a tree while a snapshot is open. The file must stay open for it.
func TestCloseWhenUnused(t *testing.T) {
	path := filepath.Join(testenv.TempDir(t), "tree")
	synctest.Test(t, func(t *testing.T) {
		tree, err := openAt(t, path, options())
		if err != nil {
			t.Fatal(err)
		}
		s, err := tree.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		closed := make(chan error, 1)
		go func() { closed <- tree.CloseWhenUnused() }()
		time.Sleep(time.Hour)
		if _, err := s.HasRecord("r"); err != nil || len(closed) > 0 {
			t.Errorf("while CloseWhenUnused waits: %v, it has returned: %v", err, len(closed) > 0)
		}
		s.Close()
		if err := <-closed; err != nil {
			t.Errorf("CloseWhenUnused: %v", err)
		}
	})
	mustPost(t, mustOpen(t, path), 0)
}

// TestLargestMapping compares with the sizes that bbolt gives its mapping.
func TestLargestMapping(t *testing.T) {
	for _, test := range []struct {
		name        string
		limit, want int64
	}{
		{"less than the smallest", minMapSize - 1, 0},
		{"the smallest", minMapSize, minMapSize},
		{"less than twice as much", 2*minMapSize - 1, minMapSize},
		{"twice as much", 2 * minMapSize, 2 * minMapSize},
		{"less than a step", mapStep - 1, mapStep / 2},
		{"a step", mapStep, mapStep},
		{"less than two steps", 2*mapStep - 1, mapStep},
		{"three steps", 3*mapStep + 5, 3 * mapStep},
	} {
		got := LargestMapping(test.limit)
		if got != test.want {
			t.Errorf("%s: got %d; want %d", test.name, got, test.want)
		}
		if got > 0 && (MappedSize(got) != got || MappedSize(got+1) <= test.limit) {
			t.Errorf("%s: a file of %d bytes takes a mapping of %d, and one of a byte more %d; the limit is %d",
				test.name, got, MappedSize(got), MappedSize(got+1), test.limit)
		}
	}
}

// TestRuleByTime lists rules with the timestamps that they delete in any record.
func TestRuleByTime(t *testing.T) {
	none := codec.Range{Start: 1}
	for _, test := range []struct {
		name   string
		rule   Rule
		alone  bool
		doomed codec.Range
		reason string
	}{
		{"age", Rule{OlderThan: 10}, true, codec.Range{End: 9}, "all that are older"},
		{"age, but keep some", Rule{OlderThan: 10, KeepNewest: 1}, false, none, "each may be among the newest"},
		{"number", Rule{MaxPerRecord: 3}, false, none, "a timestamp says nothing"},
		{"age or number", Rule{OlderThan: 10, MaxPerRecord: 3}, false, codec.Range{End: 9}, "age suffices"},
		{"stored", Rule{StoredThrough: 5}, true, none, "a timestamp says nothing"},
		{"stored, of an age", Rule{StoredThrough: 5, OlderThan: 10}, true, none, "later ones of that age stay"},
		{"newer", Rule{NewerThan: 5}, true, codec.Range{Start: 6, End: math.MaxUint64}, "all that are newer"},
		{"between", Rule{NewerThan: 5, OlderThan: 10}, true, codec.Range{Start: 6, End: 9}, "all between"},
		{"newer than all", Rule{NewerThan: math.MaxUint64}, true, none, "no timestamp is greater"},
	} {
		if got := test.rule.ByTimeAlone(); got != test.alone {
			t.Errorf("%s: ByTimeAlone: got %v; want %v", test.name, got, test.alone)
		}
		if got := test.rule.Doomed(); got != test.doomed {
			t.Errorf("%s: Doomed: got %+v; want %+v: %s", test.name, got, test.doomed, test.reason)
		}
	}
}

// TestHoldsSpare asks of which values holds spare the deletion.
func TestHoldsSpare(t *testing.T) {
	holds := Holds{{Pattern: mustPattern(t, "a*"), At: 3, From: 5}, {Pattern: mustPattern(t, "*b"), From: 9}}
	for _, test := range []struct {
		record   string
		sequence uint64
		want     bool
	}{
		{"a", 5, false}, {"a", 6, true}, {"b", 6, false}, {"b", 9, false}, {"b", 10, true}, {"ab", 6, true},
		{"c", 100, false},
	} {
		if got := holds.Spare(test.record, test.sequence); got != test.want {
			t.Errorf("value %d of %s: got %v; want %v", test.sequence, test.record, got, test.want)
		}
		lost := make([]uint64, len(holds))
		if spared := holds.of(test.record, lost); spared.spares(test.sequence) != test.want {
			t.Errorf("value %d of %s: Prune spares it: %v; want %v", test.sequence, test.record, !test.want, test.want)
		}
	}
}

// TestProgress interrupts a Prune at each of its checks, and goes on from its Progress. All parts
// together must delete what one Prune deletes, and the last one reports the damage that any met.
func TestProgress(t *testing.T) {
	for _, damaged := range []bool{false, true} {
		path := filepath.Join(testenv.TempDir(t), "tree")
		tree := mustOpen(t, path)
		mustPost(t, tree, 0)
		if err := tree.Close(); err != nil {
			t.Fatal(err)
		}
		if damaged {
			damageLeaf(t, path, "record.100")
		}
		file := mustRead(t, path)
		want, _, wantErr := pruneInParts(t, file, math.MaxInt)
		if errors.Is(wantErr, daybook.ErrCorrupt) != damaged || want < 5*200 {
			t.Fatalf("a Prune in one part: got %d, %v", want, wantErr)
		}
		for n := range 12 {
			got, parts, err := pruneInParts(t, file, n)
			if got != want || errors.Is(err, daybook.ErrCorrupt) != damaged || parts < 2 {
				t.Errorf("damaged: %v, after %d checks, in %d parts: got %d, %v; want %d, %v",
					damaged, n, parts, got, err, want, wantErr)
			}
		}
	}
}

// pruneInParts prunes a copy of a tree. The context of each part ends after a number of checks, and
// one more than for the part before. It returns the last part's error.
func pruneInParts(t *testing.T, file []byte, checks int) (deleted uint64, parts int, err error) {
	t.Helper()
	path := filepath.Join(testenv.TempDir(t), "tree")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	tree := mustOpen(t, path)
	defer tree.Close()
	progress := Progress{From: "record.200"}.AllFrom()
	with := pruning(func([]Deletion) {})
	with.Progress = &progress
	for parts == 0 || errors.Is(err, context.Canceled) {
		var some uint64
		some, err = tree.Prune(&countdown{ctx, checks}, mustPattern(t, "*"), Rule{OlderThan: 5}, with)
		if deleted += some; errors.Is(err, context.Canceled) && progress.Before == "" {
			t.Fatalf("after %d checks: %v, and no progress", checks, err)
		}
		checks, parts = checks+1, parts+1
	}
	if progress.From != "" || progress.Before != "" || progress.Around {
		t.Errorf("after the end there is more to do: %+v", progress)
	}
	return deleted, parts, err
}

// TestFail fails a tree and an incomplete copy. The owner of a daybook stops after the first, and
// goes on after the second.
func TestFail(t *testing.T) {
	tree, cause := mustOpen(t, filepath.Join(testenv.TempDir(t), "tree")), errors.New("a fault")
	mustPost(t, tree, 0)
	c := mustCopy(t, tree, func(*Copy) {})
	h, watermark := round(1)
	if err := c.to.Fail(cause); errors.Is(err, daybook.ErrFailed) || !errors.Is(err, cause) {
		t.Errorf("a copy that fails: got %v; want its cause, and not ErrFailed", err)
	}
	if err := c.Post(h.posting(watermark)); !errors.Is(err, cause) {
		t.Errorf("Post to a failed copy: got %v; want the cause", err)
	}
	if err := errors.Join(c.Close(), h.post(tree, watermark)); err != nil {
		t.Fatal(err)
	}
	if err := tree.Fail(cause); !errors.Is(err, daybook.ErrFailed) || !errors.Is(err, cause) {
		t.Errorf("a tree that fails: got %v; want ErrFailed with its cause", err)
	}
	wantRounds(t, tree, 2) // reading goes on
}

// TestCreateFull creates a tree that may not have its first pages.
func TestCreateFull(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the file's size is a power of two there")
	}
	opts := options()
	opts.MaxBytes = 5 * pageSize // bbolt's own pages are four
	path := filepath.Join(testenv.TempDir(t), "tree")
	if _, err := openAt(t, path, opts); !errors.Is(err, daybook.ErrNoSpace) {
		t.Errorf("got %v; want ErrNoSpace", err)
	}
	mustPost(t, mustOpen(t, path), 0) // with more space it goes on
}

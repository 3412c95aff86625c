// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/pages"
)

// TestVerbsMeetDamage damages each page of the file of an open tree, each chunk, and catalogue
// entries. Each verb must find the damage, or do what it would do without it.
func TestVerbsMeetDamage(t *testing.T) {
	path := makeVerbTree(t)
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	damages := slices.Concat(damagedPages(len(file)/pageSize), damagedElements(t, path), damagedMetas(t, path))
	for _, v := range verbs(t) {
		want, err := v.do(t, ctx, file, func(*Tree) {})
		if err != nil {
			t.Fatalf("%s: %v", v.name, err)
		}
		for _, d := range damages {
			got, err := v.do(t, ctx, file, func(tree *Tree) { d.to(t, tree) })
			switch {
			case err != nil && !isDamage(err):
				t.Errorf("%s: %s is damaged: %v", v.name, d.name, err)
			case err == nil && got != want && !v.passesOver:
				t.Errorf("%s: %s is damaged: got another result, and no error", v.name, d.name)
			}
		}
	}
}

// isDamage reports whether an error says that the tree is damaged, or that its backup is.
func isDamage(err error) bool {
	return errors.Is(err, daybook.ErrCorrupt) || strings.HasPrefix(err.Error(), "the backup ")
}

// damage is a change of an open tree.
type damage struct {
	name string
	to   func(*testing.T, *Tree)
}

// damagedPages returns the damage of each page but the meta pages.
func damagedPages(count int) (all []damage) {
	for page := 2; page < count; page++ {
		for _, at := range []int{page*pageSize + 10, page*pageSize + 16 + 61*page%200} { // the count, the content
			all = append(all, damage{fmt.Sprintf("the byte at offset %d", at), func(t *testing.T, tree *Tree) {
				data, err := os.ReadFile(tree.mapped.path)
				if err != nil {
					t.Fatal(err)
				}
				overwrite(t, tree.mapped.path, []byte{data[at] ^ 4}, at)
			}})
		}
	}
	return all
}

// damagedElements returns the damage of some chunks and catalogue entries, on pages whose checksums
// match.
func damagedElements(t *testing.T, path string) (all []damage) {
	t.Helper()
	tree := mustOpen(t, path)
	defer tree.Close()
	add := func(bucket string, isWanted func(seen int) bool) {
		seen := 0
		err := tree.view(func(_ *bbolt.Tx, image *pages.Image) error {
			b, err := image.Bucket(bucket)
			if err != nil {
				return err
			}
			return b.Walk(func(key, data []byte) error {
				if seen++; isWanted(seen) {
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
	add(valuesBucket, func(seen int) bool { return seen <= 45 && seen%2 == 0 || seen%80 == 0 }) // first a, b, c
	add(recordsBucket, func(seen int) bool { return seen <= 2 || seen%50 == 0 })
	for _, key := range []string{"a", "az", "zz"} {
		all = append(all, damage{fmt.Sprintf("the key %q among the chunks", key), func(t *testing.T, tree *Tree) {
			putElement(t, tree, valuesBucket, []byte(key), []byte("no chunk"))
		}})
	}
	return all
}

// damagedMetas returns the damage of each value of the bucket "meta": a byte has changed, the end
// is missing, or all of it. The checksum of its page matches.
func damagedMetas(t *testing.T, path string) (all []damage) {
	t.Helper()
	tree := mustOpen(t, path)
	defer tree.Close()
	err := tree.view(func(tx *bbolt.Tx, _ *pages.Image) error {
		return tx.Bucket([]byte(metaBucket)).ForEach(func(key, value []byte) error {
			if bytes.Equal(key, formatKey) || bytes.Equal(key, keysKey) { // each commit writes them
				return nil
			}
			changed := bytes.Clone(value)
			changed[len(changed)/2] ^= 4
			for what, value := range map[string][]byte{
				"changed": changed, "cut off": value[:len(value)-1], "empty": {},
			} {
				key, value := bytes.Clone(key), bytes.Clone(value)
				name := fmt.Sprintf("the value of %q in %s is %s:", key, metaBucket, what)
				all = append(all, damage{name, func(t *testing.T, tree *Tree) { putMeta(t, tree, key, value) }})
			}
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func putMeta(t *testing.T, tree *Tree, key, value []byte) {
	t.Helper()
	err := tree.commit(0, func(tx *bbolt.Tx) error { return tx.Bucket([]byte(metaBucket)).Put(key, value) })
	if err != nil {
		t.Fatal(err)
	}
}

// TestOpenMeetsDamagedMeta opens a tree in which a value of the bucket "meta" is damaged. Open must
// say so, or Check, if only a reader of the notes needs the value.
func TestOpenMeetsDamagedMeta(t *testing.T) {
	path := makeVerbTree(t)
	file := mustRead(t, path)
	for _, d := range damagedMetas(t, path) {
		overwrite(t, path, file, 0)
		tree := mustOpen(t, path)
		d.to(t, tree)
		if err := tree.bolt.Close(); err != nil { // Close would seal it
			t.Fatal(err)
		}
		tree, err := openAt(t, path, options())
		if err == nil {
			err = errors.Join(tree.Check(ctx), tree.Close())
		}
		if !errors.Is(err, daybook.ErrCorrupt) {
			t.Errorf("%s Open and Check: got %v; want ErrCorrupt", d.name, err)
		}
	}
}

// TestBackupMeetsDamage begins and verifies a backup of a damaged tree. It must find all damage
// that Check finds, because nobody reads the backup before it is needed.
func TestBackupMeetsDamage(t *testing.T) {
	path := makeVerbTree(t)
	file, v := mustRead(t, path), verb{run: func(ctx context.Context, tree *Tree) (string, error) {
		b, err := tree.Backup()
		if err != nil {
			return "", err
		}
		defer b.Close()
		return "", b.Verify(ctx)
	}}
	whole := &countdown{ctx, math.MaxInt}
	if _, err := v.do(t, whole, file, func(*Tree) {}); err != nil {
		t.Fatal(err)
	}
	last := &countdown{ctx, math.MaxInt - whole.left - 1}
	if _, err := v.do(t, last, file, func(*Tree) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("the context ended before the last catalogue entry: got %v; want Canceled", err)
	}
	found := 0
	for _, d := range append(damagedPages(len(file)/pageSize), damagedElements(t, path)...) {
		var check error
		_, err := v.do(t, ctx, file, func(tree *Tree) { d.to(t, tree); check = tree.Check(ctx) })
		if errors.Is(check, daybook.ErrCorrupt) != errors.Is(err, daybook.ErrCorrupt) {
			t.Errorf("%s is damaged: the backup says %v; Check says %v", d.name, err, check)
		}
		if err != nil {
			found++
		}
	}
	if found < 30 {
		t.Errorf("only %d of the damages were found", found)
	}
}

// TestCutoffMeetsDamagedNames damages each page of the catalogue in turn. Cutoff must count the
// chunks of all records all the same, without the newest value of each record whose entry it can
// read, and name the damage.
func TestCutoffMeetsDamagedNames(t *testing.T) {
	path := makeVerbTree(t)
	file, leaves, none := mustRead(t, path), 0, slices.Values([]codec.Entry(nil))
	count := func(prepare func(*Tree)) (all uint64, rule Rule, err error) {
		var skipped error
		v := verb{run: func(ctx context.Context, tree *Tree) (_ string, err error) {
			keep := func(of uint64) uint64 { all = of; return of / 3 }
			rule, skipped, err = tree.Cutoff(ctx, mustPattern(t, "*"), ByTime, keep, nil, 1, none)
			return "", err
		}}
		if _, err := v.do(t, ctx, file, prepare); err != nil {
			t.Fatal(err)
		}
		return all, rule, skipped
	}
	whole, _, err := count(func(*Tree) {})
	if err != nil {
		t.Fatal(err)
	}
	everything := uint64(0)
	h, _ := verbHistory()
	for record := range h {
		everything += valueBytes(h[record])
	}
	for page := 2; page < len(file)/pageSize; page++ {
		data := file[page*pageSize:][:pageSize]
		if !bytes.Contains(data, []byte("one.100")) || bytes.Contains(data, []byte("one.100\x00")) {
			continue // it has no names
		}
		leaves++
		at := page*pageSize + 10
		all, rule, err := count(func(tree *Tree) { overwrite(t, tree.mapped.path, []byte{file[at] ^ 4}, at) })
		if offsetIn(err) != page*pageSize || rule == (Rule{}) || all < whole || all >= everything {
			t.Errorf("page %d: got %d bytes, %+v, %v; want at least %d, less than %d, and the damage",
				page, all, rule, err, whole, everything)
		}
	}
	if leaves == 0 {
		t.Error("no page has names")
	}
}

// TestVerbsMeetMiscounts changes what the catalogue says of a record, so that it does not agree
// with the record's chunks. The verbs that count must say so.
func TestVerbsMeetMiscounts(t *testing.T) {
	file := mustRead(t, makeVerbTree(t))
	count := func(by int) func(*codec.CatalogueEntry) {
		return func(e *codec.CatalogueEntry) { e.Count += uint64(by) }
	}
	miscounts := map[string]func(*codec.CatalogueEntry){
		"a value more": count(1), "a value less": count(-1), "half of them": count(-30), "twice as many": count(60),
	}
	counting := []string{"Check", "Prune everything", "Copy", "Copy, then prune both"}
	for _, v := range verbs(t) {
		if !slices.Contains(counting, v.name) {
			continue
		}
		for name, change := range miscounts {
			got, err := v.do(t, ctx, file, func(tree *Tree) { changeEntry(t, tree, "b", change) })
			if !errors.Is(err, daybook.ErrCorrupt) {
				t.Errorf("%s: the catalogue has %s: got %.60s, %v; want ErrCorrupt", v.name, name, got, err)
			}
		}
	}
}

// changeEntry changes the catalogue entry of a record.
func changeEntry(t *testing.T, tree *Tree, record string, change func(*codec.CatalogueEntry)) {
	t.Helper()
	err := tree.update(func(w *writeTx) error {
		entry, _, err := w.entry(record)
		if err != nil {
			return err
		}
		change(&entry)
		return w.catalogue.put(record, &entry)
	})
	if err := errors.Join(err, tree.seal()); err != nil {
		t.Fatal(err)
	}
}

// TestVerbsMeetDamageOnTheWay damages pages when a verb asks its context for its error, or between
// two changes of a Prune: at each of these times in turn, all pages or some of them. What the verb
// has read before must not be taken for undamaged when it is read again.
func TestVerbsMeetDamageOnTheWay(t *testing.T) {
	file := mustRead(t, makeVerbTree(t))
	random := rand.New(rand.NewPCG(1, 7))
	for _, v := range verbs(t) {
		whole := &countdown{ctx, math.MaxInt}
		want, err := v.do(t, whole, file, func(*Tree) {})
		if err != nil {
			t.Fatalf("%s: %v", v.name, err)
		}
		asked := math.MaxInt - whole.left
		for n := 0; n < asked; n += 1 + asked/10 {
			for _, part := range []int{1, 4, 10} {
				var of *Tree
				hit := &hook{Context: ctx, left: n, run: func() { damageSomePages(t, of, random, part) }}
				got, err := v.do(t, hit, file, func(tree *Tree) { of = tree })
				switch {
				case err != nil && !isDamage(err) && !errors.Is(err, daybook.ErrFailed):
					t.Errorf("%s: damage after %d of %d checks: %v", v.name, n, asked, err)
				case err == nil && got != want && !v.passesOver:
					t.Errorf("%s: damage after %d of %d checks: got another result, and no error", v.name, n, asked)
				}
			}
		}
	}
}

// hook is a context that runs a function when it has been asked for its error a number of times.
type hook struct {
	context.Context
	left int
	run  func()
}

func (h *hook) Err() error {
	if h.left--; h.left == -1 {
		h.run()
	}
	return nil
}

// damageSomePages damages about one of the pages in every part, and no meta page.
func damageSomePages(t *testing.T, tree *Tree, random *rand.Rand, part int) {
	t.Helper()
	file, err := os.OpenFile(tree.mapped.path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	for page := int64(2); page < info.Size()/pageSize; page++ {
		if random.IntN(part) == 0 {
			one := make([]byte, 1)
			at := page*pageSize + 10 // the number of elements
			if _, err := file.ReadAt(one, at); err != nil {
				t.Fatal(err)
			}
			if _, err := file.WriteAt([]byte{one[0] ^ 4}, at); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func putElement(t *testing.T, tree *Tree, bucket string, key, data []byte) {
	t.Helper()
	err := tree.update(func(w *writeTx) error { return w.tx.Bucket([]byte(bucket)).Put(key, data) })
	if err := errors.Join(err, tree.seal()); err != nil {
		t.Fatal(err)
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
			case err != nil && !v.writes && name == "failed" && !(v.copies && errors.Is(err, daybook.ErrFailed)):
				t.Errorf("%s of a tree %s: %v; want no error, as for all that reads", v.name, name, err)
			}
		}
	}
}

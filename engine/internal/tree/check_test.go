// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/index"
)

// TestCheckOrder has a chunk whose last two values are the same, and after it a chunk that starts
// before them. Check must find both faults.
func TestCheckOrder(t *testing.T) {
	tree := mustOpen(t, filepath.Join(t.TempDir(), "tree"))
	sequence := uint64(0)
	err := tree.update(func(w *writeTx) error {
		for _, timestamps := range [][]uint64{{1, 2}, {10, 50, 50}, {20, 21}} {
			var entries []codec.Entry
			for i, timestamp := range timestamps {
				if i == 0 || timestamp != timestamps[i-1] {
					sequence++
				}
				entries = append(entries, codec.Entry{Timestamp: timestamp, Sequence: sequence, Value: []byte("1")})
			}
			key := codec.Key{Record: "r", Timestamp: timestamps[0]}.Append(nil)
			if err := w.put(key, w.coder.AppendChunk(nil, key, entries)); err != nil {
				return err
			}
		}
		w.state.Watermark = sequence
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	faults := tree.Check(ctx)
	if faults == nil {
		t.Fatal("Check found no fault")
	}
	for start, want := range map[uint64]string{10: "value 2 is out of order", 20: "value 0 is out of order"} {
		key := codec.Key{Record: "r", Timestamp: start}.Append(nil)
		if fault := fmt.Sprintf("under key %x: %s", key, want); !strings.Contains(faults.Error(), fault) {
			t.Errorf("Check: got %v; want %q", faults, fault)
		}
	}
	salvaged, err := tree.Salvage(ctx, copyPath(tree))
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprint(errors.Join(salvaged.Check(ctx), salvaged.Close()))
	if !strings.Contains(text, "value 2 is out") || strings.Contains(text, "value 0 is out") {
		t.Errorf("Check of the salvaged tree: got %s; want the fault within a chunk alone", text)
	}
}

// TestCheckCompares makes one number wrong in the totals, or in a record's catalogue entry. Check
// must find each, and say which record has it.
func TestCheckCompares(t *testing.T) {
	totals := map[string]func(*State){
		"records": func(s *State) { s.Records++ },
		"values":  func(s *State) { s.Values++ },
		"bytes":   func(s *State) { s.Bytes-- },
	}
	entries := map[string]func(*codec.CatalogueEntry){
		"count":           func(e *codec.CatalogueEntry) { e.Count-- },
		"bytes":           func(e *codec.CatalogueEntry) { e.Bytes++ },
		"oldest":          func(e *codec.CatalogueEntry) { e.Oldest++ },
		"newest":          func(e *codec.CatalogueEntry) { e.Newest++ },
		"newest sequence": func(e *codec.CatalogueEntry) { e.NewestSequence-- },
		"newest value":    func(e *codec.CatalogueEntry) { e.NewestValue = []byte("7") },
	}
	check := func(name, want string, change func(w *writeTx) error) {
		tree := mustOpen(t, filepath.Join(t.TempDir(), "tree"))
		mustPost(t, tree, 0)
		if err := tree.Check(ctx); err != nil {
			t.Fatal(err)
		}
		if err := tree.update(change); err != nil {
			t.Fatal(err)
		}
		if err := tree.Check(ctx); !errors.Is(err, daybook.ErrCorrupt) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s is wrong: got %v; want ErrCorrupt with %q", name, err, want)
		}
	}
	for name, change := range totals {
		check(name, "the tree says", func(w *writeTx) error { change(&w.state); return nil })
	}
	for name, change := range entries {
		check(name, "record.007", func(w *writeTx) error {
			entry, found, err := w.entry("record.007")
			if !found || err != nil {
				return cmp.Or(err, errors.New("no entry"))
			}
			change(&entry)
			return w.catalogue.put("record.007", &entry)
		})
	}
}

// TestDamageNamesThePlace has an element whose key has no timestamp, and a chunk whose header is
// cut off. The error of each must say where in the file it is.
func TestDamageNamesThePlace(t *testing.T) {
	everything, err := index.CompileGlob("*")
	if err != nil {
		t.Fatal(err)
	}
	cutOff := func() (key, chunk []byte) {
		key = codec.Key{Record: "r", Timestamp: 1}.Append(nil)
		entries := []codec.Entry{{Timestamp: 1, Sequence: 1, Value: []byte("1")}}
		return key, codec.NewCoder().AppendChunk(nil, key, entries)[:3]
	}
	noTimestamp := func() (key, chunk []byte) { return []byte("r\x00damaged"), []byte("chunk") }
	check := func(tree *Tree) error { return tree.Check(ctx) }
	cutoff := func(tree *Tree) error {
		_, skipped, err := tree.Cutoff(ctx, everything, ByTime, func(uint64) uint64 { return 0 }, nil, 0,
			slices.Values([]codec.Entry(nil)))
		return cmp.Or(err, skipped)
	}
	for _, c := range []struct {
		name   string
		damage func() (key, chunk []byte)
		read   func(*Tree) error
		record string
	}{
		{"Check, a key without a timestamp", noTimestamp, check, ""},
		{"Check, a header that is cut off", cutOff, check, "r"},
		{"Cutoff, a header that is cut off", cutOff, cutoff, "r"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "tree")
			tree := mustOpen(t, path)
			key, chunk := c.damage()
			err := tree.update(func(w *writeTx) error {
				return errors.Join(w.put(key, chunk), w.catalogue.put("r", &codec.CatalogueEntry{Count: 1}))
			})
			if err != nil {
				t.Fatal(err)
			}
			err = c.read(tree)
			var damage *Damage
			if !errors.As(err, &damage) {
				t.Fatalf("got %v; want a *Damage", err)
			}
			if damage.Bucket != valuesBucket || damage.Record != c.record || !bytes.Equal(damage.Key, key) {
				t.Errorf("got damage of record %q under key %x in %q", damage.Record, damage.Key, damage.Bucket)
			}
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.HasPrefix(data[damage.Offset:], chunk) {
				t.Errorf("the chunk is not at offset %d", damage.Offset)
			}
			if place := fmt.Sprintf("at offset %d", damage.Offset); !strings.Contains(damage.Error(), place) {
				t.Errorf("%q does not say %q", damage, place)
			}
		})
	}
}

// SPDX-License-Identifier: Apache-2.0

package index

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.etcd.io/bbolt"
	"pgregory.net/rapid"
)

// inCatalogue calls fn with the catalogue of a new file, which holds names.
func inCatalogue(t *testing.T, names []string, fn func(*Catalogue)) {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(t.TempDir(), "catalogue.bolt"), 0o600, &bbolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.Update(func(tx *bbolt.Tx) error {
		bucket, err := tx.CreateBucket([]byte("records"))
		if err != nil {
			return err
		}
		c := NewCatalogue(bucket)
		for _, name := range names {
			if err := c.Put(name, &Entry{Count: 1, NewestValue: []byte(name)}); err != nil {
				return err
			}
		}
		fn(c)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// boltReader is a bbolt cursor as a Reader.
type boltReader struct{ *bbolt.Cursor }

func (r boltReader) Seek(wanted []byte) (key, value []byte, err error) {
	key, value = r.Cursor.Seek(wanted)
	return key, value, nil
}

func (r boltReader) Next() (key, value []byte, err error) {
	key, value = r.Cursor.Next()
	return key, value, nil
}

func (c *Catalogue) cursor(p *Pattern, from string) *Cursor {
	return NewCursor(boltReader{c.bucket.Cursor()}, p, from)
}

// TestCursorError shows that a reader's error ends the walk.
func TestCursorError(t *testing.T) {
	p, err := CompileGlob("a*")
	if err != nil {
		t.Fatal(err)
	}
	c := NewCursor(failingReader{}, p, "")
	if name, _, _, err := c.Next(); string(name) != "a" || err != nil {
		t.Fatalf("first: got %q, %v", name, err)
	}
	if name, _, _, err := c.Next(); name != nil || !errors.Is(err, errRead) {
		t.Errorf("second: got %q, %v; want the reader's error", name, err)
	}
	if name, _, _, err := c.Next(); name != nil || err != nil {
		t.Errorf("after the error: got %q, %v; want the end", name, err)
	}
}

var errRead = errors.New("read error")

// failingReader has one name, and an error behind it.
type failingReader struct{}

func (failingReader) Seek([]byte) (key, value []byte, err error) { return []byte("a"), nil, nil }
func (failingReader) Next() (key, value []byte, err error)       { return nil, nil, errRead }

func TestEntryRoundTrip(t *testing.T) {
	number := rapid.OneOf(rapid.SampledFrom([]uint64{0, 1, 127, 128, math.MaxUint64}), rapid.Uint64())
	rapid.Check(t, func(t *rapid.T) {
		oldest, newest := number.Draw(t, "oldest"), number.Draw(t, "newest")
		want := Entry{
			Count: max(1, number.Draw(t, "count")), Bytes: number.Draw(t, "bytes"),
			Oldest: min(oldest, newest), Newest: max(oldest, newest),
			NewestSequence: number.Draw(t, "sequence"),
			NewestValue:    rapid.SliceOfN(rapid.Byte(), 0, maxInline).Draw(t, "value"),
		}
		if rapid.Bool().Draw(t, "too long to be kept") {
			want.NewestValue = nil
		}
		encoded := want.append(nil, "r")
		got, err := DecodeEntry([]byte("r"), encoded)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" { // nil and empty differ
			t.Errorf("entry (-want +got):\n%s", diff)
		}
		for n := range encoded {
			if e, err := DecodeEntry([]byte("r"), encoded[:n]); !errors.Is(err, ErrCorrupt) {
				t.Errorf("cut to %d of %d bytes: got %+v, %v; want ErrCorrupt", n, len(encoded), e, err)
			}
		}
		if e, err := DecodeEntry([]byte("r"), append(encoded, 0)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("with a byte more: got %+v, %v; want ErrCorrupt", e, err)
		}
	})
}

func TestMalformedEntries(t *testing.T) {
	tests := []struct {
		name   string
		data   string
		want   error
		reason string // why the row is here
	}{
		{"smallest", "\x01\x01\x00\x00\x00\x00\x00", nil, "the fields in their order"},
		{"empty", "", ErrCorrupt, "nothing at all"},
		{"next version", "\x02\x01\x00\x00\x00\x00\x00", ErrVersion, "newer is not the same as damaged"},
		{"next version, cut", "\x02", ErrVersion, "its fields are its own business"},
		{"version 0", "\x00\x01\x00\x00\x00\x00\x00", ErrCorrupt, "zeroed bytes were never a version"},
		{"no values", "\x01\x00\x00\x00\x00\x00\x00", ErrCorrupt, "a record without values has no entry"},
		{"oldest after newest", "\x01\x01\x00\x02\x01\x00\x00", ErrCorrupt, "it contradicts itself"},
		{"value too short", "\x01\x01\x00\x00\x00\x00\x031", ErrCorrupt, "two bytes claimed, one there"},
		{"value too long", "\x01\x01\x00\x00\x00\x00\x0211", ErrCorrupt, "one byte claimed, two there"},
		{"value length overflows", "\x01\x01\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x011", ErrCorrupt, "no slice has it"},
		{"varint overflows", "\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x00\x00\x00\x00\x00", ErrCorrupt, "more than 64 bits"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if e, err := DecodeEntry([]byte("r"), sealed(test.data)); !errors.Is(err, test.want) {
				t.Errorf("got %+v, %v; want %v (%s)", e, err, test.want, test.reason)
			}
		})
	}
}

// sealed puts the checksum behind the version of an entry of the record r.
func sealed(data string) []byte {
	if data == "" {
		return nil
	}
	entry := append([]byte{data[0], 0, 0, 0, 0}, data[1:]...)
	binary.LittleEndian.PutUint32(entry[checksumAt:], checksum([]byte("r"), entry))
	return entry
}

// TestFlippedEntries shows that no bit of an entry, or of its name, can change unnoticed.
func TestFlippedEntries(t *testing.T) {
	e := Entry{Count: 3, Bytes: 30, Oldest: 1, Newest: 9, NewestSequence: 12, NewestValue: []byte(`{"a":1}`)}
	good := append([]byte("r"), e.append(nil, "r")...)
	for bit := range 8 * len(good) {
		data := bytes.Clone(good)
		data[bit/8] ^= 1 << (bit % 8)
		if got, err := DecodeEntry(data[:1], data[1:]); !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrVersion) {
			t.Errorf("bit %d flipped: got %+v, %v; want ErrCorrupt or ErrVersion", bit, got, err)
		}
	}
}

func TestSetNewest(t *testing.T) {
	tests := []struct {
		name   string
		length int
		kept   bool
		reason string // why the row is here
	}{
		{"short", 1, true, "a reading fits"},
		{"longest", maxInline, true, "the limit is inclusive"},
		{"too long", maxInline + 1, false, "it would spread the names over too many pages"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			value := bytes.Repeat([]byte("1"), test.length)
			got := Entry{Count: 2, Oldest: 3, Newest: 4, NewestSequence: 5, NewestValue: []byte("old")}
			got.SetNewest(7, 8, value)
			want := Entry{Count: 2, Oldest: 3, Newest: 7, NewestSequence: 8}
			if test.kept {
				want.NewestValue = value
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("entry (-want +got; %s):\n%s", test.reason, diff)
			}
		})
	}
}

func TestCatalogue(t *testing.T) {
	inCatalogue(t, []string{"a", "b"}, func(c *Catalogue) {
		want := Entry{Count: 3, Bytes: 30, Oldest: 1, Newest: 9, NewestSequence: 12, NewestValue: []byte(`{"a":1}`)}
		if err := c.Put("a", &want); err != nil {
			t.Fatal(err)
		}
		got, found, err := c.Get("a")
		if diff := cmp.Diff(want, got); diff != "" || !found || err != nil {
			t.Errorf("Get: found %v, %v (-want +got):\n%s", found, err, diff)
		}
		if err := c.Delete("a"); err != nil {
			t.Fatal(err)
		}
		if _, found, err := c.Get("a"); found || err != nil {
			t.Errorf("after Delete: found %v, %v", found, err)
		}
		if _, found, err := c.Get("b"); !found || err != nil {
			t.Errorf("Delete of one record took another: %v", err)
		}
		if err := c.bucket.Put([]byte("b"), []byte{entryVersion}); err != nil {
			t.Fatal(err)
		}
		if _, _, err := c.Get("b"); !errors.Is(err, ErrCorrupt) {
			t.Errorf("a damaged entry: got %v, want ErrCorrupt", err)
		}
	})
}

// TestCursor: it visits exactly the matching names from the given one on, in order, with their entries.
func TestCursor(t *testing.T) {
	names := []string{"a", "a.b", "a.b.c", "a*", "aa", "ab", "b", "b.a", "ba", "é", "é.a", "\U0010ffff"}
	slices.Sort(names)
	patterns := []struct {
		text    string
		compile func(string) (*Pattern, error)
	}{
		{"*", CompileGlob}, {"a*", CompileGlob}, {"a.*", CompileGlob}, {"*a", CompileGlob}, {"?", CompileGlob}, {"a", CompileGlob},
		{`a\*`, CompileGlob}, {"c*", CompileGlob}, {"nothing", CompileGlob}, {"é*", CompileGlob}, {"\U0010ffff*", CompileGlob},
		{"#", CompileTopic}, {"a.#", CompileTopic}, {"*.a", CompileTopic}, {"a.*", CompileTopic}, {"b", CompileTopic},
	}
	inCatalogue(t, names, func(c *Catalogue) {
		for _, pattern := range patterns {
			p, err := pattern.compile(pattern.text)
			if err != nil {
				t.Fatal(err)
			}
			for _, from := range append([]string{"", "a.", "a\xff", "zzz"}, names...) {
				var want []string
				for _, name := range names {
					if name >= from && p.Match(name) {
						want = append(want, name)
					}
				}
				if diff := cmp.Diff(want, visit(t, c.cursor(p, from)), cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("%q from %q (-want +got):\n%s", pattern.text, from, diff)
				}
			}
		}
	})
}

// visit walks a cursor to its end and beyond, and returns the names.
func visit(t *testing.T, cursor *Cursor) (names []string) {
	t.Helper()
	for {
		name, data, matches, err := cursor.Next()
		if err != nil {
			t.Fatal(err)
		}
		if name == nil {
			break
		}
		if !matches {
			continue
		}
		if e, err := DecodeEntry(name, data); err != nil || string(e.NewestValue) != string(name) {
			t.Errorf("the entry of %q is that of %q, %v", name, e.NewestValue, err)
		}
		names = append(names, string(name))
	}
	if name, _, _, _ := cursor.Next(); name != nil {
		t.Errorf("a cursor at its end goes on with %q", name)
	}
	return names
}

// TestCursorStaysWithinThePrefix: the matcher is asked of no name before the prefix or behind it.
func TestCursorStaysWithinThePrefix(t *testing.T) {
	var names []string
	for i := range 3000 {
		names = append(names, fmt.Sprintf("device%04d.celsius", i))
	}
	tests := []struct {
		name         string
		prefix, from string
		want         []string // the names the matcher is asked of
		reason       string   // why the row is here
	}{
		{"in the middle", "device150", "", names[1500:1510], "a seek, not a walk"},
		{"resumed", "device150", "device1507", names[1507:1510], "where the caller left off"},
		{"resumed behind it", "device150", "device2", nil, "nothing is left"},
		{"from before it", "device150", "device1", names[1500:1510], "the prefix is the later of the two"},
		{"none", "device15000", "", nil, "the first name behind ends it"},
	}
	inCatalogue(t, names, func(c *Catalogue) {
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				var asked []string
				p := &Pattern{prefix: test.prefix, match: func(name string) bool {
					asked = append(asked, name)
					return false
				}}
				if visited := visit(t, c.cursor(p, test.from)); visited != nil {
					t.Errorf("visited %q; want nothing", visited)
				}
				if diff := cmp.Diff(test.want, asked, cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("names the matcher was asked of (-want +got; %s):\n%s", test.reason, diff)
				}
			})
		}
	})
}

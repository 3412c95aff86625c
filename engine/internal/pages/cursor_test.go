// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"bytes"
	"fmt"
	"os"
	"testing"

	"go.etcd.io/bbolt"
	"pgregory.net/rapid"
)

// TestCursorEqualsBbolt moves this package's cursor and bbolt's in the same way through random
// files, and compares what they return.
func TestCursorEqualsBbolt(t *testing.T) {
	parent := t.TempDir()
	keys := rapid.OneOf(rapid.StringN(1, 4, 8), rapid.Custom(func(t *rapid.T) string {
		return fmt.Sprintf("key.%03d", rapid.IntRange(0, 400).Draw(t, "number"))
	}))
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp(parent, "")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		f := newFile(t, dir)
		defer f.bolt.Close()
		for range rapid.IntRange(1, 5).Draw(t, "commits") {
			f.update(func(tx *bbolt.Tx) error { return change(t, tx.Bucket([]byte(large)), keys) })
			f.checkTable()
			f.compareMoves(t, keys)
		}
	})
}

// change puts and deletes single keys and ranges of keys.
func change(t *rapid.T, bucket *bbolt.Bucket, keys *rapid.Generator[string]) error {
	for range rapid.IntRange(0, 20).Draw(t, "single keys") {
		key := []byte(keys.Draw(t, "key"))
		if rapid.Bool().Draw(t, "delete") {
			if err := bucket.Delete(key); err != nil {
				return err
			}
			continue
		}
		size := rapid.SampledFrom([]int{0, 3, 9, 10, 11, 300, 5000}).Draw(t, "size")
		if err := bucket.Put(key, make([]byte, size)); err != nil {
			return err
		}
	}
	from, to := rapid.IntRange(0, 400).Draw(t, "from"), rapid.IntRange(0, 400).Draw(t, "to")
	deleting := rapid.Bool().Draw(t, "delete the range")
	for i := from; i < to; i++ {
		key := fmt.Appendf(nil, "key.%03d", i)
		if deleting {
			if err := bucket.Delete(key); err != nil {
				return err
			}
		} else if err := bucket.Put(key, make([]byte, i)); err != nil {
			return err
		}
	}
	return nil
}

func (f *testFile) compareMoves(t *rapid.T, keys *rapid.Generator[string]) {
	t.Helper()
	err := f.bolt.View(func(tx *bbolt.Tx) error {
		theirs, ours := tx.Bucket([]byte(large)).Cursor(), mustBucket(t, NewImage(tx, f.table, nil), large).Cursor()
		var current []byte // the key at the cursors
		for range rapid.IntRange(1, 30).Draw(t, "moves") {
			var key, value, wantKey, wantValue []byte
			var err error
			moves := []string{
				"seek", "seek", "up to", "up to", "advance", "advance", "next", "next", "prev", "first", "last",
			}
			move := rapid.SampledFrom(moves).Draw(t, "move")
			switch move {
			case "seek":
				wanted := []byte(keys.Draw(t, "wanted"))
				wantKey, wantValue = theirs.Seek(wanted)
				key, value, err = ours.Seek(wanted)
			case "up to":
				wanted := []byte(keys.Draw(t, "wanted"))
				if wantKey, wantValue = theirs.Seek(wanted); wantKey == nil {
					wantKey, wantValue = theirs.Last()
				} else if !bytes.Equal(wantKey, wanted) {
					wantKey, wantValue = theirs.Prev()
				}
				key, value, err = ours.SeekUpTo(wanted)
			case "advance":
				wanted := []byte(keys.Draw(t, "wanted"))
				if at := string(current); string(wanted) < at {
					wanted = []byte(at)
				}
				wantKey, wantValue = theirs.Seek(wanted)
				key, value, err = ours.Advance(wanted)
			case "next":
				wantKey, wantValue = theirs.Next()
				key, value, err = ours.Next()
			case "prev":
				wantKey, wantValue = theirs.Prev()
				key, value, err = ours.Prev()
			case "first":
				wantKey, wantValue = theirs.First()
				key, value, err = ours.First()
			case "last":
				wantKey, wantValue = theirs.Last()
				key, value, err = ours.Last()
			}
			same := bytes.Equal(key, wantKey) && bytes.Equal(value, wantValue) && (key == nil) == (wantKey == nil)
			if err != nil || !same {
				t.Fatalf("%s: got %q, %d bytes, %v; want %q, %d bytes", move,
					key, len(value), err, wantKey, len(wantValue))
			}
			if current = key; key == nil { // then the position of bbolt's cursor is undefined
				theirs.First()
				if current, _, err = ours.First(); err != nil {
					t.Fatal(err)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestAdvanceInAnEmptyBucket advances a cursor in a bucket that has lost its only key.
func TestAdvanceInAnEmptyBucket(t *testing.T) {
	f := smallFile(t)
	f.update(func(tx *bbolt.Tx) error {
		if err := tx.DeleteBucket([]byte(large)); err != nil {
			return err
		}
		_, err := tx.CreateBucket([]byte(large))
		return err
	})
	f.view(f.table, func(im *Image) {
		c := mustBucket(t, im, large).Cursor()
		for _, wanted := range []string{"a", "b", "b"} {
			if key, _, err := c.Advance([]byte(wanted)); key != nil || err != nil {
				t.Errorf("got %q, %v; want nothing", key, err)
			}
		}
	})
}

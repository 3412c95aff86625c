// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"path/filepath"
	"runtime/debug"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/proof/testenv"
)

// TestNoHandleIsLeft does what opens files by itself, and then looks for open files in the
// directory.
func TestNoHandleIsLeft(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // the garbage collector would close what was forgotten
	parent, err := filepath.EvalSymlinks(testenv.TempDir(t))
	if err != nil {
		t.Fatal(err)
	}
	source := filepath.Join(parent, "source")
	db := mustOpen(t, source, nil)
	mustStore(t, db, "r", "1", 1)
	if err := db.abandon(); err != nil {
		t.Fatal(err)
	}
	reading := mustOpen(t, source, &Options{ReadOnly: true})
	unposted := mustBackup(t, reading) // its value is in the log alone, which a reader cannot post
	mustClose(t, reading)
	for _, test := range []struct {
		name string
		do   func() error
	}{
		{"Exists", func() error { _, err := Exists(source); return err }},
		{"Exists without a daybook", func() error { _, err := Exists(parent); return err }},
		{"Restore", func() error { return Restore(ctx, filepath.Join(parent, "restored"), bytes.NewReader(unposted)) }},
		{"Restore of a part", func() error {
			_ = Restore(ctx, filepath.Join(parent, "cut"), bytes.NewReader(unposted[:len(unposted)-1]))
			return nil
		}},
		{"Restore over another", func() error { _ = Restore(ctx, source, bytes.NewReader(unposted)); return nil }},
		{"Follow", func() error {
			f, err := Follow(source, daybook.Pattern{}, daybook.Cursor{})
			if err != nil {
				return err
			}
			for _, err := range f.Read(ctx) {
				if err != nil {
					return err
				}
			}
			return nil
		}},
		{"Open and Close", func() error {
			db, err := Open(source, nil)
			if err != nil {
				return err
			}
			return db.Close()
		}},
		{"Open and Close of a reader", func() error {
			db, err := Open(source, &Options{ReadOnly: true})
			if err != nil {
				return err
			}
			return db.Close()
		}},
	} {
		if err := test.do(); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		if open := testenv.OpenFiles(t, parent); len(open) > 0 {
			t.Fatalf("%s leaves open: %q", test.name, open)
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

//go:build amd64 || arm64

package powercut

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/daybook-db/daybook/engine"
	"github.com/daybook-db/daybook/proof/fusedisk"
	"github.com/daybook-db/daybook/proof/journal"
)

// Values of which three fill the log's first segment, and their number.
const (
	segmentThird = 80_000
	inOneSegment = 7
)

// storedMark is the mark of a value whose Store has returned.
func storedMark(i int) string { return fmt.Sprintf("stored %02d", i) }

// storeInOneSegment stores on a disk that has room for one segment of the log, so that the log must
// go on in it again and again.
func storeInOneSegment(t *testing.T, disk *fusedisk.Disk, dir string) error {
	err := disk.Inject(fusedisk.Fault{
		Kinds: []journal.OpKind{journal.Create}, Glob: "*.new.log", Skip: 1, Times: -1, Errno: syscall.ENOSPC,
	})
	if err != nil {
		return err
	}
	db, err := engine.Open(dir, &engine.Options{Logger: quiet})
	if err != nil {
		return err
	}
	t.Cleanup(func() { _ = db.Close() })
	random := rand.New(rand.NewPCG(1, 2))
	for i := range inOneSegment {
		if err := fill(db, storedMark(i)+noise(random, segmentThird)); err != nil {
			return err
		}
		if _, err := disk.Mark(storedMark(i)); err != nil {
			return err
		}
	}
	segments, err := filepath.Glob(filepath.Join(dir, "wal", "*"))
	if err == nil && (len(segments) != 1 || filepath.Base(segments[0]) < "00000000000000000003.log") {
		err = fmt.Errorf("the log has %q; want one file, with a number of 3 at least", segments)
	}
	return errors.Join(err, disk.Inject())
}

// wantStoredPrefix wants the acknowledged values, and no others but the next one. Without the
// option to set damaged files aside, Open must succeed, and so must another Store.
func wantStoredPrefix(dir string, passed map[string]bool) error {
	db, err := engine.Open(dir, &engine.Options{Logger: quiet})
	if err != nil {
		return err
	}
	texts, err := textsIn(db)
	for i, text := range texts {
		if mark := storedMark(i); text[:len(mark)] != mark {
			err = errors.Join(err, fmt.Errorf("value %d is %.20q; want one that begins with %q", i, text, mark))
		}
	}
	acknowledged := 0
	for acknowledged < inOneSegment && passed[storedMark(acknowledged)] {
		acknowledged++
	}
	if n := len(texts); n < acknowledged || n > acknowledged+1 {
		err = errors.Join(err, fmt.Errorf("%d values are there; %d were acknowledged", n, acknowledged))
	}
	const later = "stored later"
	err = errors.Join(err, fill(db, later))
	if now, findErr := textsIn(db); !slices.Contains(now, later) {
		err = errors.Join(err, findErr, errors.New("a value that was stored after the power cut is missing"))
	}
	return errors.Join(err, db.Check(context.Background()), db.Close())
}

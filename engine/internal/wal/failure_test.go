// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook/engine/internal/disk/faultfs"
)

// lifecycle is a log that recovers from a crash and then makes, fills, releases and recycles
// segments, and the frames that were appended.
type lifecycle struct {
	disk *memDisk
	fs   *faultfs.FS

	tried     []testFrame // the frames that were passed to Append, in order
	synced    int         // number of frames that are durable
	watermark uint64
}

// newLifecycle returns a log after a crash. It is not sealed, not all its frames are durable, and a
// segment is unfinished.
func newLifecycle(t *testing.T) *lifecycle {
	d := newMemDisk()
	l := &lifecycle{disk: d, fs: faultfs.New(d)}
	log := mustOpen(t, d, 0, 0)
	log.pool.stop()
	l.tried = placed(1, numbered(0, 1500, 1), numbered(1, 1500, 1), numbered(2, 1000, 1))
	for i, f := range l.tried {
		mustAppend(t, log, f.Frame)
		if i < 2 {
			mustSync(t, log)
			l.synced++
		}
	}
	put(t, d, temporaryNameOf(3), make([]byte, 1000))
	return l
}

// run opens and uses the log until an operation fails. With goOn it then tries that operation once
// more.
func (l *lifecycle) run(goOn bool) error {
	again := func(do func() error) error {
		err := do()
		if err != nil && goOn {
			err = do()
		}
		return err
	}
	var log *Log
	err := again(func() error {
		recovery, err := Scan(crashDir, l.fs, knownAt(l.watermark))
		if err == nil {
			log, err = recovery.Open(0, testOptions())
		}
		return err
	})
	if err != nil {
		return err
	}
	l.synced = len(l.tried)
	log.pool.stop() // so that all runs do the same operations in the same order
	for i, length := range []int{1500, 100, 3000, 1500, 3000, 100, 3000} {
		frame := placed(l.tried[len(l.tried)-1].last()+1, numbered(10+i, length, 2))[0]
		l.tried = append(l.tried, frame)
		if err := again(func() error { _, err := log.Append([]Frame{frame.Frame}); return err }); err != nil {
			return err
		}
		if err := again(log.Sync); err != nil {
			return err
		}
		l.synced = len(l.tried)
		if i%2 == 1 {
			l.watermark = l.tried[l.synced-2].last()
			log.Release(l.watermark)
		}
	}
	return nil
}

// checkRecovery checks that all synced frames survive, and that the log stays usable.
func (l *lifecycle) checkRecovery() error {
	for range 2 {
		recovery, err := Scan(crashDir, l.disk, knownAt(l.watermark))
		if err != nil {
			return fmt.Errorf("Scan: %w", err)
		}
		at := 0
		for at < len(l.tried) && l.tried[at].last() <= l.watermark {
			at++
		}
		err = recovery.Replay(func(sequence uint64, payload []byte, values int) error {
			got := testFrame{Frame{payload, values}, sequence}
			if at == len(l.tried) || !cmp.Equal(got, l.tried[at], sameFrame) {
				return fmt.Errorf("replayed frame %d is %v", at, got)
			}
			at++
			return nil
		})
		if err != nil || at < l.synced {
			return fmt.Errorf("Replay after %d frames of %d synced ones: %v", at, l.synced, err)
		}
		l.tried = l.tried[:at]
		log, err := recovery.Open(0, testOptions())
		if err != nil {
			return fmt.Errorf("Open: %w", err)
		}
		added := placed(recovery.NextSequence(), numbered(90, 3000, 1))[0]
		if _, err := log.Append([]Frame{added.Frame}); err != nil {
			return fmt.Errorf("Append: %w", err)
		}
		l.tried = append(l.tried, added)
		if err := errors.Join(log.Sync(), log.Check(context.Background()), log.Close(false)); err != nil {
			return err
		}
		l.synced = len(l.tried)
	}
	for path := range l.disk.cached {
		if isTemporary(filepath.Base(path)) {
			return fmt.Errorf("%s was not removed", path)
		}
	}
	return nil
}

// failAt makes the n-th operation fail. A write fails after some of its bytes have been written.
// With off, all later operations fail too. reached reports whether the n-th operation was called.
func (l *lifecycle) failAt(n, written int, off bool) (reached func() bool) {
	left := n
	l.fs.SetHook(func(op faultfs.Op) error {
		if left--; left >= 0 || left < -1 && !off {
			return nil
		}
		failure := &faultfs.PartialError{Err: faultfs.ErrInjected}
		allowed := !off || op.Offset > 0 || written >= min(sectorSize, len(op.Data)) // see turnOffSoon
		if left == -1 && allowed {
			failure.Written = written
		}
		return failure
	})
	return func() bool { return left < 0 }
}

// TestEveryFailure makes each operation of the disk fail in turn, while a log recovers from a crash
// and makes, fills and recycles segments. Then the process ends, or the power is cut.
func TestEveryFailure(t *testing.T) {
	tests := []struct {
		name   string
		off    bool   // all operations after the failure fail too
		goOn   bool   // the log is used after the failure
		reason string // why the row is here
	}{
		{"fails, and the process ends", false, false, "the files must be valid after the clean-up of the failure"},
		{"fails, and the process goes on", false, true, "the files must stay valid after further operations"},
		{"goes off", true, false, "the files must be valid without a clean-up"},
	}
	var seed uint32
	ends := []struct {
		name   string
		choose func(n int) int // nil: the power stays
	}{
		{"process crash", nil},
		{"power cut, nothing written back", func(int) int { return 0 }},
		{"power cut, everything written back", func(n int) int { return n - 1 }},
		{"power cut, some written back", func(n int) int { return chooseBy(&seed, n) }},
	}
	for _, test := range tests {
		for _, end := range ends {
			t.Run(test.name+", "+end.name, func(t *testing.T) {
				for _, written := range []int{0, 30, segmentHeaderLen, 1 << 20} {
					for n, reached := 0, true; reached; n++ {
						seed = uint32(n) // so that each run can be repeated
						l := newLifecycle(t)
						failed := l.failAt(n, written, test.off)
						err := l.run(test.goOn)
						reached = failed()
						l.fs.SetHook(nil)
						if end.choose != nil {
							l.disk.cutPower(end.choose)
						}
						if failure := l.checkRecovery(); failure != nil {
							t.Fatalf("operation %d failed after %d bytes with %v: %v (%s)",
								n, written, err, failure, test.reason)
						}
					}
				}
			})
		}
	}
}

// chooseBy returns a number from 0 to n-1 that depends on seed, and changes seed.
func chooseBy(seed *uint32, n int) int {
	*seed = *seed*1664525 + 1013904223
	return int(*seed>>16) % n
}

// TestPowerCutInRecovery cuts the power while recovery writes the frames again and seals them. Any
// of the sectors that are not synced are lost.
func TestPowerCutInRecovery(t *testing.T) {
	for n := range 16 {
		for round := range uint32(100) {
			l := newLifecycle(t)
			l.failAt(n, 1<<20, true)
			recovery, err := Scan(crashDir, l.fs, knownAt(0))
			if err == nil {
				_, err = recovery.Open(0, testOptions())
			}
			l.fs.SetHook(nil)
			seed := round
			l.disk.cutPower(func(n int) int { return chooseBy(&seed, n) })
			if failure := l.checkRecovery(); failure != nil {
				t.Fatalf("round %d, power off at operation %d, which returned %v: %v", round, n, err, failure)
			}
		}
	}
}

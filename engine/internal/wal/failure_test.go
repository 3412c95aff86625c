// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook/engine/internal/disk/faultfs"
)

// life is a log that recovers, and then makes, fills, releases and reuses segments, and what it was
// told.
type life struct {
	disk *memDisk
	fs   *faultfs.FS

	tried     []testFrame // all frames, in order
	synced    int         // how many of them are durable
	watermark uint64
}

// newLife leaves what a crash does: a log that is not sealed, and not all of it durable, and a
// segment that was being made.
func newLife(t *testing.T) *life {
	d := newMemDisk()
	l := &life{disk: d, fs: faultfs.New(d)}
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

// run lives on until an operation fails. With goOn it then tries once more.
func (l *life) run(goOn bool) error {
	again := func(do func() error) error {
		err := do()
		if err != nil && goOn {
			err = do()
		}
		return err
	}
	var log *Log
	err := again(func() error {
		recovery, err := Scan(crashDir, l.fs, l.watermark)
		if err == nil {
			log, err = recovery.Open(0, testOptions())
		}
		return err
	})
	if err != nil {
		return err
	}
	l.synced = len(l.tried)
	log.pool.stop() // so that each run does the same in the same order
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

// checkRecovery checks that all that was synced is there, and that the log goes on.
func (l *life) checkRecovery() error {
	for range 2 {
		recovery, err := Scan(crashDir, l.disk, l.watermark)
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
				return fmt.Errorf("frame %d is %v", at, got)
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
		if err := errors.Join(log.Sync(), log.Check(), log.Close(false)); err != nil {
			return err
		}
		l.synced = len(l.tried)
	}
	for path := range l.disk.cached {
		if temporaryName.MatchString(filepath.Base(path)) {
			return fmt.Errorf("%s is left", path)
		}
	}
	return nil
}

// failAt has the n-th operation fail, a write after some of its bytes, and with off all that
// follow. It reports whether that operation was reached.
func (l *life) failAt(n, written int, off bool) (reached func() bool) {
	left := n
	l.fs.SetHook(func(op faultfs.Op) error {
		if left--; left >= 0 || left < -1 && !off {
			return nil
		}
		failure := &faultfs.PartialError{Err: faultfs.ErrInjected}
		whole := !off || op.Offset > 0 || written >= min(sectorSize, len(op.Data)) // see turnOffSoon
		if left == -1 && whole {
			failure.Written = written
		}
		return failure
	})
	return func() bool { return left < 0 }
}

// TestEveryFailure has each operation of the disk fail in turn, on the way from an earlier crash
// over the making, filling and reusing of segments, and then the process or the power.
func TestEveryFailure(t *testing.T) {
	tests := []struct {
		name   string
		off    bool // nothing works behind the failure
		goOn   bool // the log is used further
		reason string
	}{
		{"fails, and the process ends", false, false, "what cleaning up leaves must be whole"},
		{"fails, and the process goes on", false, true, "and must not hurt later"},
		{"goes off", true, false, "nothing is cleaned up"},
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
						l := newLife(t)
						failed := l.failAt(n, written, test.off)
						err := l.run(test.goOn)
						reached = failed()
						l.fs.SetHook(nil)
						if end.choose != nil {
							l.disk.cutPower(end.choose)
						}
						if failure := l.checkRecovery(); failure != nil {
							t.Fatalf("operation %d after %d bytes, then %v: %v (%s)", n, written, err, failure, test.reason)
						}
					}
				}
			})
		}
	}
}

// chooseBy returns a number from 0 to n-1 that depends on seed, and changes that.
func chooseBy(seed *uint32, n int) int {
	*seed = *seed*1664525 + 1013904223
	return int(*seed>>16) % n
}

// TestPowerCutInRecovery: of what recovery writes once more, and of the seal that vouches for it,
// the power cut leaves any sectors.
func TestPowerCutInRecovery(t *testing.T) {
	for n := range 16 {
		for round := range uint32(100) {
			l := newLife(t)
			l.failAt(n, 1<<20, true)
			recovery, err := Scan(crashDir, l.fs, 0)
			if err == nil {
				_, err = recovery.Open(0, testOptions())
			}
			l.fs.SetHook(nil)
			seed := round
			l.disk.cutPower(func(n int) int { return chooseBy(&seed, n) })
			if failure := l.checkRecovery(); failure != nil {
				t.Fatalf("round %d, operation %d, then %v: %v", round, n, err, failure)
			}
		}
	}
}

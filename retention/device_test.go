// SPDX-License-Identifier: Apache-2.0

package retention

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/backendtest"
)

// device is a simulated machine with a keeper. Its true time is that of the bubble.
type device struct {
	name   string
	reason string // why the row is here

	days   int                                    // of the simulation
	power  func(boot int) (on, off time.Duration) // how long it is on, and then off
	clock  func(at moment) time.Time              // what its wall clock shows
	steady func(at moment) time.Duration          // uptime of the machine; nil: after the boot
	stamp  func(record int, at moment) time.Time  // of the values; nil: the wall clock
	filled bool                                   // it begins with the values of six days
	cron   time.Duration                          // each sweep is a process, as from cron, at this interval; 0: no cron
	right  bool                                   // the clock is set right soon after each boot
	strict bool                                   // no value has a timestamp that is too early
}

// moment is a moment of a device.
type moment struct {
	now       time.Time // true
	began     time.Time // the simulation
	boot      int       // number of the boot, from 0
	sinceBoot time.Duration
	shutdown  time.Time // true time of the last shutdown
}

func (m moment) day() int { return int(m.now.Sub(m.began) / day) }

const (
	deviceMaxAge = 7 * day
	storeEvery   = 4 * hour
	deviceNames  = 3
)

// stamped is a value that the device stored.
type stamped struct {
	at        time.Time // true
	timestamp time.Time
	uptime    time.Duration // of the device, when it was stored
	isOld     bool          // it is older than deviceMaxAge
	oldUptime time.Duration // of the device, when that was noticed
}

// keptBackend is what a keeper can use of a backend.
type keptBackend interface {
	daybook.Backend
	daybook.RecordLister
	daybook.Pruner
	daybook.ChangeSource
	daybook.Statser
	daybook.ClockMemory
	io.Closer
}

// simulation runs a device, and is the oracle that knows true time.
type simulation struct {
	keptBackend
	*device
	t      *testing.T
	open   func() keptBackend // at each boot; closed at its end
	moment moment
	mu     sync.Mutex // guards the ledger: values and live
	bootAt time.Time
	uptime time.Duration // of earlier boots
	values []stamped     // a value is its index
	live   []int         // the values that were not deleted when they were judged last
	doubts int           // sweeps with ErrClock
}

// Prune implements daybook.Pruner, and judges what was deleted.
func (s *simulation) Prune(ctx context.Context, pattern string, params daybook.PruneParams) (uint64, error) {
	deleted, err := s.keptBackend.Prune(ctx, pattern, params)
	if deleted > 0 {
		s.judge()
	}
	return deleted, err
}

// Cleanup implements daybook.Backend, and judges what was deleted.
func (s *simulation) Cleanup(ctx context.Context, olderThan uint64) (uint64, error) {
	deleted, err := s.keptBackend.Cleanup(ctx, olderThan)
	if deleted > 0 {
		s.judge()
	}
	return deleted, err
}

func (s *simulation) at() moment {
	m := s.moment
	m.now = time.Now()
	m.sinceBoot = m.now.Sub(s.bootAt)
	return m
}

func (s *simulation) run() {
	s.moment.began, s.moment.shutdown, s.bootAt = time.Now(), time.Now(), time.Now()
	if s.filled {
		for at := 6 * day; at > 0; at -= storeEvery {
			s.store(time.Now().Add(-at), func(int) time.Time { return time.Now().Add(-at) })
		}
	}
	for end := time.Now().Add(time.Duration(s.days) * day); time.Now().Before(end); s.moment.boot++ {
		s.bootAt = time.Now()
		on, off := s.power(s.moment.boot)
		s.runBoot(min(on, time.Until(end)))
		s.uptime += time.Since(s.bootAt)
		s.moment.shutdown = time.Now()
		time.Sleep(off)
	}
}

// runBoot stores values and keeps them for a time.
func (s *simulation) runBoot(on time.Duration) {
	if s.open != nil {
		s.keptBackend = s.open()
		defer s.close()
	}
	ctx, cancel := context.WithCancel(s.t.Context())
	done := make(chan error, 1)
	go func() { done <- s.keep(ctx) }()
	for end := s.bootAt.Add(on); ; {
		wait := min(storeEvery, time.Until(end))
		time.Sleep(wait / 2)
		s.store(time.Now(), s.timestamp)
		time.Sleep(wait - wait/2)
		s.judge()
		if !time.Now().Before(end) {
			break
		}
	}
	cancel()
	if err := <-done; err != nil {
		s.t.Errorf("the keeper: %v", err)
	}
}

func (s *simulation) close() {
	if err := s.keptBackend.Close(); err != nil {
		s.t.Error(err)
	}
}

func (s *simulation) timestamp(record int) time.Time {
	if s.stamp != nil {
		return s.stamp(record, s.at())
	}
	return s.clock(s.at())
}

// keep runs a keeper, or sweeps as from cron.
func (s *simulation) keep(ctx context.Context) error {
	k := &Keeper{
		Backend: s, Interval: DefaultInterval, Policy: Policy{MaxAge: deviceMaxAge},
		Logger: slog.New(slog.NewTextHandler(&warnings{s}, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	c := newClock(&Keeper{Policy: k.Policy, MaxJump: DefaultMaxJump, Now: time.Now})
	c.floor = minFloor
	c.wall = func() time.Time { return s.clock(s.at()) }
	c.steady = func() time.Duration { return s.at().sinceBoot }
	if s.steady != nil {
		c.steady = func() time.Duration { return s.steady(s.at()) }
	}
	if s.cron == 0 {
		return k.sweepRepeatedly(ctx, c)
	}
	for ctx.Err() == nil {
		time.Sleep(10 * time.Minute)
		c.loaded, c.knowledge = false, knowledge{} // another process
		if err := k.sweepAndLog(ctx, c); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(s.cron - 10*time.Minute):
		}
	}
	return nil
}

// warnings counts the sweeps that doubt the clock, and fails for other warnings.
type warnings struct{ *simulation }

func (w *warnings) Write(line []byte) (int, error) {
	w.doubts++
	if !bytes.Contains(line, []byte(ErrClock.Error())) {
		w.t.Errorf("logged %s", line)
	}
	return len(line), nil
}

func (s *simulation) store(at time.Time, timestamp func(record int) time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for record := range deviceNames {
		v := stamped{at: at, timestamp: timestamp(record), uptime: s.uptime + time.Since(s.bootAt)}
		value := json.RawMessage(strconv.Itoa(len(s.values)))
		s.live = append(s.live, len(s.values))
		s.values = append(s.values, v)
		name := fmt.Sprint("record.", record)
		if err := s.keptBackend.Store(s.t.Context(), name, value, uint64(v.timestamp.UnixMilli())); err != nil {
			s.t.Error(err)
		}
	}
}

// judge compares what is stored with the two promises: no value younger than deviceMaxAge is
// deleted, and no older one stays for more than a day of uptime.
func (s *simulation) judge() {
	s.mu.Lock()
	defer s.mu.Unlock()
	stored, err := s.keptBackend.Query(s.t.Context(), "*", daybook.QueryParams{})
	if err != nil {
		s.t.Fatal(err)
	}
	isStored := make(map[int]bool, len(stored))
	for _, v := range stored {
		id, _ := strconv.Atoi(string(v.Value))
		isStored[id] = true
	}
	s.live = slices.DeleteFunc(s.live, func(id int) bool {
		s.judgeValue(&s.values[id], isStored[id])
		return !isStored[id]
	})
}

func (s *simulation) judgeValue(v *stamped, isStored bool) {
	now := time.Now()
	uptime := s.uptime + now.Sub(s.bootAt)
	age := now.Sub(v.at)
	isEarly := v.timestamp.Before(v.at.Add(-time.Minute)) // its age is not known, and seems greater
	if !isStored {
		if age < deviceMaxAge && (s.strict || !isEarly) {
			s.t.Fatalf("day %d: a value of %s ago was deleted; its timestamp is %s from true",
				s.at().day(), age, v.timestamp.Sub(v.at))
		}
		return
	}
	if age >= deviceMaxAge && !v.isOld {
		v.isOld, v.oldUptime = true, uptime
	}
	isYoung := now.Sub(v.timestamp) < deviceMaxAge+day+time.Minute // by its timestamp
	if kept := uptime - v.uptime; kept > deviceMaxAge+day && !isYoung {
		s.t.Fatalf("day %d: a value is there after %s of uptime; its timestamp is %s from true",
			s.at().day(), kept, v.timestamp.Sub(v.at))
	}
	if s.right && v.isOld && uptime-v.oldUptime > day && v.timestamp.Sub(v.at) < day {
		s.t.Fatalf("day %d: a value of %s ago is there, after a day of uptime as an old one", s.at().day(), age)
	}
}

// TestDevices runs each device, and wants both promises at each moment.
func TestDevices(t *testing.T) {
	for _, d := range devices() {
		t.Run(d.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &simulation{keptBackend: backendtest.NewMemory(), device: &d, t: t}
				s.run()
				remaining, _ := s.keptBackend.Query(t.Context(), "*", daybook.QueryParams{})
				t.Logf("%s: %d boots, %s of uptime, %d doubts, %d values, %d remain",
					d.reason, s.moment.boot, s.uptime, s.doubts, len(s.values), len(remaining))
			})
		})
	}
}

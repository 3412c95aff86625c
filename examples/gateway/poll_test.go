// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/backendtest"
)

// counter is a sensor that counts how often it is read. It fails where the count is in errs.
type counter struct {
	reads int
	errs  map[int]error
}

func (c *counter) Name() string { return "counter" }

func (c *counter) Read(context.Context) (float64, error) {
	c.reads++
	return float64(c.reads), c.errs[c.reads]
}

func TestPollOutlastsAFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &badDisk{Backend: backendtest.NewMemory()}
		p := &poller{backend: disk, sensors: []sensor{&counter{}}, interval: time.Second, status: quiet()}
		stop := start(t, p.run)

		time.Sleep(1500 * time.Millisecond) // readings 1 and 2
		disk.fail(daybook.ErrNoSpace)
		time.Sleep(2 * time.Second) // 3 and 4
		if got := p.status.all()["poll"]; got.Error != daybook.ErrNoSpace.Error() || got.Failures != 2 {
			t.Errorf("the status is %+v; want ErrNoSpace, and 2 failures", got)
		}
		disk.fail(nil)
		time.Sleep(time.Second) // 5
		stop()

		want := []string{`sensor.counter {"value":1}`, `sensor.counter {"value":2}`, `sensor.counter {"value":5}`}
		if diff := cmp.Diff(want, values(t, disk, "*")); diff != "" {
			t.Errorf("stored (-want +got):\n%s", diff)
		}
		if got := p.status.all()["poll"]; got.Error != "" || got.Failures != 2 {
			t.Errorf("the status is %+v; want no error, and 2 failures", got)
		}
	})
}

// A failed log is mended by opening the directory again, which needs an end of the program.
func TestPollEndsWhenWritesFailForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &badDisk{Backend: backendtest.NewMemory()}
		disk.fail(daybook.ErrFailed)
		p := &poller{backend: disk, sensors: []sensor{&counter{}}, interval: time.Second, status: quiet()}
		if err := p.run(t.Context()); !errors.Is(err, daybook.ErrFailed) {
			t.Errorf("run returned %v; want ErrFailed", err)
		}
	})
}

func TestPollReadsTheOtherSensors(t *testing.T) {
	silent := errors.New("no answer")
	sensors := []sensor{
		&counter{errs: map[int]error{1: silent}},
		wave{name: "broken", mean: math.NaN(), period: time.Second},
		wave{name: "steady", mean: 7, period: time.Second},
	}
	p := &poller{sensors: sensors, status: quiet()}
	batch := p.read(t.Context())
	if len(batch) != 1 || batch[0].RecordName != "sensor.steady" {
		t.Errorf("the batch is %v; want a reading of sensor.steady alone", batch)
	}
	for name, want := range map[string]bool{"sensor.counter": true, "sensor.broken": true, "sensor.steady": false} {
		if got := p.status.all()[name]; (got.Error != "") != want {
			t.Errorf("the status of %s is %+v; want an error: %t", name, got, want)
		}
	}
}

// silent is a sensor that does not answer. One with a stuck driver waits for that alone.
type silent struct{ stuck chan struct{} }

func (silent) Name() string { return "silent" }

func (s silent) Read(ctx context.Context) (float64, error) {
	if s.stuck != nil {
		<-s.stuck
		return 0, nil
	}
	<-ctx.Done()
	return 0, ctx.Err()
}

func TestPollOutlastsASilentSensor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := backendtest.NewMemory()
		sensors := []sensor{silent{}, &counter{}}
		p := &poller{backend: memory, sensors: sensors, interval: time.Second, status: quiet()}
		stop := start(t, p.run)
		time.Sleep(time.Hour)
		answer := ask(t, &api{backend: memory, status: p.status}, http.MethodGet, "/healthz", "")
		if answer.Code != http.StatusOK {
			t.Errorf("/healthz answered %d; want 200, because the others are read", answer.Code)
		}
		stop()
		if got := len(values(t, memory, "sensor.counter")); got < 1000 {
			t.Errorf("read the other sensor %d times in an hour; want 1000 times or more", got)
		}
		if got := p.status.all()["sensor.silent"]; got.Failures < 1000 || !strings.Contains(got.Error, "deadline") {
			t.Errorf("the status of sensor.silent is %+v; want an error for each read", got)
		}
	})
}

func TestHealthFailsWhenPollingIsStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory, stuck := backendtest.NewMemory(), make(chan struct{})
		p := &poller{backend: memory, sensors: []sensor{silent{stuck}}, interval: time.Second, status: quiet()}
		a := &api{backend: memory, status: p.status}
		stop := start(t, p.run)
		time.Sleep(time.Second)
		if answer := ask(t, a, http.MethodGet, "/healthz", ""); answer.Code != http.StatusOK {
			t.Errorf("/healthz answered %d after a second; want 200", answer.Code)
		}
		time.Sleep(time.Minute)
		answer := ask(t, a, http.MethodGet, "/healthz", "")
		if answer.Code != http.StatusServiceUnavailable || !strings.Contains(answer.Body.String(), "poll is stuck") {
			t.Errorf("/healthz answered %d, %s; want 503, and what is stuck", answer.Code, answer.Body)
		}
		close(stuck)
		stop()
	})
}

// A NaN each second is one line of the log.
func TestPollReportsANaNOnce(t *testing.T) {
	var log bytes.Buffer
	broken := wave{name: "broken", mean: math.NaN(), period: time.Second}
	p := &poller{sensors: []sensor{broken}, status: newStatus(slog.New(slog.NewTextHandler(&log, nil)))}
	for range 5 {
		p.read(t.Context())
	}
	if lines := strings.Count(log.String(), "\n"); lines != 1 || p.status.all()["sensor.broken"].Failures != 5 {
		t.Errorf("logged %d lines, status %+v; want one line, and 5 failures:\n%s", lines, p.status.all(), &log)
	}
}

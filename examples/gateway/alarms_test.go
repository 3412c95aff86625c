// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/backendtest"
)

// measure stores readings of sensor.boiler, a second apart.
func measure(t *testing.T, backend daybook.Backend, readings ...float64) {
	t.Helper()
	for _, value := range readings {
		time.Sleep(time.Second)
		if err := daybook.StoreAs(t.Context(), backend, "sensor.boiler", reading{value}, daybook.Now()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
	}
}

func configure(t *testing.T, backend daybook.Backend, above, hysteresis float64) {
	t.Helper()
	if err := storeLimits(t.Context(), backend, limits{"boiler": {above, hysteresis}}); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
}

func TestAlarms(t *testing.T) {
	const began, ended = `alarm.boiler {"active":true,`, `alarm.boiler {"active":false,`
	tests := []struct {
		name string
		run  func(t *testing.T, backend daybook.Backend)
		want []string
	}{
		{"below the limit", func(t *testing.T, b daybook.Backend) {
			measure(t, b, 79, 80)
		}, nil},
		{"a reading that swings around the limit raises one alarm", func(t *testing.T, b daybook.Backend) {
			measure(t, b, 81, 79, 81, 76, 82, 75, 79)
		}, []string{began + `"reading":81,"limit":80}`, ended + `"reading":75,"limit":80}`}},
		{"a new limit applies to the last reading at once", func(t *testing.T, b daybook.Backend) {
			measure(t, b, 70)
			configure(t, b, 60, 5)
			configure(t, b, 80, 5)
		}, []string{began + `"reading":70,"limit":60}`, ended + `"reading":70,"limit":80}`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				memory := backendtest.NewMemory()
				configure(t, memory, 80, 5)
				a := &alarms{backend: memory, status: quiet()}
				stop := start(t, a.run)
				synctest.Wait()
				test.run(t, memory)
				stop()
				if diff := cmp.Diff(test.want, values(t, memory, "alarm.*")); diff != "" {
					t.Errorf("alarms (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// An alarm that is active when the gateway ends is not raised again at its next start.
func TestAlarmsAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := backendtest.NewMemory()
		configure(t, memory, 80, 5)
		for _, value := range []float64{90, 91, 60} {
			a := &alarms{backend: memory, status: quiet()}
			stop := start(t, a.run)
			synctest.Wait()
			measure(t, memory, value)
			stop()
		}
		want := []string{
			`alarm.boiler {"active":true,"reading":90,"limit":80}`,
			`alarm.boiler {"active":false,"reading":60,"limit":80}`,
		}
		if diff := cmp.Diff(want, values(t, memory, "alarm.*")); diff != "" {
			t.Errorf("alarms (-want +got):\n%s", diff)
		}
	})
}

func TestAlarmOnAFullDiskIsStoredLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &badDisk{Backend: backendtest.NewMemory()}
		configure(t, disk, 80, 5)
		a := &alarms{backend: disk, status: quiet()}
		stop := start(t, a.run)
		synctest.Wait()

		measure(t, disk, 90)
		disk.fail(daybook.ErrNoSpace)
		configure(t, disk.Backend, 100, 5) // ends the alarm, which has no room
		if got := a.status.all()["alarms"]; got.Error != daybook.ErrNoSpace.Error() {
			t.Errorf("the status is %+v; want ErrNoSpace", got)
		}
		disk.fail(nil)
		measure(t, disk, 91)
		stop()
		want := []string{
			`alarm.boiler {"active":true,"reading":90,"limit":80}`,
			`alarm.boiler {"active":false,"reading":91,"limit":100}`,
		}
		if diff := cmp.Diff(want, values(t, disk, "alarm.*")); diff != "" {
			t.Errorf("alarms (-want +got):\n%s", diff)
		}
	})
}

// Limits that are stored after the clock was set back are the newest, although they have an earlier
// time.
func TestLimitsWithAClockThatWasSetBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := backendtest.NewMemory()
		later := daybook.Timestamp(time.Now().Add(time.Hour))
		if err := daybook.StoreAs(t.Context(), memory, limitsRecord, limits{"boiler": {80, 5}}, later); err != nil {
			t.Fatal(err)
		}
		configure(t, memory, 60, 5)
		a := &alarms{backend: memory}
		if err := a.load(t.Context()); err != nil || a.limits["boiler"].Above != 60 {
			t.Errorf("loaded %v, %v; want a limit of 60", a.limits, err)
		}
	})
}

// An alarm that ends after the clock was set back has ended, also for the next start.
func TestAlarmsWithAClockThatWasSetBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := backendtest.NewMemory()
		configure(t, memory, 80, 5)
		later := daybook.Timestamp(time.Now().Add(time.Hour))
		raised := alarm{Active: true, Reading: 90, Limit: 80}
		if err := daybook.StoreAs(t.Context(), memory, "alarm.boiler", raised, later); err != nil {
			t.Fatal(err)
		}
		a := &alarms{backend: memory, status: quiet()}
		stop := start(t, a.run)
		synctest.Wait()
		measure(t, memory, 60)
		stop()
		newest, err := daybook.QueryLatest[alarm](t.Context(), memory, "alarm.boiler", 1)
		if err != nil || len(newest) != 1 || newest[0].Value.Active || newest[0].Value.Reading != 60 {
			t.Errorf("the newest alarm is %+v, %v; want the end of it, at 60", newest, err)
		}
		if err := a.load(t.Context()); err != nil || a.active["boiler"] {
			t.Errorf("after a start the alarm is active: %t, %v; want that it has ended", a.active["boiler"], err)
		}
	})
}

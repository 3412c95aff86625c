// SPDX-License-Identifier: Apache-2.0

// Gateway is a complete program around Daybook, as a device in the field would run it. It polls
// sensors, raises alarms, keeps the history within its bounds, forwards it to a server, backs it up
// each night, and tells over HTTP how it is. Take it as the beginning of your own, and put a real
// bus in the place of the simulated sensors.
//
//	go run ./examples/gateway -dir history -backup history.daybook
//	curl localhost:8080/healthz
//	curl 'localhost:8080/latest?pattern=sensor.*'
//	curl -N localhost:8080/live                       # or a browser at localhost:8080
//	curl -X PUT -d '{"boiler":{"above":80,"hysteresis":5}}' localhost:8080/config/alarms
//
// A file has one part:
//
//	main.go      options of the engine, start, and an orderly end at SIGTERM
//	settings.go  the flags; a wrong one is an error at the start
//	sensors.go   what is polled
//	poll.go      batches of readings; a full disk does not end them
//	alarms.go    watches the readings; its limits are a record that can change at any time
//	rules.go     rules of retention in YAML, and the keeper that applies them
//	forward.go   sends the history to a server; a hold keeps the place
//	backup.go    a backup each night, also for a device that is off at night
//	http.go      health, the newest values, a live view, and a new configuration
//	status.go    what went wrong in a part, for the log and the health
//
// Each part takes a daybook.Backend, so its tests run over backendtest.Memory with the clock of
// testing/synctest.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine"
	"github.com/daybook-db/daybook/retention"
)

func main() {
	s, err := parseSettings(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "gateway:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	listener, err := net.Listen("tcp", s.listen)
	if err == nil {
		err = run(ctx, s, listener)
	}
	if err != nil {
		slog.Error("the gateway ends", "error", err)
		os.Exit(1) // a service manager starts it again
	}
}

// run runs the gateway until ctx ends. The database is closed last, when no part uses it.
func run(ctx context.Context, s settings, listener net.Listener) (err error) {
	defer listener.Close()
	policy, err := readPolicy(s.rules)
	if err != nil {
		return err
	}
	db, err := engine.Open(s.dir, &engine.Options{
		MaxSize:      s.maxSize,
		WhenFull:     engine.WhenFullDropOldest,
		DropExcept:   []daybook.Pattern{{Text: "config.*"}},
		OnCorruption: engine.OnCorruptionQuarantine,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()

	stats, err := db.Stats(ctx)
	if err != nil {
		return err
	}
	slog.Info("opened", "directory", s.dir, "stats", stats) // also says what is in quarantine
	return runParts(ctx, parts(s, db, policy, listener))
}

// parts returns all parts that the settings ask for.
func parts(s settings, db daybook.Backend, policy retention.Policy, listener net.Listener) map[string]part {
	status := newStatus(slog.Default())
	api := &api{backend: db, status: status}
	all := map[string]part{
		"poll":   (&poller{backend: db, sensors: simulatedSensors(), interval: s.poll, status: status}).run,
		"alarms": (&alarms{backend: db, status: status}).run,
		"keeper": newKeeper(db, policy, status).Run,
		"http":   func(ctx context.Context) error { return serve(ctx, listener, api.handler()) },
	}
	if s.forward != "" {
		all["forward"] = (&forwarder{
			backend: db, url: s.forward, client: newClient(), maxBytes: uint64(s.maxSize) / 4, status: status,
		}).run
	}
	if s.backup != "" {
		all["backup"] = (&backups{
			backend: db, path: s.backup, hour: s.backupHour, keep: s.backupKeep, now: time.Now, status: status,
		}).run
	}
	return all
}

// part is a part of the gateway. It runs until ctx ends, and returns nil then.
type part func(ctx context.Context) error

// runParts runs all parts until ctx ends. If a part fails, the others end, too: what a part returns
// is an error that only a new start can mend.
func runParts(ctx context.Context, parts map[string]part) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var running sync.WaitGroup
	failed := make(chan error, len(parts))
	for name, run := range parts {
		running.Go(func() {
			defer stop()
			if err := run(ctx); err != nil && ctx.Err() == nil {
				failed <- fmt.Errorf("%s: %w", name, err)
			}
		})
	}
	running.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// isFinal reports whether all later calls of a backend would fail, too.
func isFinal(err error) bool {
	return errors.Is(err, daybook.ErrFailed) || errors.Is(err, daybook.ErrClosed) || errors.Is(err, daybook.ErrReadOnly)
}

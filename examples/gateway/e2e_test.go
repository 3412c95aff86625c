// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine"
)

// listen returns a listener for run, which closes it.
func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

// runUntil runs a gateway until the condition holds.
func runUntil(t *testing.T, s settings, condition func() bool) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, s, listen(t)) }()
	for !condition() && ctx.Err() == nil {
		time.Sleep(10 * time.Millisecond)
	}
	if ctx.Err() != nil {
		t.Error("the gateway took more than 20 s")
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("run returned %v; want nil at an orderly end", err)
	}
}

func TestRun(t *testing.T) {
	s := settings{dir: t.TempDir(), poll: 10 * time.Millisecond, maxSize: 64 << 20}
	began := time.Now()
	runUntil(t, s, func() bool { return time.Since(began) > 300*time.Millisecond })

	db, err := engine.Open(s.dir, &engine.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	latest, err := db.Query(t.Context(), "sensor.*", daybook.Latest(1))
	if err != nil || len(latest) != 3 {
		t.Errorf("the directory has the values %v, %v; want one of each of 3 sensors", latest, err)
	}
}

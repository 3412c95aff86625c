// SPDX-License-Identifier: Apache-2.0

//go:build amd64 || arm64

package powercut

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine"
	"github.com/daybook-db/daybook/proof/fusedisk"
)

// TestEngineOnDisk uses the engine on a fuse disk that does not fail: concurrent stores,
// checkpoints, a cleanup and a second Open.
func TestEngineOnDisk(t *testing.T) {
	d := fusedisk.MountFor(t)
	ctx := context.Background()
	opts := &engine.Options{Tuning: engine.Tuning{HeadSize: engine.MinHeadSize, ChunkValues: 8}}
	dir := filepath.Join(d.Dir(), "db")
	db, err := engine.Open(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for i := range 100 {
				name, value := fmt.Sprintf("writer.%d", w), json.RawMessage(fmt.Sprintf(`{"n":%d}`, i))
				if err := db.Store(ctx, name, value, uint64(i)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	writers.Wait()
	if deleted, err := db.Cleanup(ctx, 50); err != nil || deleted != 200 {
		t.Errorf("Cleanup: got %d, %v; want 200", deleted, err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db, err = engine.Open(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	values, err := db.Query(ctx, "*", daybook.QueryParams{})
	if err != nil || len(values) != 200 {
		t.Errorf("Query: got %d values, %v; want 200", len(values), err)
	}
	if err := db.Check(ctx); err != nil {
		t.Error(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	ops, err := d.Journal(0)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d operations", len(ops))
}

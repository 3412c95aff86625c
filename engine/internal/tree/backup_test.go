// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
)

// TestBackupOfAnUnsealedCommit backs up a tree whose last commit has no seal yet. The checksums in
// the backup must cover the pages of that commit, too.
func TestBackupOfAnUnsealedCommit(t *testing.T) {
	tree := mustOpen(t, filepath.Join(t.TempDir(), "tree"))
	mustPost(t, tree, 0)
	const name = "the last record"
	err := tree.update(func(w *writeTx) error {
		w.state.Watermark++
		return w.post(name, []codec.Entry{{Timestamp: 1, Sequence: w.state.Watermark, Value: []byte("1")}})
	})
	if err != nil {
		t.Fatal(err)
	}
	b, err := tree.Backup()
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(b.Reader())
	b.Close()
	at := bytes.LastIndex(data, []byte(name))
	if err != nil || at < 0 {
		t.Fatalf("the backup has the name at %d, %v", at, err)
	}
	data[at] ^= 1
	path := filepath.Join(t.TempDir(), "backup")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = readAll(ctx, mustOpen(t, path))
	if !errors.Is(err, daybook.ErrCorrupt) || offsetIn(err) != at/pageSize*pageSize {
		t.Errorf("the name in the backup is damaged at offset %d: got %v", at, err)
	}
}

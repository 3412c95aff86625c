// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"
)

// TestNewFile compares NewFile's result with a file that bbolt has just created.
func TestNewFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new.bolt")
	bolt, err := bbolt.Open(path, 0o600, nil)
	if err := errors.Join(err, bolt.Close()); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS == "windows" { // there the file has the size of its mapping
		data = bytes.TrimRight(data, "\x00")
		data = append(data, make([]byte, max(0, newPages*os.Getpagesize()-len(data)))...)
	}
	if !bytes.Equal(data, NewFile(os.Getpagesize())) {
		t.Error("bbolt creates a file with other content")
	}
}

// TestParse parses pages that are damaged in one way each.
func TestParse(t *testing.T) {
	whole := make([]byte, 64)
	binary.NativeEndian.PutUint16(whole[8:], leafFlag)
	tests := []struct {
		name   string
		change func(data []byte) []byte
		want   string
		reason string // why the row is here
	}{
		{"undamaged", func(data []byte) []byte { return data }, "",
			"every other row differs from this one in one thing"},
		{"nothing", func([]byte) []byte { return nil }, "it has no header",
			"an inline bucket that was cut off"},
		{"another id", func(data []byte) []byte { data[0] = 9; return data }, "its header has the number of page 9",
			"a page in the wrong place"},
		{"another kind", func(data []byte) []byte { data[8] = 0x10; return data },
			"its flags 0x10 are neither a branch's nor a leaf's", "a freelist in the place of a page"},
		{"too many elements", func(data []byte) []byte { data[10] = 4; return data }, "it has no room for 4 elements",
			"64 bytes have room for three"},
		{"too long a key", func(data []byte) []byte { data[10] = 1; data[20] = 16; data[24] = 64; return data },
			"element 0 ends outside the page", "a damaged length must not lead out of the page"},
		{"a gap before the key", func(data []byte) []byte { data[10] = 1; data[20] = 17; return data },
			"element 0 begins at 33; want 32, where the previous one ends", "bbolt leaves no gaps"},
		{"an empty branch", func(data []byte) []byte { data[8] = 1; return data }, "it is a branch without elements",
			"a cursor would find no page to follow"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, _, problem := parse(test.change(bytes.Clone(whole)), 0)
			if diff := cmp.Diff(test.want, problem); diff != "" {
				t.Errorf("problem (-want +got; %s):\n%s", test.reason, diff)
			}
		})
	}
}

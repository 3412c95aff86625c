// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

func TestDiffers(t *testing.T) {
	here := Place{File: 1, Born: 2, Volume: 3, Machine: 4}
	for _, test := range []struct {
		name    string
		other   Place
		differs bool
	}{
		{"the same", here, false},
		{"nothing known", Place{}, false},
		{"another file", Place{File: 9, Born: 2, Volume: 3, Machine: 4}, true},
		{"another file with a number that was used before", Place{File: 1, Born: 9, Volume: 3, Machine: 4}, true},
		{"another file system", Place{File: 1, Volume: 9}, true},
		{"another machine", Place{Machine: 9}, true},
	} {
		if here.Differs(test.other) != test.differs || test.other.Differs(here) != test.differs {
			t.Errorf("%s: got %v; want %v", test.name, !test.differs, test.differs)
		}
	}
}

// TestFields reads a place from its fields, as the tree saves them.
func TestFields(t *testing.T) {
	want := Place{File: 1, Born: 2, Volume: 3, Machine: 4}
	var got Place
	for i, field := range want.Fields() {
		*got.Fields()[i] = *field
	}
	if got != want {
		t.Errorf("got %+v; want %+v", got, want)
	}
}

// TestPlaceOf writes a file, renames it, and puts a copy under its old path.
func TestPlaceOf(t *testing.T) {
	start, path := time.Now(), filepath.Join(t.TempDir(), "file")
	placeOf := func(path string) Place {
		t.Helper()
		file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		return PlaceOf(file)
	}
	original := placeOf(path)
	if runtime.GOOS != "windows" && original.File == 0 {
		t.Errorf("got %+v; want the number of the file", original)
	}
	if err := os.WriteFile(path, []byte("longer"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path, path+" renamed"); err != nil {
		t.Fatal(err)
	}
	if renamed := placeOf(path + " renamed"); renamed != original {
		t.Errorf("got %+v after it was renamed; want %+v", renamed, original)
	}
	if made := time.Unix(0, int64(original.Born)); original.Born != 0 &&
		(made.Before(start.Add(-time.Minute)) || made.After(time.Now().Add(time.Minute))) {
		t.Errorf("the file was made at %v; want about %v", made, start)
	}
	if runtime.GOOS == "linux" && original.Volume == 0 {
		t.Errorf("got %+v; want the file system", original)
	}
	if again := placeOf(path); original.File != 0 && !again.Differs(original) {
		t.Errorf("got %+v for another file under the path; want another place than %+v", again, original)
	}
}

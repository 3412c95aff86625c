// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"
)

// smallFile returns a file of a few pages, some of them free, whose three buckets have values.
func smallFile(t *testing.T) *testFile {
	t.Helper()
	f := newFile(t, t.TempDir())
	t.Cleanup(func() { _ = f.bolt.Close() })
	for salt := range 2 {
		f.update(func(tx *bbolt.Tx) error {
			return errors.Join(put(tx.Bucket([]byte(large)), 100, 300, salt),
				put(tx.Bucket([]byte(small)), 5, 20, salt), put(tx.Bucket([]byte(others)), 100, 300, salt))
		})
	}
	return f
}

// withMeta calls fn with a copy of the file in which change has changed meta page 0 or 1.
func (f *testFile) withMeta(id uint64, change func(page []byte), fn func(im *Image)) {
	f.t.Helper()
	f.view(f.table, func(im *Image) {
		im.data = bytes.Clone(im.data)
		change(im.data[id*uint64(im.pageSize):][:im.pageSize])
		fn(im)
	})
}

// TestMetaPages makes files of an image's pages and of the meta pages for a copy. bbolt must find
// the image's content in them, also if one of the two meta pages is damaged.
func TestMetaPages(t *testing.T) {
	f := smallFile(t)
	for turn := range 2 { // an even transaction, and an odd one
		f.update(func(tx *bbolt.Tx) error { return tx.Bucket([]byte(small)).Put([]byte("turn"), []byte{byte(turn)}) })
		f.view(nil, func(im *Image) {
			metas, err := im.MetaPages()
			if err != nil {
				t.Fatal(err)
			}
			for id := range 2 { // the header of a page has its number
				at := id * im.pageSize
				if got, want := metas[at:at+headerLen], im.data[at:at+headerLen]; !bytes.Equal(got, want) {
					t.Errorf("meta page %d begins with %x; want %x", id, got, want)
				}
			}
			for damaged := -1; damaged < 2; damaged++ {
				file := append(bytes.Clone(metas), im.data[len(metas):]...)
				want := im.tx
				if damaged >= 0 {
					file[damaged*im.pageSize+headerLen+16] ^= 1
				}
				if damaged == int(im.tx%2) {
					want--
				}
				checkFile(t, file, want, byte(turn))
			}
		})
	}
}

// checkFile opens a file with bbolt, and checks what it shows.
func checkFile(t *testing.T, file []byte, txID uint64, turn byte) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "copy.bolt")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	bolt, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, PreLoadFreelist: true})
	if err != nil {
		t.Fatal(err)
	}
	defer bolt.Close()
	err = bolt.View(func(tx *bbolt.Tx) error {
		var errs []error
		for err := range tx.Check() {
			errs = append(errs, err)
		}
		got := tx.Bucket([]byte(small)).Get([]byte("turn"))
		if uint64(tx.ID()) != txID || !bytes.Equal(got, []byte{turn}) {
			t.Errorf("transaction %d has value %x; want transaction %d and %x", tx.ID(), got, txID, turn)
		}
		return errors.Join(errs...)
	})
	if err != nil {
		t.Error(err)
	}
}

// TestDamagedMeta damages the meta pages. Each method that needs the one of the image's transaction
// must say so, and CheckMetas must name those whose checksums do not match.
func TestDamagedMeta(t *testing.T) {
	f := smallFile(t)
	for range 2 { // either meta page is the one in use
		f.update(func(tx *bbolt.Tx) error { return tx.Bucket([]byte(small)).Put([]byte("key"), nil) })
		checkDamagedMeta(t, f)
	}
	f.view(nil, func(im *Image) {
		data := im.data
		for size, want := range map[int]int{0: 2, headerLen + metaLen - 1: 2, im.pageSize: 1, 2 * im.pageSize: 0} {
			if im.data = data[:size]; len(im.CheckMetas()) != want {
				t.Errorf("%d bytes: %v; want %d faults", size, im.CheckMetas(), want)
			}
		}
	})
}

func checkDamagedMeta(t *testing.T, f *testFile) {
	t.Helper()
	f.view(f.table, func(im *Image) {
		own := im.tx % 2
		o, err := ReadOtherPages(im, others)
		if err != nil {
			t.Fatal(err)
		}
		// The checksum of the meta page matches, but its freelist is after the last page.
		f.withMeta(own, func(page []byte) {
			order.PutUint64(page[headerLen+32:], im.pages())
			order.PutUint64(page[headerLen+56:], metaSum(page[headerLen:][:metaLen]))
		}, func(im *Image) {
			for call, err := range callsThatReadMeta(f, im, o) {
				if readsIt := !strings.HasPrefix(call, "Meta"); readsIt != (err != nil) || readsIt &&
					mustDamage(t, err).Page != im.pages() {
					t.Errorf("a freelist after the last page: %s returned %v; want an error: %v", call, err, readsIt)
				}
			}
		})
		otherMeta := im.data[int(1-own)*im.pageSize+headerLen:][:metaLen]
		for _, test := range []struct {
			name    string
			id      uint64
			change  func(page []byte)
			checked bool // CheckMetas names it
			damage  bool // the image cannot be read
		}{
			{"the one in use", own, func(page []byte) { page[headerLen+40] ^= 4 }, true, true},
			{"its checksum", own, func(page []byte) { page[headerLen+56] ^= 4 }, true, true},
			{"the other one", 1 - own, func(page []byte) { page[headerLen+40] ^= 4 }, true, false},
			{"the one in use is of another transaction", own,
				func(page []byte) { copy(page[headerLen:], otherMeta) }, false, true},
			{"none", own, func([]byte) {}, false, false},
		} {
			f.withMeta(test.id, test.change, func(im *Image) {
				var faults []uint64
				for _, fault := range im.CheckMetas() {
					faults = append(faults, mustDamage(t, fault).Page)
				}
				if len(faults) > 1 || test.checked != (len(faults) == 1 && faults[0] == test.id) {
					t.Errorf("%s: CheckMetas names pages %d; want %d: %v", test.name, faults, test.id, test.checked)
				}
				for call, err := range callsThatReadMeta(f, im, o) {
					if test.damage != (err != nil) || test.damage && mustDamage(t, err).Page != own {
						t.Errorf("%s: %s returned %v; want an error: %v", test.name, call, err, test.damage)
					}
				}
			})
		}
	})
}

func mustDamage(t *testing.T, err error) *DamagedPage {
	t.Helper()
	var damage *DamagedPage
	if !errors.As(err, &damage) || !errors.Is(err, ErrCorrupt) || damage.Offset != int64(damage.Page)*4096 {
		t.Fatalf("got %v; want the error of a page", err)
	}
	return damage
}

// callsThatReadMeta calls each method that needs the image's meta page.
func callsThatReadMeta(f *testFile, im *Image, o *OtherPages) map[string]error {
	_, freeErr := im.Free()
	_, _, pageErr := im.MetaPage()
	_, pagesErr := im.MetaPages()
	_, othersErr := ReadOtherPages(im, others)
	_, _, advanceErr := f.table.Advance(im)
	return map[string]error{
		"Free": freeErr, "MetaPage": pageErr, "MetaPages": pagesErr, "ReadOtherPages": othersErr, "Advance": advanceErr,
		"CheckFree": f.table.CheckFree(im, others), "CheckAll": f.table.CheckAll(im, others),
		"InUse": errOf(f.table.InUse(im)), "OtherPages.Check": o.Check(im),
	}
}

// TestMetaPage compares the meta page of an image with the bytes of the file.
func TestMetaPage(t *testing.T) {
	f := smallFile(t)
	for turn := range 2 { // an even transaction, and an odd one
		f.update(func(tx *bbolt.Tx) error { return tx.Bucket([]byte(small)).Put([]byte("turn"), []byte{byte(turn)}) })
		f.view(nil, func(im *Image) {
			data, offset, err := im.MetaPage()
			if err != nil || offset != int64(im.Tx()%2)*4096 || !bytes.Equal(data, im.data[offset:offset+MetaLen]) {
				t.Errorf("got %x at %d, %v; want the page of transaction %d", data, offset, err, im.Tx())
			}
			if im.Size() != int64(len(im.data)) || im.Size()%4096 != 0 {
				t.Errorf("the size is %d; want %d", im.Size(), len(im.data))
			}
		})
	}
}

// failingReader fails to read at some offsets.
type failingReader struct {
	io.ReaderAt
	fails map[int64]error
}

func (r failingReader) ReadAt(p []byte, offset int64) (int, error) {
	if err := r.fails[offset]; err != nil {
		return 0, err
	}
	return r.ReaderAt.ReadAt(p, offset)
}

// TestHasMeta reads the meta pages of files, of which one may be damaged, missing or unreadable.
func TestHasMeta(t *testing.T) {
	const size = 4096
	whole, broken := NewFile(size), errors.New("the disk failed")
	damage := func(ids ...int) []byte {
		file := bytes.Clone(whole)
		for _, id := range ids {
			file[id*size+headerLen+40] ^= 1
		}
		return file
	}
	for _, test := range []struct {
		name  string
		file  []byte
		fails map[int64]error
		found bool
		err   error
	}{
		{"undamaged", whole, nil, true, nil},
		{"the first is damaged", damage(0), nil, true, nil},
		{"the second is damaged", damage(1), nil, true, nil},
		{"both are damaged", damage(0, 1), nil, false, nil},
		{"an empty file", nil, nil, false, nil},
		{"cut off in the first", whole[:MetaLen-1], nil, false, nil},
		{"cut off after the first", whole[:MetaLen], nil, true, nil},
		{"cut off in the second", damage(0)[:size+MetaLen-1], nil, false, nil},
		{"the first cannot be read", whole, map[int64]error{0: broken}, true, nil},
		{"the second cannot be read, nor is it needed", whole, map[int64]error{size: broken}, true, nil},
		{"the first is damaged, the second cannot be read", damage(0), map[int64]error{size: broken}, false, broken},
		{"the second is damaged, the first cannot be read", damage(1), map[int64]error{0: broken}, false, broken},
	} {
		found, err := HasMeta(failingReader{bytes.NewReader(test.file), test.fails}, size)
		if found != test.found || err != test.err {
			t.Errorf("%s: got %v, %v; want %v, %v", test.name, found, err, test.found, test.err)
		}
	}
}

// longFreelist returns an image whose freelist has pages 5000 and following.
func longFreelist(count int) *Image {
	const size = 128
	im := &Image{pageSize: size, data: make([]byte, 80_000*size), root: 4999}
	meta := im.data[headerLen:][:metaLen]
	order.PutUint64(meta[32:], 2)
	order.PutUint64(meta[56:], metaSum(meta))
	list := im.data[2*size:]
	order.PutUint64(list, 2)
	order.PutUint16(list[8:], freelistFlag)
	order.PutUint16(list[10:], uint16(min(count, longList)))
	ids := list[headerLen:]
	if count >= longList {
		order.PutUint64(ids, uint64(count))
		ids = ids[8:]
	}
	for i := range count {
		order.PutUint64(ids[8*i:], 5000+uint64(i))
	}
	end := len(list) - len(ids) + 8*count
	order.PutUint32(list[12:], uint32((end-1)/size))
	return im
}

// TestLongFreelist reads freelists around the length from which on the list has its length itself.
func TestLongFreelist(t *testing.T) {
	for _, count := range []int{0, 1, 14, 15, longList - 1, longList, longList + 14, 70_000} { // 14 fill a page
		im := longFreelist(count)
		free, err := im.Free()
		if err != nil || len(free) != count || count > 0 && (free[0] != 5000 || free[count-1] != 5000+uint64(count)-1) {
			t.Errorf("got %d free pages, %v; want %d", len(free), err, count)
		}
		used, err := NewTable().InUse(im)
		want := []uint64{im.root}
		for id := uint64(2); id <= 2+uint64(order.Uint32(im.data[2*im.pageSize+12:])); id++ {
			want = append(want, id)
		}
		if err != nil || !slices.Equal(used, want) {
			t.Errorf("%d free pages: %d pages are in use, %v; want %d, the root and the list",
				count, len(used), err, len(want))
		}
		if count < longList {
			continue
		}
		for _, wrong := range []uint64{uint64(count) + 100, 1 << 61} {
			order.PutUint64(im.data[2*im.pageSize+headerLen:], wrong)
			if free, err := im.Free(); !errors.Is(err, ErrCorrupt) {
				t.Errorf("a list of %d that says it has %d: got %d, %v; want ErrCorrupt", count, wrong, len(free), err)
			}
		}
	}
}

// freeAndUsed returns all pages of an image, as far as they are known to be free or in use.
func freeAndUsed(t *testing.T, f *testFile, im *Image) map[uint64]string {
	t.Helper()
	free, err := im.Free()
	used, usedErr := f.table.InUse(im, others)
	if err := errors.Join(err, usedErr); err != nil {
		t.Fatal(err)
	}
	known := make(map[uint64]string)
	for _, id := range free {
		known[id] += "free"
	}
	for _, id := range used {
		known[id] += "in use"
	}
	return known
}

// TestEveryPageIsFreeOrInUse grows a file. Each of its pages after the meta pages is either free or
// in use, and CheckAll says so.
func TestEveryPageIsFreeOrInUse(t *testing.T) {
	f := smallFile(t)
	for salt := range 4 {
		f.update(func(tx *bbolt.Tx) error {
			return errors.Join(put(tx.Bucket([]byte(others)), 50*salt, 5000, salt),
				put(tx.Bucket([]byte(large)), 20, 10_000, salt))
		})
		f.view(f.table, func(im *Image) {
			want := make(map[uint64]string)
			known := freeAndUsed(t, f, im)
			for id := uint64(2); id < im.pages(); id++ {
				if want[id] = "in use"; known[id] == "free" {
					want[id] = "free"
				}
			}
			if diff := cmp.Diff(want, known); diff != "" {
				t.Errorf("pages (-want +got)\n%s", diff)
			}
			if err := errors.Join(f.table.CheckAll(im, others), f.table.CheckFree(im, others)); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestHasMappedMeta damages the meta pages of an open file.
func TestHasMappedMeta(t *testing.T) {
	f := smallFile(t)
	file, err := os.OpenFile(f.path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for damaged := range 4 { // a bit for each page
		var whole [2][]byte
		for id := range whole {
			at := int64(id*f.bolt.Info().PageSize + headerLen)
			whole[id] = make([]byte, metaLen)
			if _, err := file.ReadAt(whole[id], at); err != nil {
				t.Fatal(err)
			}
			changed := bytes.Clone(whole[id])
			changed[40] ^= byte(damaged >> id & 1)
			if _, err := file.WriteAt(changed, at); err != nil {
				t.Fatal(err)
			}
		}
		if found := HasMappedMeta(f.bolt); found != (damaged != 3) {
			t.Errorf("damaged pages %02b: %v", damaged, found)
		}
		for id := range whole {
			if _, err := file.WriteAt(whole[id], int64(id*f.bolt.Info().PageSize+headerLen)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
)

const sample = "time,ort\n2024-01-01T00:00:01Z,Köln\n"

func gzipped(t testing.TB, text string) string {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, err := io.WriteString(z, text)
	if err := errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func zstdOf(t testing.TB, text string) string {
	t.Helper()
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(z.EncodeAll([]byte(text), nil))
}

func utf16Of(t testing.TB, order unicode.Endianness, text string) string {
	t.Helper()
	encoded, err := unicode.UTF16(order, unicode.UseBOM).NewEncoder().String(text)
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

func TestReader(t *testing.T) {
	latin, err := charmap.Windows1252.NewEncoder().String(sample)
	if err != nil {
		t.Fatal(err)
	}
	big := utf16Of(t, unicode.BigEndian, sample)
	tests := []struct {
		name, input, encoding string
		compression, found    string
		want                  string
	}{
		{"plain", sample, "", "", "utf-8", sample},
		{"nothing", "", "", "", "utf-8", ""},
		{"a mark", "\xef\xbb\xbf" + sample, "", "", "utf-8", sample},
		{"a mark, said to be UTF-8", "\xef\xbb\xbf" + sample, "UTF-8", "", "utf-8", sample},
		{"a part of a mark", "\xef\xbb", "", "", "utf-8", "\xef\xbb"},
		{"UTF-16, little end first", utf16Of(t, unicode.LittleEndian, sample), "", "", "utf-16", sample},
		{"UTF-16, big end first", big, "", "", "utf-16", sample},
		{"Latin-1", latin, "latin1", "", "latin1", sample},
		{"Latin-1, not said", latin, "", "", "utf-8", latin},
		{"gzip", gzipped(t, sample), "", "gzip", "utf-8", sample},
		{"two gzip members", gzipped(t, sample) + gzipped(t, sample), "", "gzip", "utf-8", sample + sample},
		{"zstd", zstdOf(t, sample), "", "zstd", "utf-8", sample},
		{"UTF-16 in gzip", gzipped(t, big), "", "gzip", "utf-16", sample},
		{"Latin-1 in zstd", zstdOf(t, latin), "Windows-1252", "zstd", "windows-1252", sample},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r, err := NewReader(iotest.OneByteReader(strings.NewReader(test.input)), test.encoding)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			got, err := io.ReadAll(r)
			if err != nil || string(got) != test.want {
				t.Errorf("got %q, %v; want %q", got, err, test.want)
			}
			if r.Compression != test.compression || r.Encoding != test.found {
				t.Errorf("got compression %q and encoding %q; want %q and %q",
					r.Compression, r.Encoding, test.compression, test.found)
			}
		})
	}
}

// TestDamagedReader wants an error that names the compression, for a file that is cut or damaged
// anywhere.
func TestDamagedReader(t *testing.T) {
	for compression, whole := range map[string]string{"gzip": gzipped(t, sample), "zstd": zstdOf(t, sample)} {
		for cut := 4; cut < len(whole); cut++ {
			r, err := NewReader(strings.NewReader(whole[:cut]), "")
			if err == nil {
				_, err = io.ReadAll(r)
				r.Close()
			}
			if err == nil || !strings.HasPrefix(err.Error(), compression+": ") {
				t.Errorf("%s, %d of %d bytes: error %v; want one that begins with its name",
					compression, cut, len(whole), err)
			}
		}
	}
}

func TestUnknownEncoding(t *testing.T) {
	_, err := NewReader(strings.NewReader(sample), "klingon")
	if !errors.Is(err, ErrUnknownEncoding) || !errors.Is(CheckEncoding("klingon"), ErrUnknownEncoding) {
		t.Errorf("error %v; want ErrUnknownEncoding", err)
	}
	for _, name := range []string{"", "utf-8", "UTF-8", "utf-16", "latin1", "shift_jis"} {
		if err := CheckEncoding(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// TestErrorOfTheInput wants an error at the beginning also if the input returns it only once, as a
// store's error before a wait is.
func TestErrorOfTheInput(t *testing.T) {
	for _, start := range []string{"", "\x1f", "\x28\xb5", "\xef\xbb", "\xff"} {
		in := io.MultiReader(strings.NewReader(start), iotest.ErrReader(iotest.ErrTimeout))
		if _, err := NewReader(in, ""); !errors.Is(err, iotest.ErrTimeout) {
			t.Errorf("after %q: error %v; want that of the input", start, err)
		}
	}
}

func FuzzReader(f *testing.F) {
	encoded := utf16Of(f, unicode.BigEndian, sample)
	for _, text := range []string{sample, gzipped(f, sample), zstdOf(f, sample), encoded} {
		f.Add([]byte(text), "")
		f.Add([]byte(text), "latin1")
	}
	f.Fuzz(func(t *testing.T, input []byte, name string) {
		r, err := NewReader(bytes.NewReader(input), name)
		if err != nil {
			return
		}
		defer r.Close()
		_, _ = io.Copy(io.Discard, io.LimitReader(r, 1<<20))
		if r.Compression == "" && name == "" && r.Encoding == utf8Name {
			again, err := NewReader(bytes.NewReader(input), "")
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(again)
			if want := bytes.TrimPrefix(input, utf8Mark); err != nil || !bytes.Equal(got, want) {
				t.Errorf("got %q, %v; want the bytes as they are", got, err)
			}
		}
	})
}

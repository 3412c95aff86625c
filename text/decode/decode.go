// SPDX-License-Identifier: Apache-2.0

// Package decode makes UTF-8 text of the bytes of a file: it decompresses gzip and zstd, and
// decodes other encodings. [NewReader] recognises compression and byte order marks by themselves.
//
// It stands apart from package text, because its tables of encodings are large.
package decode

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// ErrUnknownEncoding is returned for a name that is no encoding.
var ErrUnknownEncoding = errors.New("is not the name of an encoding: " +
	"want one such as latin1, windows-1252 or utf-16le")

// bufferSize is the size of the buffer between two stages, in bytes.
const bufferSize = 64 << 10

// Reader reads the text of a file.
type Reader struct {
	io.Reader
	// Compression is gzip, zstd, or "" if the file is not compressed.
	Compression string
	// Encoding is the name of the encoding: that of NewReader, utf-16 where a byte order mark says
	// so, or utf-8. Text that is said to be UTF-8 by nobody is returned as it is, and may be none.
	Encoding string

	close func()
}

// Decoded returns the encoding that the text was decoded from, or "" if nobody says that it is not
// UTF-8.
func (r *Reader) Decoded() string {
	if r.Encoding == utf8Name {
		return ""
	}
	return r.Encoding
}

// Close releases what decompression holds. It does not close the input.
func (r *Reader) Close() { r.close() }

// NewReader returns a reader of the text of a file. The name of an encoding is one of the Encoding
// Standard of the web, such as latin1, windows-1252 or shift_jis; without a name a byte order mark
// decides, and otherwise it is UTF-8. The byte order mark itself is not returned. Bytes that are no
// character of another encoding than UTF-8 become one that is no UTF-8.
//
// It reads a few bytes at the beginning. A file whose decompressed text is damaged or ends early
// is an error of Read.
func NewReader(in io.Reader, encodingName string) (*Reader, error) {
	r := &Reader{close: func() {}}
	plain, err := r.decompress(bufio.NewReaderSize(in, bufferSize))
	if err == nil {
		err = r.decode(plain, encodingName)
	}
	if err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// The first bytes of compressed files (RFC 1952 and RFC 8878).
var (
	gzipMagic = []byte{0x1f, 0x8b}
	zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}
)

// maxWindow bounds the memory that a zstd file can ask for. zstd itself writes up to 8 MiB without
// --ultra, and up to 128 MiB with it.
const maxWindow = 128 << 20

func (r *Reader) decompress(in *bufio.Reader) (*bufio.Reader, error) {
	if found, err := startsWith(in, gzipMagic); found || err != nil {
		return r.gunzip(in, err)
	}
	if found, err := startsWith(in, zstdMagic); found || err != nil {
		return r.unzstd(in, err)
	}
	return in, nil
}

func (r *Reader) gunzip(in *bufio.Reader, err error) (*bufio.Reader, error) {
	if err != nil {
		return nil, err
	}
	r.Compression = "gzip"
	z, err := gzip.NewReader(in)
	if err != nil {
		return nil, &compressionError{r.Compression, err}
	}
	return r.named(z), nil
}

func (r *Reader) unzstd(in *bufio.Reader, err error) (*bufio.Reader, error) {
	if err != nil {
		return nil, err
	}
	r.Compression = "zstd"
	z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		return nil, &compressionError{r.Compression, err}
	}
	r.close = z.Close
	return r.named(z), nil
}

func (r *Reader) named(in io.Reader) *bufio.Reader {
	return bufio.NewReaderSize(&compressedReader{in, r.Compression}, bufferSize)
}

// startsWith reports whether in starts with magic. It asks for one byte more only while those
// before it match, because a pipe may be slow to send it.
func startsWith(in *bufio.Reader, magic []byte) (bool, error) {
	for n := 1; n <= len(magic); n++ {
		head, err := in.Peek(n)
		if err == io.EOF || err == nil && !bytes.HasPrefix(magic, head) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
	return true, nil
}

// decode sets r to the text of in.
func (r *Reader) decode(in *bufio.Reader, name string) (err error) {
	if name == "" {
		if name, err = nameByMark(in); err != nil {
			return err
		}
	}
	if r.Encoding = strings.ToLower(name); r.Encoding == utf8Name {
		r.Reader = in
		found, err := startsWith(in, utf8Mark)
		if found {
			_, err = in.Discard(len(utf8Mark))
		}
		return err
	}
	decoder, err := decoderOf(r.Encoding)
	if err != nil {
		return err
	}
	r.Reader = transform.NewReader(in, transform.Chain(decoder, damage{}))
	return nil
}

const (
	utf8Name  = "utf-8"
	utf16Name = "utf-16"
)

var utf8Mark = []byte{0xef, 0xbb, 0xbf}

// nameByMark returns the encoding that the byte order mark of a file says.
func nameByMark(in *bufio.Reader) (string, error) {
	for _, mark := range [][]byte{{0xff, 0xfe}, {0xfe, 0xff}} {
		if found, err := startsWith(in, mark); found || err != nil {
			return utf16Name, err
		}
	}
	return utf8Name, nil
}

func decoderOf(name string) (*encoding.Decoder, error) {
	if name == utf16Name {
		return unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewDecoder(), nil
	}
	found, err := htmlindex.Get(name)
	if err != nil {
		return nil, fmt.Errorf("%q %w", name, ErrUnknownEncoding)
	}
	return found.NewDecoder(), nil
}

// CheckEncoding returns ErrUnknownEncoding for a name that NewReader does not take.
func CheckEncoding(name string) error {
	if name == "" || strings.ToLower(name) == utf8Name {
		return nil
	}
	_, err := decoderOf(strings.ToLower(name))
	return err
}

// compressedReader says in errors how the file is compressed.
type compressedReader struct {
	in          io.Reader
	compression string
}

func (r *compressedReader) Read(p []byte) (int, error) {
	n, err := r.in.Read(p)
	if err != nil && err != io.EOF {
		err = &compressionError{r.compression, err}
	}
	return n, err
}

// compressionError is an error of the input, or of what is compressed in it.
type compressionError struct {
	compression string
	err         error
}

func (e *compressionError) Error() string {
	if e.err == io.ErrUnexpectedEOF {
		return e.compression + ": the file ends before its end"
	}
	return fmt.Sprintf("%s: %v", e.compression, e.err)
}

func (e *compressionError) Unwrap() error { return e.err }

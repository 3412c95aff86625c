// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// stdinName is what errors call standard input.
const stdinName = "stdin"

// standard is what stands for standard input or output on the command line.
const standard = "-"

// input is a file to ingest, or standard input.
type input struct {
	name   string // stdinName for standard input
	path   string // "" for standard input
	live   bool   // it may have to be waited for: anything but a regular file
	format string // auto before its content has been looked at, or where there is none

	guessed bool       // format is what its content looks like
	opened  *openInput // nil before it is opened
}

// findInputs returns the inputs that names stand for, and their size in bytes; -1 where that is not
// known. All are looked at before anything is stored.
func findInputs(names []string) ([]input, int64, error) {
	if len(names) == 0 {
		names = []string{standard}
	}
	var inputs []input
	var total int64
	known := true
	for _, name := range names {
		if name == standard {
			inputs, known = append(inputs, input{name: stdinName, live: true}), false
			continue
		}
		info, err := os.Stat(name)
		if err != nil {
			return nil, 0, err
		}
		if info.IsDir() {
			return nil, 0, fmt.Errorf("%s is a directory: name the files in it", name)
		}
		regular := info.Mode().IsRegular()
		inputs, total = append(inputs, input{name: name, path: name, live: !regular}), total+info.Size()
		known = known && regular
	}
	if !known {
		total = -1
	}
	return inputs, total, nil
}

// openInput is an input being read.
type openInput struct {
	*bufio.Reader
	bounded *boundedReader
	close   func() error
}

// inputBuffer is how much of an input is read at a time.
const inputBuffer = 64 << 10

// open opens an input and looks at how it begins, unless that has been done. A live one calls
// beforeWait before it waits.
func (in *input) open(ctx context.Context, stdin io.Reader, bar *byteBar, beforeWait func() error) (err error) {
	if in.opened != nil {
		return nil
	}
	if in.live {
		in.openLive(ctx, stdin, bar, beforeWait)
	} else if err := in.openFile(bar); err != nil {
		return err
	}
	if err := in.begin(); err != nil {
		return fmt.Errorf("%s: %w", in.name, errors.Join(err, in.close()))
	}
	return nil
}

func (in *input) openLive(ctx context.Context, stdin io.Reader, bar *byteBar, beforeWait func() error) {
	ctx, cancel := context.WithCancel(ctx)
	source := func() (io.ReadCloser, error) {
		if in.path == "" {
			return io.NopCloser(stdin), nil
		}
		return os.Open(in.path)
	}
	in.opened = newOpenInput(newLiveReader(ctx, source, beforeWait), bar, func() error { cancel(); return nil })
}

func (in *input) openFile(bar *byteBar) error {
	file, err := os.Open(in.path)
	if err != nil {
		return err
	}
	in.opened = newOpenInput(file, bar, file.Close)
	return nil
}

func newOpenInput(r io.Reader, bar *byteBar, close func() error) *openInput {
	bounded := &boundedReader{in: bar.counting(r)}
	return &openInput{Reader: bufio.NewReaderSize(bounded, inputBuffer), bounded: bounded, close: close}
}

// close closes the input; it may be opened again, and is then read from its beginning.
func (in *input) close() error {
	if in.opened == nil {
		return nil
	}
	err := in.opened.close()
	in.opened = nil
	return err
}

// begin reads as far as it takes to know the format. One that holds nothing stays unknown: it is as
// good as either.
func (in *input) begin() error {
	if err := in.opened.skipByteOrderMark(); err != nil || in.format != "auto" {
		return err
	}
	first, found, err := in.opened.firstByte()
	if err != nil || !found {
		return err
	}
	in.format, in.guessed = "csv", true
	if first == '{' {
		in.format = "ndjson"
	}
	return nil
}

// skipByteOrderMark drops the mark that some programs put in front of UTF-8. It asks for no more
// bytes than it must, since an input may be a pipe that is slow to fill.
func (o *openInput) skipByteOrderMark() error {
	mark := []byte("\xEF\xBB\xBF")
	for n := 1; n <= len(mark); n++ {
		head, err := o.Peek(n)
		if err == io.EOF || err == nil && !bytes.HasPrefix(mark, head) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	_, err := o.Discard(len(mark))
	return err
}

// firstByte finds the first byte in the buffer that is not white space.
func (o *openInput) firstByte() (first byte, found bool, err error) {
	for n := 1; n <= o.Size(); n++ {
		head, err := o.Peek(n)
		if err == io.EOF {
			return 0, false, nil
		}
		if err != nil {
			return 0, false, err
		}
		if last := head[n-1]; bytes.IndexByte([]byte(" \t\r\n"), last) < 0 {
			return last, true, nil
		}
	}
	return 0, false, nil
}

// boundedReader fails once bound bytes were read without a call of reset. encoding/csv reads a field
// with an unclosed quote into memory as far as the file goes; this stops it.
type boundedReader struct {
	in    io.Reader
	bound int // 0: none
	since int
}

func (b *boundedReader) reset() { b.since = 0 }

func (b *boundedReader) Read(p []byte) (int, error) {
	if b.bound > 0 && b.since > b.bound {
		return 0, fmt.Errorf("a row is longer than %d MiB; is a quote not closed?", b.bound>>20)
	}
	n, err := b.in.Read(p)
	b.since += n
	return n, err
}

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/schollz/progressbar/v3"
)

// stdinName is what errors call standard input.
const stdinName = "stdin"

// input is a file to ingest, or standard input.
type input struct {
	name string // stdinName for standard input
	path string // "" for standard input
}

// findInputs returns the inputs that names stand for, and their size in bytes; -1 where that is not
// known. All are looked at before anything is stored.
func findInputs(names []string) ([]input, int64, error) {
	if len(names) == 0 {
		names = []string{"-"}
	}
	var inputs []input
	var total int64
	known := true
	for _, name := range names {
		if name == "-" {
			inputs, known = append(inputs, input{name: stdinName}), false
			continue
		}
		info, err := os.Stat(name)
		if err != nil {
			return nil, 0, err
		}
		if info.IsDir() {
			return nil, 0, fmt.Errorf("%s is a directory: name the files in it", name)
		}
		inputs, total = append(inputs, input{name: name, path: name}), total+info.Size()
		known = known && info.Mode().IsRegular()
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
	waits   func() bool // the next read may wait for whoever writes the other end
}

// inputBuffer is how much of an input is read at a time.
const inputBuffer = 64 << 10

func (in input) open(ctx context.Context, stdin io.Reader, bar *byteBar) (*openInput, error) {
	if in.path == "" {
		live := newLiveReader(ctx, stdin)
		opened := newOpenInput(live, bar)
		opened.waits = func() bool { return opened.Buffered() == 0 && live.drained() }
		return opened, nil
	}
	file, err := os.Open(in.path)
	if err != nil {
		return nil, err
	}
	opened := newOpenInput(file, bar)
	opened.close = file.Close
	return opened, nil
}

func newOpenInput(r io.Reader, bar *byteBar) *openInput {
	bounded := &boundedReader{in: bar.counting(r)}
	return &openInput{
		Reader:  bufio.NewReaderSize(bounded, inputBuffer),
		bounded: bounded,
		close:   func() error { return nil },
		waits:   func() bool { return false },
	}
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

// firstByte is the first byte that is not white space, or 0 if there is none in the buffer.
func (o *openInput) firstByte() (byte, error) {
	for n := 1; n <= o.Size(); n++ {
		head, err := o.Peek(n)
		if err == io.EOF {
			return 0, nil
		}
		if err != nil {
			return 0, err
		}
		if last := head[n-1]; bytes.IndexByte([]byte(" \t\r\n"), last) < 0 {
			return last, nil
		}
	}
	return 0, nil
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

// liveReader reads in a goroutine of its own, so that the end of ctx ends a Read that waits for a
// terminal or a pipe, and so that one can ask whether a Read would wait.
type liveReader struct {
	ctx    context.Context
	chunks chan []byte
	end    error // why chunks closed; set before that
	rest   []byte
}

func newLiveReader(ctx context.Context, in io.Reader) *liveReader {
	r := &liveReader{ctx: ctx, chunks: make(chan []byte, 16)}
	go r.fill(in)
	return r
}

func (r *liveReader) fill(in io.Reader) {
	defer close(r.chunks)
	buffer := make([]byte, inputBuffer)
	for r.end == nil {
		var n int
		n, r.end = in.Read(buffer)
		if n == 0 {
			continue
		}
		select {
		case r.chunks <- slices.Clone(buffer[:n]):
		case <-r.ctx.Done():
			r.end = r.ctx.Err()
		}
	}
}

func (r *liveReader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		select {
		case <-r.ctx.Done():
			return 0, r.ctx.Err()
		case chunk, open := <-r.chunks:
			if !open {
				return 0, r.end
			}
			r.rest = chunk
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func (r *liveReader) drained() bool { return len(r.rest) == 0 && len(r.chunks) == 0 }

// byteBar shows on a terminal how much has been read. A nil byteBar shows nothing.
type byteBar struct{ bar *progressbar.ProgressBar }

// newByteBar returns nil unless errOut is a terminal that nobody types the input into.
func newByteBar(errOut io.Writer, stdin io.Reader, total int64) *byteBar {
	if !isTerminal(errOut) || total < 0 && isTerminal(stdin) {
		return nil
	}
	return &byteBar{progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(errOut),
		progressbar.OptionSetDescription("ingesting"),
		progressbar.OptionSetSpinnerChangeInterval(0), // its own clock would redraw what clear has cleared
		progressbar.OptionShowBytes(true),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionSetWidth(30),
		progressbar.OptionClearOnFinish())}
}

func (b *byteBar) clear() {
	if b != nil {
		_ = b.bar.Clear() // a bar that cannot be drawn is no reason to stop
	}
}

// counting is r, with what is read from it shown.
func (b *byteBar) counting(r io.Reader) io.Reader {
	if b == nil {
		return r
	}
	return io.TeeReader(r, b.bar)
}

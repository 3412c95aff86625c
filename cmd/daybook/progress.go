// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"time"

	"github.com/schollz/progressbar/v3"
)

// byteBar shows on a terminal how many bytes have been read or written. A nil byteBar shows nothing.
type byteBar struct{ bar *progressbar.ProgressBar }

// newByteBar returns nil unless errOut is a terminal. A total of -1 is not known.
func newByteBar(errOut io.Writer, what string, total int64) *byteBar {
	if !isTerminal(errOut) {
		return nil
	}
	return &byteBar{progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(errOut),
		progressbar.OptionSetDescription(what),
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

// countingAt is r, with the bytes that are read from it shown.
func (b *byteBar) countingAt(r io.ReaderAt) io.ReaderAt {
	if b == nil {
		return r
	}
	return countedReaderAt{r, b}
}

// countedReaderAt shows how many bytes are read from in.
type countedReaderAt struct {
	in  io.ReaderAt
	bar *byteBar
}

func (r countedReaderAt) ReadAt(p []byte, off int64) (int, error) {
	n, err := r.in.ReadAt(p, off)
	r.bar.add(n)
	return n, err
}

// countingTo is w, with what is written to it shown.
func (b *byteBar) countingTo(w io.Writer) io.Writer {
	if b == nil {
		return w
	}
	return io.MultiWriter(w, b.bar)
}

// add shows so many bytes more.
func (b *byteBar) add(n int) {
	if b != nil {
		_ = b.bar.Add(n)
	}
}

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"runtime"
	"time"

	"github.com/schollz/progressbar/v3"
)

// byteBar is a progress bar of bytes on a terminal. A nil byteBar shows nothing.
type byteBar struct {
	bar *progressbar.ProgressBar
	out io.Writer
}

// newByteBar returns a bar with a label, or nil if errOut is not a terminal. A total of -1 is
// unknown.
func newByteBar(errOut io.Writer, label string, total int64) *byteBar {
	if !isTerminal(errOut) {
		return nil
	}
	bar := progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(errOut),
		progressbar.OptionSetDescription(label),
		progressbar.OptionSetSpinnerChangeInterval(0), // the spinner's own clock would redraw a cleared bar
		progressbar.OptionShowBytes(true),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionSetWidth(30),
		progressbar.OptionClearOnFinish())
	return &byteBar{bar, errOut}
}

// clear removes the bar from the terminal, and the ^C after it that the terminal shows for an
// interruption. A bar that cannot be drawn is ignored here and below.
func (b *byteBar) clear() {
	if b == nil {
		return
	}
	_ = b.bar.Clear()
	if runtime.GOOS != "windows" { // whose consoles show no ^C, and may not know the sequence
		const eraseLine = "\r\033[K"
		_, _ = io.WriteString(b.out, eraseLine)
	}
}

// add moves the bar forward by n bytes.
func (b *byteBar) add(n int) {
	if b != nil {
		_ = b.bar.Add(n)
	}
}

// countReader returns r; the bar counts the bytes that are read from it.
func (b *byteBar) countReader(r io.Reader) io.Reader {
	if b == nil {
		return r
	}
	return io.TeeReader(r, b.bar)
}

// countWriter returns w; the bar counts the bytes that are written to it.
func (b *byteBar) countWriter(w io.Writer) io.Writer {
	if b == nil {
		return w
	}
	return io.MultiWriter(w, b.bar)
}

// countReaderAt returns r; the bar counts the bytes that are read from it.
func (b *byteBar) countReaderAt(r io.ReaderAt) io.ReaderAt {
	if b == nil {
		return r
	}
	return countedReaderAt{r, b}
}

type countedReaderAt struct {
	in  io.ReaderAt
	bar *byteBar
}

func (r countedReaderAt) ReadAt(p []byte, offset int64) (int, error) {
	n, err := r.in.ReadAt(p, offset)
	r.bar.add(n)
	return n, err
}

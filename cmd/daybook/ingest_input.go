// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"

	"github.com/daybook-db/daybook/text"
)

// stdinName is what errors call standard input.
const stdinName = "stdin"

// standard stands for standard input or output on the command line.
const standard = "-"

// input is one input of ingest: a file, or standard input.
type input struct {
	name    string      // stdinName for standard input
	path    string      // "" for standard input
	live    bool        // reading may have to wait: it is anything but a regular file
	format  text.Format // "" before the content has been looked at, and for an input without content
	guessed bool        // format is what the content looks like
	opened  *openInput  // nil before it is opened
}

// findInputs returns the inputs that names stand for, and their size in bytes, or -1 if a size is
// not known. It looks at all of them before anything is stored.
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
	close func() error
}

// inputBuffer is the number of bytes of an input that are read at a time.
const inputBuffer = 64 << 10

// open opens an input and looks at its beginning, unless that has been done. A live one calls
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
	if err := in.detectFormat(); err != nil {
		_ = in.close() // it was only read
		return fmt.Errorf("%s: %w", in.name, err)
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
	return &openInput{Reader: bufio.NewReaderSize(bar.countReader(r), inputBuffer), close: close}
}

// close closes the input. It may be opened again, and is then read from its beginning.
func (in *input) close() error {
	if in.opened == nil {
		return nil
	}
	err := in.opened.close()
	in.opened = nil
	return err
}

// detectFormat reads as much as the format takes to detect, unless the format is known. The format
// of an input that holds nothing stays unknown.
func (in *input) detectFormat() (err error) {
	if in.format == "" {
		in.format, err = text.DetectFormat(in.opened.Reader)
		in.guessed = in.format != ""
	}
	return err
}

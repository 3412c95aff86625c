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

	"github.com/daybook-db/daybook/text"
	"github.com/daybook-db/daybook/text/decode"
	"github.com/daybook-db/daybook/text/detect"
)

// stdinName is what errors call standard input.
const stdinName = "stdin"

// standard stands for standard input or output on the command line.
const standard = "-"

// input is one input of ingest: a file, or standard input.
type input struct {
	name    string          // stdinName for standard input
	path    string          // "" for standard input
	live    bool            // reading may have to wait: it is anything but a regular file
	finding *detect.Finding // nil before the content has been looked at
	opened  *openInput      // nil before it is opened
	export  *exportedFile   // of a file that is not text; nil before a reader was made
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

// openInput is the text of an input being read.
type openInput struct {
	*bufio.Reader
	source source
	text   *decode.Reader
}

// source is where the bytes of an input come from.
type source struct {
	io.Reader
	close func() error
}

// inputBuffer is the number of bytes of an input that are read at a time. A sample fits into it.
const inputBuffer = detect.SampleLen

// open opens an input, unless that has been done. A live one calls beforeWait before it waits.
func (in *input) open(
	ctx context.Context, stdin io.Reader, bar *byteBar, encoding string, beforeWait func() error,
) error {
	if in.opened != nil {
		return nil
	}
	source := source{}
	if in.live {
		source = in.openLive(ctx, stdin, beforeWait)
	} else {
		file, err := os.Open(in.path)
		if err != nil {
			return err
		}
		source.Reader, source.close = file, file.Close
	}
	text, err := decode.NewReader(bar.countReader(source), encoding)
	if err != nil {
		_ = source.close() // it was only read
		return fmt.Errorf("%s: %w", in.name, err)
	}
	in.opened = &openInput{bufio.NewReaderSize(text, inputBuffer), source, text}
	return nil
}

func (in *input) openLive(ctx context.Context, stdin io.Reader, beforeWait func() error) source {
	ctx, cancel := context.WithCancel(ctx)
	open := func() (io.ReadCloser, error) {
		if in.path == "" {
			return io.NopCloser(stdin), nil
		}
		return os.Open(in.path)
	}
	return source{newLiveReader(ctx, open, beforeWait), func() error { cancel(); return nil }}
}

// close closes the input. It may be opened again, and is then read from its beginning.
func (in *input) close() error {
	if in.export != nil {
		in.export.close()
		in.export = nil
	}
	if in.opened == nil {
		return nil
	}
	in.opened.text.Close()
	err := in.opened.source.close()
	in.opened = nil
	return err
}

// detect looks at the beginning of an open input, unless that has been done. Of a live input it
// waits for no more lines than it takes to find what it is.
func (in *input) detect(hints detect.Hints) error {
	hints.Encoding = in.opened.text.Decoded()
	for lines := 1; in.finding == nil; lines *= 2 {
		sample, err := in.sample(lines)
		if err != nil {
			return fmt.Errorf("%s: %w", in.name, err)
		}
		finding, err := detect.Detect(sample, hints)
		if err != nil && (!in.live || sample.Whole || len(sample.Text) == detect.SampleLen) {
			return in.named(err)
		}
		if err == nil {
			in.finding = finding
		}
	}
	return nil
}

// named puts the input's name before an error that has it not.
func (in *input) named(err error) error {
	if errors.As(err, new(*text.LineError)) || errors.As(err, new(*text.EndError)) {
		return err
	}
	return fmt.Errorf("%s: %w", in.name, err)
}

// sample returns the beginning of the input. Of a live one it has at least this number of lines, or
// all that there are, and what has come with them.
func (in *input) sample(lines int) (detect.Sample, error) {
	n := detect.SampleLen
	if in.live {
		n = 1
	}
	for {
		head, err := in.opened.Peek(n)
		if err != nil && err != io.EOF {
			return detect.Sample{}, err
		}
		if err == nil && in.live {
			head, _ = in.opened.Peek(in.opened.Buffered()) // they are in the buffer
		}
		if err == io.EOF || len(head) == detect.SampleLen || linesOf(head) >= lines {
			return detect.Sample{Text: head, Whole: err == io.EOF}, nil
		}
		n = len(head) + 1
	}
}

// linesOf counts the ends of lines, of any of the three forms.
func linesOf(text []byte) int {
	return max(bytes.Count(text, []byte("\n")), bytes.Count(text, []byte("\r")))
}

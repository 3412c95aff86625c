// SPDX-License-Identifier: Apache-2.0

package text

import (
	"bufio"
	"io"
)

// recordSeparator stands before each text of a JSON text sequence (RFC 7464). A line feed is after
// it.
const recordSeparator = 0x1e

// withoutSeparators returns in, or a reader of the lines of a JSON text sequence if in is one.
func withoutSeparators(in *bufio.Reader) *bufio.Reader {
	head, err := in.Peek(1)
	if err != nil || head[0] != recordSeparator { // the next read returns the error
		return in
	}
	return buffered(&sequenceReader{in: in})
}

// sequenceReader puts a space in the place of each record separator at the start of a line. One in
// a line stays, and makes it malformed.
type sequenceReader struct {
	in     io.Reader
	inLine bool
}

func (r *sequenceReader) Read(p []byte) (int, error) {
	n, err := r.in.Read(p)
	for i, b := range p[:n] {
		if b == recordSeparator && !r.inLine {
			p[i] = ' '
			continue
		}
		r.inLine = b != '\n'
	}
	return n, err
}

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"io"
	"slices"
)

// liveReader reads what may have to be waited for: a terminal, a pipe, a device. It opens and reads in
// a goroutine of its own, so that the end of ctx ends a wait, also one for a pipe's first writer.
type liveReader struct {
	ctx        context.Context
	beforeWait func() error // called before a Read waits; its error is what Read returns
	chunks     chan []byte
	end        error // why chunks closed; set before that
	rest       []byte
}

// newLiveReader starts reading. The goroutine ends when the input does, or after ctx has ended, as
// soon as the operating system lets go of it.
func newLiveReader(ctx context.Context, open func() (io.ReadCloser, error), beforeWait func() error) *liveReader {
	r := &liveReader{ctx: ctx, beforeWait: beforeWait, chunks: make(chan []byte, 16)}
	go r.fill(open)
	return r
}

func (r *liveReader) fill(open func() (io.ReadCloser, error)) {
	defer close(r.chunks)
	in, err := open()
	if err != nil {
		r.end = err
		return
	}
	defer in.Close()
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
		chunk, err := r.receive()
		if err != nil {
			return 0, err
		}
		r.rest = chunk
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// receive returns the next chunk. Where it has to wait for one, it says so first.
func (r *liveReader) receive() ([]byte, error) {
	if err := r.ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case chunk, more := <-r.chunks:
		return r.received(chunk, more)
	default:
	}
	if err := r.beforeWait(); err != nil {
		return nil, err
	}
	select {
	case <-r.ctx.Done():
		return nil, r.ctx.Err()
	case chunk, more := <-r.chunks:
		return r.received(chunk, more)
	}
}

func (r *liveReader) received(chunk []byte, more bool) ([]byte, error) {
	if !more {
		return nil, r.end
	}
	return chunk, nil
}

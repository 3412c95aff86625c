// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"io"
	"slices"
)

// liveReader reads an input that may have to be waited for: a terminal, a pipe, a device. A
// goroutine of its own opens and reads the input, so that the end of ctx ends any wait, also the
// wait for the first writer of a named pipe.
type liveReader struct {
	ctx        context.Context
	beforeWait func() error // called before a Read waits; Read returns its error
	blocks     chan []byte  // what the goroutine has read
	end        error        // why blocks was closed; set before that
	rest       []byte       // of the block that is being returned
}

// newLiveReader starts to read. The goroutine ends when the input ends, or after the end of ctx, as
// soon as the operating system returns from the call that waits.
func newLiveReader(ctx context.Context, open func() (io.ReadCloser, error), beforeWait func() error) *liveReader {
	r := &liveReader{ctx: ctx, beforeWait: beforeWait, blocks: make(chan []byte, 16)}
	go r.fill(open)
	return r
}

func (r *liveReader) fill(open func() (io.ReadCloser, error)) {
	defer close(r.blocks)
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
		case r.blocks <- slices.Clone(buffer[:n]):
		case <-r.ctx.Done():
			r.end = r.ctx.Err()
		}
	}
}

func (r *liveReader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		block, err := r.receive()
		if err != nil {
			return 0, err
		}
		r.rest = block
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// receive returns the next block. It calls beforeWait if it has to wait for one.
func (r *liveReader) receive() ([]byte, error) {
	if err := r.ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case block, open := <-r.blocks:
		return r.received(block, open)
	default:
	}
	if err := r.beforeWait(); err != nil {
		return nil, err
	}
	select {
	case <-r.ctx.Done():
		return nil, r.ctx.Err()
	case block, open := <-r.blocks:
		return r.received(block, open)
	}
}

func (r *liveReader) received(block []byte, open bool) ([]byte, error) {
	if !open {
		return nil, r.end
	}
	return block, nil
}

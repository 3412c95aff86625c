// SPDX-License-Identifier: Apache-2.0

package daybook

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
)

// Batch is a part of the changes of another store, the sender. The batches of a stream follow one
// another without gap: each begins where the one before it ended.
//
// A batch has values of one epoch, and each epoch has a Position of its own. A sender that finds a
// new epoch in its Changes ends the batch, asks for the Position in the new epoch, and leaves out
// the values up to its Through. So a sender that goes back, as after a *ForkedError, sends no value
// twice.
type Batch struct {
	// Store is the identity of the sender, as in Stats. Epoch is that of the values' cursors. They
	// are not zero.
	Store, Epoch [16]byte
	// Stream names one of the sender's selections of records: at most MaxHoldNameLen bytes of UTF-8
	// without control characters. The streams of one store should have no record in common, because
	// its values would arrive once with each.
	Stream string
	// From and Through say which of the sender's sequence numbers the batch is about: those after
	// From, up to Through. The first batch of a stream and epoch has From 0, whatever the number of
	// its first value is: smaller numbers belong to other epochs, or were deleted.
	From, Through uint64
	// Previous is the Digest of the stream's batch before this one; zeros for the first batch.
	Previous [32]byte
	// Digest is what DigestOf returns for this batch.
	Digest [32]byte
	// Values are the values of the stream that have these numbers and were not deleted, in the
	// order of their numbers. There may be none.
	Values []StoredValue
}

// Position returns the place in the stream after the batch.
func (b *Batch) Position() Position { return Position{Through: b.Through, Digest: b.Digest} }

// Position is how far a receiver has come in a stream. The zero Position is the beginning. Its JSON
// has the digest in hexadecimal digits.
type Position struct {
	Through uint64   // the sender's sequence number up to which the receiver has all values
	Digest  [32]byte // of the last batch
}

// DigestOf returns the digest that a batch must have: the SHA-256 of
//
//	Previous             32 bytes
//	Store, Epoch         16 bytes each
//	Stream               length (uint64), and the bytes
//	From, Through        uint64 each
//	number of values     uint64
//	for each value:
//	  RecordName         length (uint64), and the bytes
//	  StoredAt           uint64
//	  Value              length (uint64), and the bytes as they are
//
// All integers are big-endian. Because the digest covers Previous, it stands for all batches of the
// stream up to this one. b.Digest itself makes no difference.
func DigestOf(b *Batch) (digest [32]byte) {
	d := digester{hash: sha256.New()}
	d.hash.Write(b.Previous[:])
	d.hash.Write(b.Store[:])
	d.hash.Write(b.Epoch[:])
	d.text(b.Stream)
	d.number(b.From)
	d.number(b.Through)
	d.number(uint64(len(b.Values)))
	for i := range b.Values {
		d.text(b.Values[i].RecordName)
		d.number(b.Values[i].StoredAt)
		d.number(uint64(len(b.Values[i].Value)))
		d.hash.Write(b.Values[i].Value)
	}
	d.hash.Sum(digest[:0])
	return digest
}

// digester writes fields to a hash, which returns no errors.
type digester struct {
	hash    hash.Hash
	scratch []byte
}

func (d *digester) number(n uint64) {
	d.scratch = binary.BigEndian.AppendUint64(d.scratch[:0], n)
	d.hash.Write(d.scratch)
}

func (d *digester) text(s string) {
	d.number(uint64(len(s)))
	d.scratch = append(d.scratch[:0], s...)
	d.hash.Write(d.scratch)
}

// Validate returns an error that matches ErrInvalidParams if a field has a value that its comment
// excludes. It does not validate the values themselves.
func (b *Batch) Validate() error {
	if err := ValidateStream(b.Store, b.Epoch, b.Stream); err != nil {
		return err
	}
	if b.Through <= b.From || uint64(len(b.Values)) > b.Through-b.From {
		return fmt.Errorf("%w: a batch from %d through %d has %d values; want Through after From, and a number "+
			"for each value", ErrInvalidParams, b.From, b.Through, len(b.Values))
	}
	if want := DigestOf(b); b.Digest != want {
		return fmt.Errorf("%w: the batch from %d through %d has the digest %x; its content has %x: send it again",
			ErrInvalidParams, b.From, b.Through, b.Digest, want)
	}
	return nil
}

// ValidateStream returns an error that matches ErrInvalidParams unless the arguments name a stream,
// as the fields of a Batch do.
func ValidateStream(store, epoch [16]byte, stream string) error {
	if store == [16]byte{} || epoch == [16]byte{} {
		return fmt.Errorf("%w: stream %q: the store or the epoch is zero; want the sender's identity",
			ErrInvalidParams, shorten(stream))
	}
	return validateLabel("the name of a stream", stream)
}

// OutOfStepError says that a batch does not begin where the receiver's position in its stream is.
// The sender goes on from Position: it sends the values after Position.Through, with
// Position.Digest as Previous.
type OutOfStepError struct {
	Position Position
	From     uint64 // of the batch
}

func (e *OutOfStepError) Error() string {
	if e.From == e.Position.Through {
		return fmt.Sprintf("%v: the batch begins after %d, as it should, but after other batches: "+
			"two stores have the same identity, or the sender has lost its state", ErrOutOfStep, e.From)
	}
	return fmt.Sprintf("%v: the batch begins after %d; the receiver has all values through %d: go on from there",
		ErrOutOfStep, e.From, e.Position.Through)
}

// Unwrap returns ErrOutOfStep.
func (e *OutOfStepError) Unwrap() error { return ErrOutOfStep }

// Next returns the position after a batch, or an error if the batch cannot follow p. isDuplicate
// says that the batch is the last one that was received: p is the position after it.
func (p Position) Next(b *Batch) (next Position, isDuplicate bool, err error) {
	switch {
	case p == b.Position(): // the digest covers From and Previous
		return p, true, nil
	case p == Position{Through: b.From, Digest: b.Previous}:
		return b.Position(), false, nil
	}
	return p, false, &OutOfStepError{Position: p, From: b.From}
}

// Receiver is a Backend that takes the changes of other stores, each value exactly once.
type Receiver interface {
	// StoreBatchFrom stores the values of a batch, in order, and moves the position of its stream,
	// both or neither. What it stores is durable when it returns nil, whatever the backend's
	// durability is. It returns the stream's position.
	//
	// The batch must begin at the position of its stream. If it is the last batch that was
	// received, StoreBatchFrom stores nothing and returns nil, so a sender that got no answer sends
	// the same batch again. A batch without values moves the position. After every error other than
	// ErrFailed the position is as it was before.
	//
	// Errors: an *OutOfStepError if the batch does not begin at the position; ErrInvalidParams,
	// also for a Digest that is not DigestOf(&b); and those of BatchStorer.StoreBatch.
	StoreBatchFrom(ctx context.Context, b Batch) (Position, error)

	// Position returns the position of a stream, the zero Position if nothing was received.
	// Errors: ErrInvalidParams, ErrClosed, or ctx's.
	Position(ctx context.Context, store, epoch [16]byte, stream string) (Position, error)
}

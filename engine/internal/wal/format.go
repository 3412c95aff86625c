// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"

	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/identity"
)

const (
	magic   = "DAYBKLOG"
	version = 3
	oldest  = 1 // frames of version 1 have no compressed batches

	originVersion = 3 // the first version whose headers have an origin

	segmentHeaderLen = 104
	plainHeaderLen   = 44 // of a header without an origin, which a later one begins with
	frameHeaderLen   = 20
	headerChecksumAt = 12 // offset in the header of a frame

	// MaxPayload is the maximum length of a frame's payload, in bytes.
	MaxPayload = 256 << 20

	// MaxGrouped is the maximum total length of the payloads in an Append of more than one frame,
	// in bytes. A Follower relies on it to know which frames may be undone together.
	MaxGrouped = 4 << 20
)

const (
	segmentSuffix   = ".log"
	temporarySuffix = ".new.log"
	numberLen       = 20 // digits of a number in a file name
)

func nameOf(number uint64) string { return fmt.Sprintf("%0*d%s", numberLen, number, segmentSuffix) }

// temporaryNameOf returns the name that a segment has while it is made.
func temporaryNameOf(number uint64) string {
	return fmt.Sprintf("%0*d%s", numberLen, number, temporarySuffix)
}

// numberOf returns the number of the segment with a file name, and false if it is not the name of a
// segment.
func numberOf(name string) (uint64, bool) { return numberBefore(segmentSuffix, name) }

// temporaryNumberOf is numberOf for the name that a segment has while it is made.
func temporaryNumberOf(name string) (uint64, bool) { return numberBefore(temporarySuffix, name) }

func numberBefore(suffix, name string) (uint64, bool) {
	digits, ok := strings.CutSuffix(name, suffix)
	if !ok || len(digits) != numberLen {
		return 0, false
	}
	number, err := strconv.ParseUint(digits, 10, 64)
	if err != nil {
		return 0, false
	}
	return number, true
}

func isTemporary(name string) bool {
	_, is := temporaryNumberOf(name)
	return is
}

// segmentHeader is the start of a segment. Each file with the name of a segment has one.
type segmentHeader struct {
	number        uint64
	firstSequence uint64 // 0: prepared, not in use yet
	size          int64  // of the file
	version       uint32 // 0: the current one
	origin        identity.Origin
}

func (h segmentHeader) prepared() bool { return h.firstSequence == 0 }

// hasOrigin reports whether the header says which store the segment belongs to.
func (h segmentHeader) hasOrigin() bool { return h.version == 0 || h.version >= originVersion }

// len returns the length of the header, after which the frames begin.
func (h segmentHeader) len() int64 {
	if h.hasOrigin() {
		return segmentHeaderLen
	}
	return plainHeaderLen
}

// append appends the encoded header to dst, in the current version.
func (h segmentHeader) append(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, magic...)
	dst = binary.LittleEndian.AppendUint32(dst, version)
	dst = binary.LittleEndian.AppendUint32(dst, 0)
	dst = binary.LittleEndian.AppendUint64(dst, h.number)
	dst = binary.LittleEndian.AppendUint64(dst, h.firstSequence)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(h.size))
	dst = binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[start:], codec.Castagnoli))
	dst = append(dst, h.origin.Store[:]...)
	dst = append(dst, h.origin.Epoch[:]...)
	dst = append(dst, h.origin.Parent[:]...)
	dst = binary.LittleEndian.AppendUint64(dst, h.origin.Shared)
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[start:], codec.Castagnoli))
}

var (
	errNoHeader     = errors.New("not a segment header")
	errHalfHeader   = errors.New("the first part of a segment header")
	errNewerVersion = errors.New("a newer log format")
)

func decodeSegmentHeader(data []byte) (segmentHeader, error) {
	if len(data) < plainHeaderLen || string(data[:8]) != magic || !endsWithChecksum(data[:plainHeaderLen]) {
		return segmentHeader{}, errNoHeader
	}
	h := segmentHeader{
		version:       binary.LittleEndian.Uint32(data[8:]),
		number:        binary.LittleEndian.Uint64(data[16:]),
		firstSequence: binary.LittleEndian.Uint64(data[24:]),
		size:          int64(binary.LittleEndian.Uint64(data[32:])),
	}
	if h.version < oldest || h.version > version {
		return segmentHeader{}, fmt.Errorf("%w: version %d, this program knows %d", errNewerVersion, h.version, version)
	}
	if h.size < 0 {
		return segmentHeader{}, errNoHeader
	}
	if !h.hasOrigin() {
		return h, nil
	}
	if len(data) < segmentHeaderLen {
		return segmentHeader{}, errHalfHeader
	}
	if !endsWithChecksum(data[:segmentHeaderLen]) {
		return segmentHeader{}, errNoHeader
	}
	copy(h.origin.Store[:], data[44:])
	copy(h.origin.Epoch[:], data[60:])
	copy(h.origin.Parent[:], data[76:])
	h.origin.Shared = binary.LittleEndian.Uint64(data[92:])
	return h, nil
}

// endsWithChecksum reports whether the last four bytes of data are the checksum of the others.
func endsWithChecksum(data []byte) bool {
	end := len(data) - 4
	return crc32.Checksum(data[:end], codec.Castagnoli) == binary.LittleEndian.Uint32(data[end:])
}

// frame is a frame of a segment.
type frame struct {
	payload []byte // empty: a seal
	values  uint32 // number of values in the payload
	durable int64  // offset up to which the segment was durable when the frame was written
}

func (f *frame) sealed() bool { return len(f.payload) == 0 }

// size returns the length of the encoded frame.
func (f *frame) size() int64 { return frameHeaderLen + int64(len(f.payload)) }

// append appends the encoded frame to dst, for an offset in the segment with a number.
func (f *frame) append(dst []byte, number uint64, offset int64) []byte {
	start := len(dst)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(f.payload)))
	dst = binary.LittleEndian.AppendUint32(dst, f.values)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(f.durable))
	dst = binary.LittleEndian.AppendUint32(dst, headerChecksum(dst[start:], number, offset))
	dst = binary.LittleEndian.AppendUint32(dst, payloadChecksum(f.payload, number))
	return append(dst, f.payload...)
}

func headerChecksum(header []byte, number uint64, offset int64) uint32 {
	var place [28]byte
	binary.LittleEndian.PutUint64(place[:], number)
	binary.LittleEndian.PutUint64(place[8:], uint64(offset))
	copy(place[16:], header[:headerChecksumAt])
	return crc32.Checksum(place[:], codec.Castagnoli)
}

func payloadChecksum(payload []byte, number uint64) uint32 {
	var place [12]byte
	binary.LittleEndian.PutUint64(place[:], number)
	binary.LittleEndian.PutUint32(place[8:], uint32(len(payload)))
	return crc32.Update(crc32.Checksum(place[:], codec.Castagnoli), codec.Castagnoli, payload)
}

// frameState tells what is at an offset of a segment.
type frameState int

const (
	noFrame   frameState = iota // not the header of a frame of this segment
	badFrame                    // the header of a frame, with another payload
	goodFrame                   // a frame with its payload
)

// readFrame reads the frame at an offset of a segment's bytes.
func readFrame(segment []byte, number uint64, offset int64) (frame, frameState) {
	data := segment[min(offset, int64(len(segment))):]
	if len(data) < frameHeaderLen {
		return frame{}, noFrame
	}
	length := int64(binary.LittleEndian.Uint32(data))
	sum := binary.LittleEndian.Uint32(data[headerChecksumAt:])
	if length > int64(len(data)-frameHeaderLen) || sum != headerChecksum(data, number, offset) {
		return frame{}, noFrame
	}
	f := frame{
		payload: data[frameHeaderLen : frameHeaderLen+length],
		values:  binary.LittleEndian.Uint32(data[4:]),
		durable: int64(binary.LittleEndian.Uint32(data[8:])),
	}
	if payloadChecksum(f.payload, number) != binary.LittleEndian.Uint32(data[16:]) || f.sealed() != (f.values == 0) {
		return f, badFrame
	}
	return f, goodFrame
}

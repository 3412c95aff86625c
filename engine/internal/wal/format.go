// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"regexp"
	"strconv"

	"github.com/daybook-db/daybook/codec"
)

const (
	magic   = "DAYBKLOG"
	version = 2
	oldest  = 1 // frames of version 1 have no compressed batches

	segmentHeaderLen = 44
	frameHeaderLen   = 20
	headerChecksumAt = 12 // offset in the header of a frame

	// MaxPayload is the maximum length of a frame's payload, in bytes.
	MaxPayload = 256 << 20

	// MaxGrouped is the maximum total length of the payloads in an Append of more than one frame,
	// in bytes. A Follower relies on it to know which frames may be undone together.
	MaxGrouped = 4 << 20
)

var (
	segmentName   = regexp.MustCompile(`^(\d{20})\.log$`)
	temporaryName = regexp.MustCompile(`^\d{20}\.new\.log$`)
)

func nameOf(number uint64) string { return fmt.Sprintf("%020d.log", number) }

// temporaryNameOf returns the name that a segment has while it is made.
func temporaryNameOf(number uint64) string { return fmt.Sprintf("%020d.new.log", number) }

// numberOf returns the number of the segment with a file name, and false if it is not the name of a
// segment.
func numberOf(name string) (uint64, bool) {
	parts := segmentName.FindStringSubmatch(name)
	if parts == nil {
		return 0, false
	}
	number, err := strconv.ParseUint(parts[1], 10, 64)
	return number, err == nil
}

// segmentHeader is the start of a segment. Each file with the name of a segment has one.
type segmentHeader struct {
	number        uint64
	firstSequence uint64 // 0: prepared, not in use yet
	size          int64  // of the file
}

func (h segmentHeader) prepared() bool { return h.firstSequence == 0 }

// append appends the encoded header to dst.
func (h segmentHeader) append(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, magic...)
	dst = binary.LittleEndian.AppendUint32(dst, version)
	dst = binary.LittleEndian.AppendUint32(dst, 0)
	dst = binary.LittleEndian.AppendUint64(dst, h.number)
	dst = binary.LittleEndian.AppendUint64(dst, h.firstSequence)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(h.size))
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[start:], codec.Castagnoli))
}

var (
	errNoHeader     = errors.New("not a segment header")
	errNewerVersion = errors.New("a newer log format")
)

func decodeSegmentHeader(data []byte) (segmentHeader, error) {
	if len(data) < segmentHeaderLen || string(data[:8]) != magic {
		return segmentHeader{}, errNoHeader
	}
	if crc32.Checksum(data[:40], codec.Castagnoli) != binary.LittleEndian.Uint32(data[40:]) {
		return segmentHeader{}, errNoHeader
	}
	if got := binary.LittleEndian.Uint32(data[8:]); got < oldest || got > version {
		return segmentHeader{}, fmt.Errorf("%w: version %d, this program knows %d", errNewerVersion, got, version)
	}
	size := binary.LittleEndian.Uint64(data[32:])
	if size > math.MaxInt64 {
		return segmentHeader{}, errNoHeader
	}
	return segmentHeader{
		number:        binary.LittleEndian.Uint64(data[16:]),
		firstSequence: binary.LittleEndian.Uint64(data[24:]),
		size:          int64(size),
	}, nil
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

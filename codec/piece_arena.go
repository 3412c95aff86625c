// SPDX-License-Identifier: Apache-2.0

package codec

// pieceArena holds texts, one after another, so that a short one can be copied without a call: with
// the bytes after it, up to wideCopy in all.
type pieceArena struct{ bytes []byte }

// pieceRef is a text in an arena.
type pieceRef struct{ at, length uint32 }

// pack returns the reference as one integer, and unpackRef is the reverse.
func (r pieceRef) pack() uint64 { return uint64(r.at)<<32 | uint64(r.length) }

func unpackRef(packed uint64) pieceRef { return pieceRef{uint32(packed >> 32), uint32(packed)} }

// wideCopy is the number of bytes that are copied at once. Memory that is copied to, and an arena,
// must have as many bytes after the text.
const wideCopy = 16

// reset drops the texts.
func (a *pieceArena) reset() { a.bytes = a.bytes[:0] }

// add adds a text.
func (a *pieceArena) add(text []byte) pieceRef {
	ref := pieceRef{uint32(len(a.bytes)), uint32(len(text))}
	a.bytes = append(a.bytes, text...)
	return ref
}

// seal makes the texts ready to be copied.
func (a *pieceArena) seal() { a.bytes = append(a.bytes, make([]byte, wideCopy)...) }

// text returns a text. It is a part of the arena.
func (a *pieceArena) text(ref pieceRef) []byte { return a.bytes[ref.at : ref.at+ref.length] }

// write writes a text to dst from the index at on, and returns the index of its end. It returns -1
// if dst has not enough room for it and for memberSlack.
func (a *pieceArena) write(dst []byte, at int, ref pieceRef) (end int) {
	if end = at + int(ref.length); len(dst)-end < memberSlack {
		return -1
	}
	if ref.length <= wideCopy {
		*(*[wideCopy]byte)(dst[at:]) = *(*[wideCopy]byte)(a.bytes[ref.at:])
	} else {
		copy(dst[at:], a.bytes[ref.at:ref.at+ref.length])
	}
	return end
}

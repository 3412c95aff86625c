// SPDX-License-Identifier: Apache-2.0

package fuzz

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook/codec"
)

var coder = codec.NewCoder()

func FuzzKey(f *testing.F) {
	f.Add("sensor.kitchen", uint64(1_700_000_000_000), uint32(0),
		[]byte("sensor.kitchen\x00\x00\x00\x01\x8b\xcf\xe5\x68\x00"))
	f.Add("a", uint64(0), uint32(1), []byte("a\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00"))
	f.Add("é", uint64(math.MaxUint64), uint32(math.MaxUint32),
		[]byte("é\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"))
	f.Add("r", uint64(1), uint32(0), []byte("r\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, record string, timestamp uint64, ordinal uint32, encoded []byte) {
		if record == "" || strings.Contains(record, "\x00") {
			return // not a valid name
		}
		key := codec.Key{Record: record, Timestamp: timestamp, Ordinal: ordinal}
		if got, err := codec.DecodeKey(key.Append(nil)); got != key || err != nil {
			t.Errorf("%+v decodes as %+v, %v", key, got, err)
		}
		other, err := codec.DecodeKey(encoded)
		if err != nil {
			if !errors.Is(err, codec.ErrCorrupt) {
				t.Errorf("DecodeKey(%x): got %v, want ErrCorrupt", encoded, err)
			}
			return
		}
		if again := other.Append(nil); !bytes.Equal(again, encoded) {
			t.Errorf("%x decodes as %+v, which encodes as %x", encoded, other, again)
		}
		if got, want := bytes.Compare(key.Append(nil), encoded), key.Compare(other); got != want {
			t.Errorf("encodings of %+v and %+v compare as %d; want %d", key, other, got, want)
		}
		if got, want := codec.HasRecord(encoded, record), other.Record == record; got != want {
			t.Errorf("HasRecord(%x, %q): got %v, want %v", encoded, record, got, want)
		}
	})
}

func FuzzChunk(f *testing.F) {
	key := codec.Key{Record: "r", Timestamp: 1000}.Append(nil)
	one := []codec.Entry{{Timestamp: 1000, Sequence: 1, Value: []byte(`{"celsius":21.5}`)}}
	f.Add(key, coder.AppendChunk(nil, key, one), false)
	f.Add(key, coder.AppendChunk(nil, key, append(one,
		codec.Entry{Timestamp: 1000, Sequence: 7, Value: []byte("null")},
		codec.Entry{Timestamp: math.MaxUint64, Sequence: 2, Value: []byte("1")})), true)
	var many []codec.Entry
	for i := range uint64(50) {
		value := []byte(`{"celsius":21.5,"ok":true}`)
		many = append(many, codec.Entry{Timestamp: 1000 + i*250, Sequence: 1 + 3*i, Value: value})
	}
	f.Add(key, coder.AppendChunk(nil, key, many), false)
	f.Add(key, coder.AppendChunk(nil, key, many), true)
	for i := range many {
		many[i].Value = fmt.Appendf(nil, `{"at":"%02d:%02d","x":%d.%d,"on":%v}`, i/7, i, i*i-9, i%3, i%5 == 0)
	}
	f.Add(key, coder.AppendChunk(nil, key, many), true)
	for _, float := range []func(i int) float64{
		func(i int) float64 { return math.Sin(float64(i)) },                         // bits
		func(i int) float64 { return float64(float32(i*i-99) / 7) },                 // bits of 32
		func(i int) float64 { return float64(i*i*31%977-500) / 16384 },              // multiples of a power of 2
		func(i int) float64 { return float64(i*i*31%977) / 1000 * 3 },               // decimals, some moved
		func(i int) float64 { return float64(float32(float64(i*i*31%977) / 1000)) }, // the same in 32 bits
	} {
		for i := range many {
			many[i].Value = fmt.Appendf(nil, `{"x":%v}`, float(i))
		}
		f.Add(key, coder.AppendChunk(nil, key, many), true)
	}
	for i := range many {
		far := i / 24 * 1_000_000 // of 50 numbers, three are far from the others
		many[i].Value = fmt.Appendf(nil, `{"n":%d,"on":%v,"celsius":%d.5}`, i*i%7+far, i/20 == 1, i*i%16*25)
	}
	f.Add(key, coder.AppendChunk(nil, key, many), true)
	for i := range many {
		many[i].Value = []byte(strings.Repeat("x", i+1))
	}
	f.Add(key, coder.AppendChunk(nil, key, many), true)
	for i := range many {
		many[i].Value = fmt.Appendf(nil, `{"s":"%s","id":"A-%d","n":%d%s}`, strings.Repeat("ab", i*i%7), i*i, i,
			[]string{``, `,"on":true`, `,"on":null`, `,"of":["x","y"]`}[i*7%4])
	}
	f.Add(key, coder.AppendChunk(nil, key, many), true)
	for i := range many {
		line := strings.Repeat("pump valve tank ", i*i%11)
		many[i].Value = fmt.Appendf(nil, `{"line":"%s","n":%d,"id":"%08x-b"}`, line, i, uint32(i+1)*0x9e3779b9)
	}
	f.Add(key, coder.AppendChunk(nil, key, many), true)
	f.Add(key, []byte("\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00"), true)
	f.Add(key, []byte("\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x01\x00\x01\x03"+
		"\x28\xb5\x2f\xfd\x20\x04\x21\x00\x00\x00\x00\x011"), true)
	f.Fuzz(func(t *testing.T, key, chunk []byte, seal bool) {
		if seal && len(chunk) >= 10 {
			chunk = withChecksums(key, chunk)
		}
		var b codec.Buffer
		var err error
		allocated := allocatedBytes(func() { err = coder.Decode(&b, key, chunk) })
		if allowed := allowedBytes(chunk); allocated > allowed {
			t.Errorf("Decode of %d bytes allocated %d; want at most %d", len(chunk), allocated, allowed)
		}
		if err != nil {
			if !errors.Is(err, codec.ErrCorrupt) && !errors.Is(err, codec.ErrVersion) {
				t.Errorf("Decode: got %v, want ErrCorrupt or ErrVersion", err)
			}
			checkRefused(t, key, chunk)
			return
		}
		header, err := codec.ReadHeader(key, chunk)
		first, last := b.Entries[0].Timestamp, b.Entries[len(b.Entries)-1].Timestamp
		if err != nil || header.Count != len(b.Entries) || header.First != first || header.Last != last {
			t.Errorf("header %+v, %v; %d values decode", header, err, len(b.Entries))
		}
		checkRange(t, key, chunk, b.Entries)
		var again codec.Buffer
		if err := coder.Decode(&again, key, coder.AppendChunk(nil, key, b.Entries)); err != nil {
			t.Fatalf("the values encoded again do not decode: %v", err)
		}
		if !slices.EqualFunc(b.Entries, again.Entries, equalEntries) {
			t.Errorf("encoded again (-was +is):\n%s", cmp.Diff(b.Entries, again.Entries))
		}
	})
}

// checkRefused checks that Tail and Join make no valid chunk of one that does not decode.
func checkRefused(t *testing.T, key, chunk []byte) {
	var b codec.Buffer
	if tailKey, tail, err := coder.Tail(key, chunk, 1); err == nil && coder.Decode(&b, tailKey, tail) == nil {
		t.Errorf("the tail of a chunk that does not decode does decode: %x under %x", tail, tailKey)
	}
	joined, err := coder.Join(key, []codec.EncodedChunk{{Key: key, Chunk: chunk}}, nil)
	if joined != nil || err != nil && !errors.Is(err, codec.ErrCorrupt) && !errors.Is(err, codec.ErrVersion) {
		t.Errorf("a chunk that does not decode is joined: got %x, %v", joined, err)
	}
}

// checkRange decodes a range of a chunk, and compares it with the same range of all values.
func checkRange(t *testing.T, key, chunk []byte, all []codec.Entry) {
	n := len(all)
	wanted := codec.Range{
		Start:  all[n/4].Timestamp,
		End:    all[n*3/4].Timestamp,
		Limit:  n/3 + 1,
		Newest: len(chunk)%2 == 0,
	}
	want := slices.DeleteFunc(slices.Clone(all), func(e codec.Entry) bool {
		return e.Timestamp < wanted.Start || e.Timestamp > wanted.End
	})
	if excess := len(want) - wanted.Limit; excess > 0 && wanted.Newest {
		want = want[excess:]
	} else if excess > 0 {
		want = want[:wanted.Limit]
	}
	var b codec.Buffer
	err := coder.DecodeRange(&b, key, chunk, wanted)
	if err != nil || !slices.EqualFunc(want, b.Entries, equalEntries) {
		t.Errorf("%+v: %v (-want +got):\n%s", wanted, err, cmp.Diff(want, b.Entries))
	}
}

func equalEntries(a, b codec.Entry) bool {
	return a.Timestamp == b.Timestamp && a.Sequence == b.Sequence && bytes.Equal(a.Value, b.Value)
}

// withChecksums returns a chunk with matching checksums, without which a fuzzer would never get
// past them. It returns the chunk itself if its header does not end.
func withChecksums(key, chunk []byte) []byte {
	const headerChecksumAt, bodyChecksumAt, fieldsAt, fields = 2, 6, 10, 6
	headerLen := fieldsAt
	for range fields {
		_, n := binary.Uvarint(chunk[headerLen:])
		if n <= 0 {
			return chunk
		}
		headerLen += n
	}
	chunk = bytes.Clone(chunk)
	binary.LittleEndian.PutUint32(chunk[bodyChecksumAt:], crc32.Checksum(chunk[headerLen:], codec.Castagnoli))
	sum := crc32.Update(0, codec.Castagnoli, key)
	sum = crc32.Update(sum, codec.Castagnoli, chunk[:headerChecksumAt])
	sum = crc32.Update(sum, codec.Castagnoli, chunk[bodyChecksumAt:headerLen])
	binary.LittleEndian.PutUint32(chunk[headerChecksumAt:], sum)
	return chunk
}

// allowedBytes returns the number of bytes that decoding a chunk may allocate: the greatest length
// of the decompressed body, and an entry of 40 bytes for every four bytes of it. Goroutines of the
// test allocate some meanwhile. With templates, it is at most 65536 values of 1 MiB in all, and as
// many numbers of 8 bytes as the values have bytes. With members, texts are decompressed too, and
// the memory of the numbers grows in steps.
func allowedBytes(chunk []byte) uint64 {
	const slack, maxBlockOutput, minBlock = 1 << 20, 128 << 10, 4
	body := uint64(len(chunk))
	switch {
	case len(chunk) > 1 && chunk[1] == 1:
		body = body / minBlock * maxBlockOutput
	case len(chunk) > 1 && chunk[1] == 2:
		return slack + 16<<20
	case len(chunk) > 1 && chunk[1] == 3:
		return slack + 48<<20
	}
	return slack + 11*body
}

// allocatedBytes returns the number of bytes that the whole program allocates while fn runs.
func allocatedBytes(fn func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	fn()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func FuzzBatch(f *testing.F) {
	w := codec.NewBatchWriter(nil, 2)
	w.Add("sensor.kitchen", 1_700_000_000_000, []byte(`{"celsius":21.5}`))
	w.Add("é", 0, []byte("1"))
	f.Add(w.Bytes())
	f.Add([]byte("\x01\x01a\x00\x011"))
	f.Add([]byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x01a\x00\x011"))
	w = codec.NewBatchWriter(nil, 500)
	for i := range uint64(500) {
		w.Add("sensor.kitchen", i, []byte("21.5"))
	}
	f.Add(codec.AppendCompressed(nil, w.Bytes()))
	f.Add(codec.AppendCompressed(codec.AppendSection(nil, []byte("section")), w.Bytes()))
	f.Fuzz(func(t *testing.T, encoded []byte) {
		var section []byte
		var values []batchValue
		var err error
		allocated := allocatedBytes(func() { section, values, err = decodeBatch(encoded) })
		if allowed := uint64(1<<20 + 256*30*len(encoded)); allocated > allowed {
			t.Errorf("%d bytes allocated %d; want at most %d", len(encoded), allocated, allowed)
		}
		if err != nil {
			if !errors.Is(err, codec.ErrCorrupt) {
				t.Errorf("got %v, want ErrCorrupt", err)
			}
			return
		}
		w := codec.NewBatchWriter(nil, len(values))
		for _, v := range values {
			w.Add(v.Record, v.Timestamp, []byte(v.Value))
		}
		var encodedAgain []byte
		if section != nil {
			encodedAgain = codec.AppendSection(nil, section)
		}
		sectionAgain, again, err := decodeBatch(append(encodedAgain, w.Bytes()...))
		if diff := cmp.Diff(values, again); diff != "" || err != nil || !bytes.Equal(section, sectionAgain) {
			t.Errorf("encoded again: section %q, was %q, %v (-was +is):\n%s", sectionAgain, section, err, diff)
		}
	})
}

// batchValue is one value of a batch.
type batchValue struct {
	Record    string
	Timestamp uint64
	Value     string
}

func decodeBatch(encoded []byte) (section []byte, values []batchValue, err error) {
	r, err := codec.ReadBatch(encoded)
	for err == nil && r.Remaining() > 0 {
		var record, value []byte
		var timestamp uint64
		if record, timestamp, value, err = r.Next(); err == nil {
			values = append(values, batchValue{string(record), timestamp, string(value)})
		}
	}
	return r.Section(), values, err
}

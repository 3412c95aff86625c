// SPDX-License-Identifier: Apache-2.0

package daybook

import (
	"encoding/hex"
	"encoding/json"
)

// hexDigest is a digest that is text in JSON: 64 hexadecimal digits.
type hexDigest [32]byte

func (d hexDigest) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, d[:]), nil }

func (d *hexDigest) UnmarshalText(text []byte) error { return parseHex("digest", d[:], text) }

// positionJSON is the JSON of Position.
type positionJSON struct {
	Through uint64    `json:"through"`
	Digest  hexDigest `json:"digest"`
}

// MarshalJSON writes the fields in snake_case, and the digest as hexadecimal digits.
func (p Position) MarshalJSON() ([]byte, error) {
	return json.Marshal(positionJSON{p.Through, hexDigest(p.Digest)})
}

// UnmarshalJSON reads what MarshalJSON has written.
func (p *Position) UnmarshalJSON(data []byte) error {
	return unmarshal(data, positionJSON{}, p, func(j positionJSON) (Position, error) {
		return Position{j.Through, j.Digest}, nil
	})
}

// batchJSON is the JSON of Batch.
type batchJSON struct {
	Store    hexID            `json:"store"`
	Epoch    hexID            `json:"epoch"`
	Stream   string           `json:"stream"`
	From     uint64           `json:"from"`
	Through  uint64           `json:"through"`
	Previous hexDigest        `json:"previous"`
	Digest   hexDigest        `json:"digest"`
	Values   []batchValueJSON `json:"values"`
}

// batchValueJSON is a value of a Batch. Its JSON is a text: encoding/json changes the white space
// and the escapes of a json.RawMessage, and the digest is that of the bytes.
type batchValueJSON struct {
	RecordName string `json:"record_name"`
	ValueText  string `json:"value_text"`
	StoredAt   uint64 `json:"stored_at"`
}

// MarshalJSON writes the fields in snake_case. Identities and digests are hexadecimal digits. Each
// value is a text, value_text: so it comes back byte for byte, as the Digest needs.
func (b Batch) MarshalJSON() ([]byte, error) {
	j := batchJSON{
		hexID(b.Store), hexID(b.Epoch), b.Stream, b.From, b.Through, hexDigest(b.Previous), hexDigest(b.Digest),
		make([]batchValueJSON, len(b.Values)),
	}
	for i, v := range b.Values {
		j.Values[i] = batchValueJSON{v.RecordName, string(v.Value), v.StoredAt}
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads what MarshalJSON has written. Validate says whether all of it arrived.
func (b *Batch) UnmarshalJSON(data []byte) error {
	return unmarshal(data, batchJSON{}, b, func(j batchJSON) (Batch, error) {
		read := Batch{
			Store: j.Store, Epoch: j.Epoch, Stream: j.Stream, From: j.From, Through: j.Through,
			Previous: j.Previous, Digest: j.Digest,
		}
		for _, v := range j.Values {
			read.Values = append(read.Values, StoredValue{
				RecordName: v.RecordName, Value: json.RawMessage(v.ValueText), StoredAt: v.StoredAt,
			})
		}
		return read, nil
	})
}

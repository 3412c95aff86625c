// SPDX-License-Identifier: Apache-2.0

package daybook

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"time"
)

// This file has the JSON of types whose fields encoding/json would write without their unit, or as
// lists of bytes. What it writes, it reads.

// hexID is an identity that is text in JSON: 32 hexadecimal digits.
type hexID [16]byte

func (id hexID) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, id[:]), nil }

func (id *hexID) UnmarshalText(text []byte) error {
	if len(text) != hex.EncodedLen(len(id)) {
		return fmt.Errorf("%w: got identity %q; want %d hexadecimal digits", ErrInvalidParams, shorten(string(text)),
			hex.EncodedLen(len(id)))
	}
	_, err := hex.Decode(id[:], text)
	return err
}

// plainStats is Stats without its methods.
type plainStats Stats

// statsJSON is the JSON of Stats. Its own fields hide those of Stats with the same names.
type statsJSON struct {
	*plainStats
	Store hexID `json:"store,omitzero"`
	Epoch hexID `json:"epoch,omitzero"`
}

// MarshalJSON writes the fields under their names in the tags. Identities are hexadecimal, times
// Unix ms. A larger answer has Stats as a field: a struct that embeds it gets this method, and its
// own fields are not written.
func (s Stats) MarshalJSON() ([]byte, error) {
	return json.Marshal(statsJSON{(*plainStats)(&s), hexID(s.Store), hexID(s.Epoch)})
}

// UnmarshalJSON reads what MarshalJSON has written.
func (s *Stats) UnmarshalJSON(data []byte) error {
	read := statsJSON{plainStats: (*plainStats)(s), Store: s.Store, Epoch: s.Epoch}
	err := json.Unmarshal(data, &read)
	s.Store, s.Epoch = read.Store, read.Epoch
	return err
}

// durationsJSON is the JSON of Durations.
type durationsJSON struct {
	Count uint64  `json:"count"`
	Total float64 `json:"total_seconds"`
	Max   float64 `json:"max_seconds"`
}

// MarshalJSON writes the durations in seconds.
func (d Durations) MarshalJSON() ([]byte, error) {
	return json.Marshal(durationsJSON{d.Count, d.Total.Seconds(), d.Max.Seconds()})
}

// UnmarshalJSON reads what MarshalJSON has written.
func (d *Durations) UnmarshalJSON(data []byte) error {
	read := durationsJSON{d.Count, d.Total.Seconds(), d.Max.Seconds()}
	err := json.Unmarshal(data, &read)
	*d = Durations{read.Count, fromSeconds(read.Total), fromSeconds(read.Max)}
	return err
}

func fromSeconds(seconds float64) time.Duration {
	return time.Duration(math.Round(seconds * float64(time.Second)))
}

// holdJSON is the JSON of Hold.
type holdJSON struct {
	Name          string        `json:"name"`
	Pattern       string        `json:"pattern"` // without a text: all records
	Syntax        PatternSyntax `json:"syntax"`
	At            Cursor        `json:"at"`
	MaxBytes      uint64        `json:"max_bytes"` // 0: no bound
	MaxAgeSeconds float64       `json:"max_age_seconds"`
}

func (h Hold) forJSON() holdJSON {
	return holdJSON{h.Name, h.Pattern.Text, h.Pattern.Syntax, h.At, h.MaxBytes, h.MaxAge.Seconds()}
}

func (j holdJSON) hold() Hold {
	return Hold{j.Name, Pattern{j.Pattern, j.Syntax}, j.At, j.MaxBytes, fromSeconds(j.MaxAgeSeconds)}
}

// MarshalJSON writes the fields in snake_case. MaxAge is max_age_seconds, and the Pattern is its
// text as pattern and its syntax as syntax.
func (h Hold) MarshalJSON() ([]byte, error) { return json.Marshal(h.forJSON()) }

// UnmarshalJSON reads what MarshalJSON has written.
func (h *Hold) UnmarshalJSON(data []byte) error {
	var read holdJSON
	err := json.Unmarshal(data, &read)
	*h = read.hold()
	return err
}

// holdInfoJSON is the JSON of HoldInfo.
type holdInfoJSON struct {
	holdJSON
	Values  uint64 `json:"values"`
	Bytes   uint64 `json:"bytes"`
	Lost    uint64 `json:"lost"`
	Damaged bool   `json:"damaged"` // lost is a minimum
}

// MarshalJSON writes the fields of the Hold as Hold does, and the others beside them.
func (h HoldInfo) MarshalJSON() ([]byte, error) {
	return json.Marshal(holdInfoJSON{h.Hold.forJSON(), h.Values, h.Bytes, h.Lost, h.Damaged})
}

// UnmarshalJSON reads what MarshalJSON has written.
func (h *HoldInfo) UnmarshalJSON(data []byte) error {
	var read holdInfoJSON
	err := json.Unmarshal(data, &read)
	*h = HoldInfo{read.hold(), read.Values, read.Bytes, read.Lost, read.Damaged}
	return err
}

// LogValue returns the attributes of the hold that tell how its consumer is.
func (h HoldInfo) LogValue() slog.Value {
	return slog.GroupValue(slog.String("name", h.Name), slog.String("at", h.At.String()),
		slog.Uint64("values", h.Values), slog.Uint64("bytes", h.Bytes), slog.Uint64("lost", h.Lost))
}

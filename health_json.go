// SPDX-License-Identifier: Apache-2.0

package daybook

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"time"
)

// This file has the JSON of types whose fields encoding/json would write without their unit, or as
// lists of bytes. What it writes, it reads.

// hexID is an identity that is text in JSON: 32 hexadecimal digits.
type hexID [16]byte

func (id hexID) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, id[:]), nil }

func (id *hexID) UnmarshalText(text []byte) error { return parseHex("identity", id[:], text) }

// parseHex fills dst, an array of bytes with a name, from its hexadecimal digits.
func parseHex(name string, dst, text []byte) error {
	read, err := hex.DecodeString(string(text))
	if err != nil || len(read) != len(dst) {
		return fmt.Errorf("%w: got %s %q; want %d hexadecimal digits", ErrInvalidParams, name, shorten(string(text)),
			hex.EncodedLen(len(dst)))
	}
	copy(dst, read)
	return nil
}

// unmarshal decodes data into read, and sets to to what value makes of it. After an error to is as
// it was, and after null, too: encoding/json wants that of an UnmarshalJSON.
func unmarshal[J, T any](data []byte, read J, to *T, value func(J) (T, error)) error {
	if string(data) == "null" {
		return nil
	}
	if err := json.Unmarshal(data, &read); err != nil {
		return err
	}
	decoded, err := value(read)
	if err == nil {
		*to = decoded
	}
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
	copied := plainStats(s.Clone())
	return unmarshal(data, statsJSON{&copied, hexID(s.Store), hexID(s.Epoch)}, s, func(j statsJSON) (Stats, error) {
		stats := Stats(*j.plainStats)
		stats.Store, stats.Epoch = j.Store, j.Epoch
		return stats, nil
	})
}

// durationsJSON is the JSON of Durations.
type durationsJSON struct {
	Count uint64  `json:"count"`
	Total float64 `json:"total_seconds"`
	Max   float64 `json:"max_seconds"`
}

func (d Durations) forJSON() durationsJSON {
	return durationsJSON{d.Count, d.Total.Seconds(), d.Max.Seconds()}
}

func (j durationsJSON) durations() (Durations, error) {
	total, err := fromSeconds("total_seconds", j.Total)
	if err != nil {
		return Durations{}, err
	}
	longest, err := fromSeconds("max_seconds", j.Max)
	return Durations{j.Count, total, longest}, err
}

// MarshalJSON writes the durations in seconds.
func (d Durations) MarshalJSON() ([]byte, error) { return json.Marshal(d.forJSON()) }

// UnmarshalJSON reads what MarshalJSON has written.
func (d *Durations) UnmarshalJSON(data []byte) error {
	return unmarshal(data, d.forJSON(), d, durationsJSON.durations)
}

// fromSeconds returns a number of seconds as a duration. A float64 cannot tell the longest duration
// from 2^63 ns, so fromSeconds takes that for the longest.
func fromSeconds(name string, seconds float64) (time.Duration, error) {
	const limit = 1 << 63
	nanoseconds := math.Round(seconds * float64(time.Second))
	switch {
	case nanoseconds > limit || nanoseconds < -limit:
		return 0, fmt.Errorf("%w: got %s %g; want seconds of 292 years at most", ErrInvalidParams, name, seconds)
	case nanoseconds == limit:
		return math.MaxInt64, nil
	}
	return time.Duration(nanoseconds), nil
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

func (j holdJSON) hold() (Hold, error) {
	maxAge, err := fromSeconds("max_age_seconds", j.MaxAgeSeconds)
	return Hold{j.Name, Pattern{j.Pattern, j.Syntax}, j.At, j.MaxBytes, maxAge}, err
}

// MarshalJSON writes the fields in snake_case. MaxAge is max_age_seconds, and the Pattern is its
// text as pattern and its syntax as syntax.
func (h Hold) MarshalJSON() ([]byte, error) { return json.Marshal(h.forJSON()) }

// UnmarshalJSON reads what MarshalJSON has written.
func (h *Hold) UnmarshalJSON(data []byte) error { return unmarshal(data, holdJSON{}, h, holdJSON.hold) }

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
	return unmarshal(data, holdInfoJSON{}, h, func(j holdInfoJSON) (HoldInfo, error) {
		hold, err := j.hold()
		return HoldInfo{hold, j.Values, j.Bytes, j.Lost, j.Damaged}, err
	})
}

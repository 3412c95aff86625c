// SPDX-License-Identifier: Apache-2.0

package retention

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/daybook-db/daybook"
)

// policyJSON is the JSON of Policy. Its members are those of a file that ReadPolicy reads.
type policyJSON struct {
	MaxAge   string     `json:"max_age,omitempty"`
	MaxBytes string     `json:"max_bytes,omitempty"`
	Rules    []ruleJSON `json:"rules,omitempty"`
}

// ruleJSON is the JSON of Rule.
type ruleJSON struct {
	Pattern      string `json:"pattern,omitempty"`
	Topic        string `json:"topic,omitempty"`
	MaxAge       string `json:"max_age,omitempty"`
	MaxPerRecord int    `json:"max_per_record,omitempty"`
	KeepNewest   int    `json:"keep_newest,omitempty"`
}

// UnmarshalJSON reads a policy as ParsePolicy does, so that a program's configuration may have one.
// A policy that deletes nothing is no error here: it is {}. Errors: *PolicyError, whose File is
// "the policy", because the line is that in the policy's own text.
func (p *Policy) UnmarshalJSON(data []byte) error {
	if string(data) == "null" { // it changes nothing, as encoding/json wants
		return nil
	}
	policy, err := parseAnyPolicy(data)
	if err == nil {
		*p = policy
	}
	if wrong := (*PolicyError)(nil); errors.As(err, &wrong) {
		wrong.File = "the policy"
	}
	return err
}

// MarshalJSON writes what UnmarshalJSON reads. Errors: those of Validate, and ErrInvalidParams for
// a policy that no file can say, such as one with a MaxAge below a millisecond.
func (p Policy) MarshalJSON() ([]byte, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	j := policyJSON{MaxAge: ageText(p.MaxAge)}
	if p.MaxBytes > 0 {
		j.MaxBytes = fmt.Sprintf("%dB", p.MaxBytes)
	}
	for _, rule := range p.Rules {
		j.Rules = append(j.Rules, rule.forJSON())
	}
	text, err := json.Marshal(j)
	if err != nil {
		return nil, err
	}
	var read Policy
	err = read.UnmarshalJSON(text)
	if err == nil && (read.MaxAge != p.MaxAge || read.MaxBytes != p.MaxBytes || !slices.Equal(read.Rules, p.Rules)) {
		err = fmt.Errorf("it would be read as %+v", read)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: the policy %+v cannot be written: %w", daybook.ErrInvalidParams, p, err)
	}
	return text, nil
}

func (r Rule) forJSON() ruleJSON {
	j := ruleJSON{MaxAge: ageText(r.MaxAge), MaxPerRecord: r.MaxPerRecord, KeepNewest: r.KeepNewest}
	if r.Pattern.Syntax == daybook.Topic {
		j.Topic = r.Pattern.Text
	} else {
		j.Pattern = r.Pattern.Text
	}
	return j
}

// ageText returns an age in the largest unit of which it is a whole number. "": no maximum.
func ageText(age time.Duration) string {
	if age == 0 {
		return ""
	}
	for _, unit := range []struct {
		name string
		of   time.Duration
	}{
		{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}, {"ms", time.Millisecond},
		{"us", time.Microsecond},
	} {
		if age%unit.of == 0 {
			return fmt.Sprintf("%d%s", age/unit.of, unit.name)
		}
	}
	return fmt.Sprintf("%dns", age)
}

// SPDX-License-Identifier: Apache-2.0

package retention

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/xhit/go-str2duration/v2"
	"go.yaml.in/yaml/v3"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/index"
)

// scalar returns the text of a value as it is written.
func scalar(key string, node *yaml.Node) (string, error) {
	if node = resolved(node); node.Kind != yaml.ScalarNode || node.ShortTag() == "!!null" {
		return "", wrongAt(node, key, key+" has no value", "")
	}
	return node.Value, nil
}

func parsePattern(key string, node *yaml.Node) (pattern daybook.Pattern, err error) {
	if pattern.Text, err = scalar(key, node); err != nil {
		return daybook.Pattern{}, err
	}
	if key == "topic" {
		pattern.Syntax = daybook.Topic
	}
	if _, err := index.Compile(pattern); err != nil {
		return daybook.Pattern{}, &PolicyError{Line: node.Line, Key: key, Err: err}
	}
	return pattern, nil
}

var wholeNumber = regexp.MustCompile(`^(0|[1-9][0-9]*)$`)

func parseCount(key string, node *yaml.Node) (int, error) {
	text, err := scalar(key, node)
	if err != nil {
		return 0, err
	}
	count, err := strconv.Atoi(text)
	if err != nil || !wholeNumber.MatchString(text) {
		return 0, wrongValue(node, key, text, "a whole number, 0 or more")
	}
	return count, nil
}

func parseMaxPerRecord(node *yaml.Node) (int, error) {
	const key = "max_per_record"
	count, err := parseCount(key, node)
	if err == nil && count == 0 {
		err = wrongAt(node, key, key+" is 0", "more than 0, or none for any number")
	}
	return count, err
}

func parseMaxAge(node *yaml.Node) (time.Duration, error) {
	const key = "max_age"
	text, err := scalar(key, node)
	if err != nil {
		return 0, err
	}
	age, err := str2duration.ParseDuration(text)
	switch {
	case err != nil:
		return 0, wrongValue(node, key, text,
			"numbers and units (ms, s, m, h, d, w), as in 36h or 7d, 292 years at most")
	case age < time.Millisecond:
		return 0, wrongValue(node, key, text, "more than 0, or none to keep for ever")
	}
	return age, nil
}

func parseMaxBytes(node *yaml.Node) (uint64, error) {
	const key = "max_bytes"
	text, err := scalar(key, node)
	if err != nil {
		return 0, err
	}
	bytes, want := parseSize(text)
	if want != "" {
		return 0, wrongValue(node, key, text, want)
	}
	return bytes, nil
}

// SizeError is the error of ParseSize.
type SizeError struct {
	Text string // the text that is not a size
	Want string // a description of a correct size
}

func (e *SizeError) Error() string { return fmt.Sprintf("%q: want %s", e.Text, e.Want) }

// ParseSize reads a size in bytes for Policy.MaxBytes: a number with a unit, such as 500MB. The
// units are B, kB, MB, GB and so on (powers of 1000), and KiB, MiB, GiB and so on (powers of 1024).
//
// A number without a unit is an error. Its writer probably means kB or MB, and a maximum in bytes
// would empty the backend. A size of 0 is an error because it would delete everything.
// Errors: *SizeError.
func ParseSize(text string) (bytes uint64, err error) {
	bytes, want := parseSize(text)
	if want != "" {
		return 0, &SizeError{Text: text, Want: want}
	}
	return bytes, nil
}

// parseSize reads a size. If it cannot, it returns a description of a correct size.
func parseSize(text string) (bytes uint64, want string) {
	bytes, err := humanize.ParseBytes(text)
	number := strings.TrimSpace(text)
	switch {
	case err != nil:
		return 0, "a number and a unit (B, kB, MB, GB, KiB, MiB, GiB), as in 500MB"
	case bytes == 0:
		return 0, "more than 0, or none for any amount"
	case strings.Trim(number, "0123456789.,") == "":
		return 0, fmt.Sprintf("a unit, as in %[1]sB, %[1]skB or %[1]sMB", number)
	}
	return bytes, ""
}

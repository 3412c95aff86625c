// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/xhit/go-str2duration/v2"

	"github.com/daybook-db/daybook"
)

// topicUsage is the description of --topic, which several commands have.
const topicUsage = "read PATTERN as a topic: * is one level, # any number"

// ageFlag is a flag that takes a duration with days and weeks.
type ageFlag struct {
	text string // as it was given: 30d, which the duration itself would print as 4w2d
	age  time.Duration
}

func (f *ageFlag) String() string { return f.text }
func (f *ageFlag) Type() string   { return "age" }
func (f *ageFlag) Set(text string) error {
	age, err := str2duration.ParseDuration(text)
	if err != nil || age <= 0 {
		return errors.New("want an age such as 90m, 24h, 30d or 4w")
	}
	*f = ageFlag{text, age}
	return nil
}

// choiceFlag is a flag that takes one of a few words.
type choiceFlag struct {
	value   string
	choices []string
}

func (f *choiceFlag) String() string { return f.value }
func (f *choiceFlag) Type() string   { return strings.Join(f.choices, "|") }
func (f *choiceFlag) Set(text string) error {
	if !slices.Contains(f.choices, text) {
		return fmt.Errorf("want one of %s", strings.Join(f.choices, ", "))
	}
	f.value = text
	return nil
}

// refuseUseless returns a usage error if two flags were given of which the first makes the second
// useless.
func refuseUseless(cmd *cobra.Command, flag, useless string) error {
	if cmd.Flags().Changed(flag) && cmd.Flags().Changed(useless) {
		return usagef("--%s does nothing with --%s: leave one of them out", useless, flag)
	}
	return nil
}

// syntaxOf returns the syntax that --topic chooses.
func syntaxOf(topic bool) daybook.PatternSyntax {
	if topic {
		return daybook.Topic
	}
	return daybook.Glob
}

// timeFlag returns the time that a flag has, or nil if the flag was not given.
func timeFlag(
	name, value string, now time.Time, parse func(string, time.Time) (uint64, error),
) (*uint64, error) {
	if value == "" {
		return nil, nil
	}
	ms, err := parse(value, now)
	if err != nil {
		return nil, usagef("%s %w", name, err)
	}
	return &ms, nil
}

// flagError makes a usage error of an error of pflag. For a number or a switch it names the wanted
// form, and for an unknown flag the closest one.
func flagError(cmd *cobra.Command, err error) error {
	if unknown := (*pflag.NotExistError)(nil); errors.As(err, &unknown) {
		return unknownFlag(cmd, unknown)
	}
	var invalid *pflag.InvalidValueError
	var number *strconv.NumError
	if !errors.As(err, &invalid) || !errors.As(err, &number) {
		return usageError{err}
	}
	want := "want a whole number"
	if number.Func == "ParseBool" {
		want = "want true or false"
	}
	name := "--" + invalid.GetFlag().Name
	if short := invalid.GetFlag().Shorthand; short != "" {
		name = "-" + short + ", " + name
	}
	return usagef("invalid argument %q for %q flag: %s", invalid.GetValue(), name, want)
}

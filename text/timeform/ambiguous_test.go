// SPDX-License-Identifier: Apache-2.0

package timeform

import (
	"errors"
	"testing"
	"time"
)

// TestAmbiguousFormat wants the error of dates that may mean several things to name a format that
// reads them. Detect with this format must find the meaning that the error says.
func TestAmbiguousFormat(t *testing.T) {
	for sample, want := range map[string]string{
		"03/04/2024":                "%d/%m/%Y",
		"06/08/22 07:00:00 PM":      "%d/%m/%y %I:%M:%S %p",
		"06/08/22 7:00pm":           "%d/%m/%y %I:%M%p",
		"05/06/2023, 17:01:02":      "%d/%m/%Y, %H:%M:%S",
		"05-06-2023 7:01:02.123":    "%d-%m-%Y %H:%M:%S.%f",
		"7:01 05/06/2023":           "%H:%M %d/%m/%Y",
		"05-06-2023T17:01":          "%d-%m-%YT%H:%M",
		"05/06/2023 17":             "%d/%m/%Y %H",
		"05/06/2023 17:01:02Z":      "%d/%m/%Y %H:%M:%S%z",
		"05/06/2023 17:01:02 +0200": "%d/%m/%Y %H:%M:%S %z",
	} {
		_, err := Detect([]string{sample}, Options{Zone: time.UTC})
		var ambiguous *AmbiguousError
		if !errors.As(err, &ambiguous) || !errors.Is(err, ErrAmbiguous) || ambiguous.Format != want {
			t.Errorf("%q: error %v with %+v; want the format %q", sample, err, ambiguous, want)
			continue
		}
		form, err := Detect([]string{sample}, Options{Zone: time.UTC, Formats: []string{ambiguous.Format}})
		if err != nil {
			t.Errorf("%q with the format %q: %v", sample, ambiguous.Format, err)
			continue
		}
		millis, err := form.NewParser().ParseTime(sample)
		day := time.UnixMilli(int64(millis)).UTC().Format("2006-01-02")
		if err != nil || day != ambiguous.Meaning[:len(day)] {
			t.Errorf("%q with the format %q: %s, %v; want %s", sample, ambiguous.Format, day, err, ambiguous.Meaning)
		}
	}
}

// TestAmbiguousWithoutFormat wants no format that reads only a part of the samples.
func TestAmbiguousWithoutFormat(t *testing.T) {
	_, err := Detect([]string{"03/04/2024 10:00", "03/04/2024 10:00:30"}, Options{Zone: time.UTC})
	var ambiguous *AmbiguousError
	if !errors.As(err, &ambiguous) || ambiguous.Format != "" || len(ambiguous.Meanings) != 2 {
		t.Errorf("error %v with %+v; want two meanings and no format", err, ambiguous)
	}
}

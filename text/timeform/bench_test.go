// SPDX-License-Identifier: Apache-2.0

package timeform

import (
	"testing"

	"github.com/daybook-db/daybook/text"
)

// BenchmarkParseTime reads one time again and again, as the lines of a file have nearly the same.
func BenchmarkParseTime(b *testing.B) {
	for _, bench := range []struct{ name, text, format string }{
		{"RFC 3339", "2024-01-31T23:59:59Z", ""},
		{"RFC 3339 with fraction and offset", "2024-01-31T23:59:59.123456+01:00", ""},
		{"no zone", "2024-01-31 23:59:59", ""},
		{"dots", "31.01.2024 23:59:59", ""},
		{"slashes and PM", "06/13/22 07:00:00 PM", ""},
		{"web server", "02/Jan/2024:15:04:05 +0000", ""},
		{"number", "1764000000123", ""},
		{"strptime", "31.01.2024 23:59", "%d.%m.%Y %H:%M"},
	} {
		b.Run(bench.name, func(b *testing.B) {
			opts := Options{Zone: vienna(b)}
			if bench.format != "" {
				opts.Formats = []string{bench.format}
			}
			f, err := Detect([]string{bench.text}, opts)
			if err != nil {
				b.Fatal(err)
			}
			parseMany(b, f.NewParser(), bench.text)
		})
	}
}

func parseMany(b *testing.B, p text.TimeParser, written string) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.ParseTime(written); err != nil {
			b.Fatal(err)
		}
	}
}

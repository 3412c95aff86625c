// SPDX-License-Identifier: Apache-2.0

package timeform_test

import (
	"fmt"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/text/timeform"
)

// The form of a file's times is found by the first of them, and then reads all.
func Example() {
	samples := []string{"31.12.2024 23:59", "01.01.2025 00:00"}
	form, err := timeform.Detect(samples, timeform.Options{Zone: time.UTC})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(form)
	times := form.NewParser()
	for _, written := range append(samples, "soon") {
		ms, err := times.ParseTime(written)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(daybook.Time(ms))
	}
	// Output:
	// DD.MM.YYYY HH:MM, UTC
	// 2024-12-31 23:59:00 +0000 UTC
	// 2025-01-01 00:00:00 +0000 UTC
	// "soon" is not a time: want DD.MM.YYYY HH:MM
}

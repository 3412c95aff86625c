// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"slices"
	"strings"
	"unicode"
)

// Likelihoods of names.
const (
	weakName   = 1 // a word of it can name a time
	strongName = 2 // it names a time
)

// timeNames are the words that name a time, and weakTimeNames those that may.
var (
	timeNames = strings.Fields("time timestamp timestamps tstamp ts date datetime datestamp epoch datum zeit " +
		"zeitstempel zeitpunkt uhrzeit datumzeit fecha hora fechahora horodate horodatage heure ora " +
		"tijd tijdstip tid dato czas")
	weakTimeNames = strings.Fields("changed updated created received recorded measured observed at when last")
)

// otherDates are words of the names of dates in the life of a person or a thing, when nothing was
// measured.
var otherDates = strings.Fields("birth birthday birthdate born dob geburtsdatum geburtstag naissance nacimiento " +
	"expires expire expiry expiration ablaufdatum install installed installation commissioned calibrated " +
	"calibration warranty manufactured purchased due sunrise sunset moonrise moonset boot booted deleted " +
	"max min maximum minimum peak highest lowest")

// kinship says how much the names of a date and of a time of day are about the same: it counts the
// words that both have, but for those that name a time, and takes off the words of one alone. "UTC
// Date" belongs to "UTC Time", not to "Local Time".
func kinship(date, clock string) (kin int) {
	ofDate, ofClock := wordsOf(date), wordsOf(clock)
	for _, word := range ofDate {
		switch {
		case slices.Contains(timeNames, word):
		case slices.Contains(ofClock, word):
			kin++
		default:
			kin--
		}
	}
	for _, word := range ofClock {
		if !slices.Contains(timeNames, word) && !slices.Contains(ofDate, word) {
			kin--
		}
	}
	return kin
}

// isOtherDate reports whether a name is that of a time which is none of a reading.
func isOtherDate(name string) bool {
	return slices.ContainsFunc(wordsOf(name), func(word string) bool { return slices.Contains(otherDates, word) })
}

// likelihoodOfName says how much the name of a column is that of a time. The words of a name may be
// written as in last_changed or LastChanged.
func likelihoodOfName(name string) int {
	words := wordsOf(name)
	switch {
	case len(words) == 0:
		return 0
	case strings.Contains(strings.ToLower(name), "yyyy"): // as in dd/MM/yyyy
		return strongName
	}
	if slices.Contains(timeNames, strings.Join(words, "")) || slices.Contains(timeNames, words[0]) {
		return strongName
	}
	for _, word := range words {
		if slices.Contains(timeNames, word) || slices.Contains(weakTimeNames, word) {
			return weakName
		}
	}
	return 0
}

func wordsOf(name string) (words []string) {
	const maxName = 100 // a cell may be as long as a file
	if len(name) > maxName {
		return nil
	}
	var word []rune
	flush := func() {
		if len(word) > 0 {
			words = append(words, strings.ToLower(string(word)))
		}
		word = word[:0]
	}
	for _, c := range name {
		switch {
		case !unicode.IsLetter(c):
			flush()
			continue
		case unicode.IsUpper(c) && len(word) > 0 && !unicode.IsUpper(word[len(word)-1]):
			flush()
		}
		word = append(word, c)
	}
	flush()
	return words
}

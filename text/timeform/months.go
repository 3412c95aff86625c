// SPDX-License-Identifier: Apache-2.0

package timeform

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// monthWords are the names of the months, and the usual short ones, in English, German, French,
// Spanish, Italian, Dutch, Portuguese, Danish, Norwegian and Swedish. They have small letters and
// no accents. No word may stand for two months, because a file does not say its language. So there
// is no Polish and no Croatian, in which listopad is November and October.
var monthWords = [12]string{
	"january jan januar jaenner janner jaen janvier janv enero ene gennaio genn gen januari janeiro",
	"february feb februar feber fevrier fevr fev febrero febr febbraio febbr februari fevereiro",
	"march mar marz maerz mrz mars marzo maart mrt marco marts",
	"april apr avril avr abril abr aprile",
	"may mai mayo maggio magg mag mei maio maj",
	"june jun juni juin junio giugno giu junho",
	"july jul juli juil juillet julio luglio lug julho",
	"august aug aout agosto ago augustus augusti",
	"september sep sept septembre septiembre setiembre settembre sett set setembro",
	"october oct oktober okt octobre octubre ottobre ott outubro out",
	"november nov novembre noviembre novembro",
	"december dec dezember dez decembre diciembre dicembre dic dezembro desember des",
}

// weekdayWords may stand before a date, and do not count. The French mar is no such word, because
// it is a month too.
const weekdayWords = "monday mon tuesday tue tues wednesday wed thursday thu thur thurs friday fri " +
	"saturday sat sunday sun " +
	"montag mo dienstag di mittwoch mi donnerstag do freitag fr samstag sa sonnabend sonntag so " +
	"lundi lun mardi mercredi mer jeudi jeu vendredi ven samedi sam dimanche dim " +
	"lunes martes miercoles mie jueves jue viernes vie sabado sab domingo dom " +
	"lunedi martedi mercoledi giovedi gio venerdi sabato domenica " +
	"maandag ma dinsdag woensdag wo donderdag vrijdag vr zaterdag za zondag zo " +
	"segunda seg terca ter quarta qua quinta qui sexta sex"

// clockWords may stand between a date and its time of day, as at does.
const clockWords = "at um a om alle as kl"

var (
	monthOfWord = numbersOfWords(monthWords[:])
	isWeekday   = numbersOfWords([]string{weekdayWords})
	isClockWord = numbersOfWords([]string{clockWords})
)

// numbersOfWords returns for each word the number of its line, counted from 1.
func numbersOfWords(lines []string) map[string]int {
	numbers := make(map[string]int)
	for i, line := range lines {
		for word := range strings.FieldsSeq(line) {
			numbers[word] = i + 1
		}
	}
	return numbers
}

// maxWord is the number of letters of the longest word.
const maxWord = 12

// find returns the number of a word in any case, with or without its accents, or 0.
func find(word string, numbers map[string]int) int {
	var plain [maxWord]byte
	n := 0
	for _, letter := range word {
		letter = plainLetter(letter)
		switch {
		case letter == 0:
			continue
		case letter >= utf8.RuneSelf || n == maxWord:
			return 0
		}
		plain[n] = byte(letter)
		n++
	}
	return numbers[string(plain[:n])]
}

// plainLetter returns a small letter without its accent, and 0 for an accent that is a character of
// its own.
func plainLetter(letter rune) rune {
	if letter < utf8.RuneSelf {
		return letter | 0x20
	}
	switch unicode.ToLower(letter) {
	case 'á', 'à', 'â', 'ä', 'ã':
		return 'a'
	case 'ç':
		return 'c'
	case 'é', 'è', 'ê', 'ë':
		return 'e'
	case 'í', 'ì', 'î':
		return 'i'
	case 'ó', 'ò', 'ö':
		return 'o'
	case 'ú', 'ù', 'û', 'ü':
		return 'u'
	}
	if unicode.Is(unicode.Mn, letter) {
		return 0
	}
	return letter
}

// letters reads letters of any language, and accents that are characters of their own.
func (s *cursor) letters() string {
	start := s.at
	for s.at < len(s.text) {
		if isLetter(s.text[s.at]) {
			s.at++
			continue
		}
		letter, width := utf8.DecodeRuneInString(s.text[s.at:])
		if letter < utf8.RuneSelf || !unicode.IsLetter(letter) && !unicode.Is(unicode.Mn, letter) {
			break
		}
		s.at += width
	}
	return s.text[start:s.at]
}

// isEnglish reports whether a word is the English name of a month.
func isEnglish(word string) bool { return indexOfName(word, monthNames[:]) >= 0 }

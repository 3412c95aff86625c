// SPDX-License-Identifier: Apache-2.0

package timeform

import (
	"fmt"
	"strings"
	"testing"
)

// TestMonthsOfLanguages wants that the names of the months of each language are read, in their
// usual forms and in any case.
func TestMonthsOfLanguages(t *testing.T) {
	languages := map[string]string{ // twelve whole names, and twelve short ones
		"German": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember " +
			"Jan. Feb. Mär. Apr. Mai Jun. Jul. Aug. Sep. Okt. Nov. Dez.",
		"German of Austria": "Jänner Feber März April Mai Juni Juli August September Oktober November Dezember " +
			"Jän. Feb. Mrz. Apr. Mai Juni Juli Aug. Sept. Okt. Nov. Dez.",
		"German without umlauts": "Jaenner Februar Maerz April Mai Juni Juli August September Oktober November " +
			"Dezember Jan Feb Mrz Apr Mai Jun Jul Aug Sep Okt Nov Dez",
		"French": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre " +
			"janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc.",
		"French without accents": "janvier fevrier mars avril mai juin juillet aout septembre octobre novembre " +
			"decembre janv fev mars avr mai juin juil aout sept oct nov dec",
		"French, accents apart": "janvier fe\u0301vrier mars avril mai juin juillet aou\u0302t septembre octobre " +
			"novembre de\u0301cembre jan fe\u0301v. mars avr mai juin juil aou\u0302t sep oct nov de\u0301c.",
		"Spanish": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre " +
			"ene. feb. mar. abr. may. jun. jul. ago. sept. oct. nov. dic.",
		"Italian": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre " +
			"gen feb mar apr mag giu lug ago set ott nov dic",
		"Dutch": "januari februari maart april mei juni juli augustus september oktober november december " +
			"jan. feb. mrt. apr. mei jun. jul. aug. sep. okt. nov. dec.",
		"Portuguese": "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro " +
			"jan. fev. mar. abr. mai. jun. jul. ago. set. out. nov. dez.",
		"Danish": "januar februar marts april maj juni juli august september oktober november december " +
			"jan. feb. mar. apr. maj jun. jul. aug. sep. okt. nov. dec.",
		"Norwegian": "januar februar mars april mai juni juli august september oktober november desember " +
			"jan. feb. mars apr. mai juni juli aug. sep. okt. nov. des.",
		"Swedish": "januari februari mars april maj juni juli augusti september oktober november december " +
			"jan. feb. mars apr. maj juni juli aug. sep. okt. nov. dec.",
		"English": "January February March April May June July August September October November December " +
			"Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec",
	}
	for language, names := range languages {
		for i, name := range strings.Fields(names) {
			for _, text := range []string{name, strings.ToUpper(name), strings.ToLower(name)} {
				for _, form := range []string{"17. %s 2024", "17 %s 2024", "17-%s-2024", "17/%s/2024", "%s 17, 2024"} {
					var c civil
					sample := fmt.Sprintf(form, text)
					ok := layout{order: named}.read(sample, &c)
					if !ok || c.year != 2024 || c.month != i%12+1 || c.day != 17 {
						t.Errorf("%s: %q is %v, month %d; want %d", language, sample, ok, c.month, i%12+1)
					}
				}
			}
		}
	}
}

// TestMonthsAreDistinct wants that no word stands for two months, in whatever language.
func TestMonthsAreDistinct(t *testing.T) {
	month := make(map[string]int)
	for i, words := range monthWords {
		for word := range strings.FieldsSeq(words) {
			if was, taken := month[word]; taken {
				t.Errorf("%q is month %d and month %d", word, was, i+1)
			}
			month[word] = i + 1
			if len(word) > maxWord || find(word, isWeekday) > 0 {
				t.Errorf("%q has more than %d letters, or is a weekday too", word, maxWord)
			}
		}
	}
}

func TestDatesOfLanguages(t *testing.T) {
	const inVienna, name = ", Europe/Vienna", "dates with the name of a month"
	tests := []struct {
		text, form, want string
		reason           string // why the row is here
	}{
		{"12. März 2026 14:05", name + " HH:MM" + inVienna, "2026-03-12T13:05:00Z", "German"},
		{"Do., 12. März 2026, 14:05 Uhr", name + " HH:MM" + inVienna, "2026-03-12T13:05:00Z", "a weekday before it"},
		{"12. März 2026 um 14:05:06", name + " HH:MM:SS" + inVienna, "2026-03-12T13:05:06Z", "a word before the time"},
		{"2 Jänner 2024", name + inVienna, "2024-01-01T23:00:00Z", "a month of Austria"},
		{"12.Mrz.2026 14:05", name + " HH:MM" + inVienna, "2026-03-12T13:05:00Z", "dots without blanks"},
		{"3 févr. 2026 08:00", name + " HH:MM" + inVienna, "2026-02-03T07:00:00Z", "French"},
		{"mercredi 1er avril 2026 à 08:00", name + " HH:MM" + inVienna, "2026-04-01T06:00:00Z", "the first of a month"},
		{"05-ene-2026 10:00", name + " HH:MM" + inVienna, "2026-01-05T09:00:00Z", "Spanish"},
		{"05-ene.-26 10:00", name + " HH:MM" + inVienna, "2026-01-05T09:00:00Z", "a short year"},
		{"5 de enero de 2026 10:00", name + " HH:MM" + inVienna, "2026-01-05T09:00:00Z", "Spanish for people"},
		{"05/mag/2026 10:00:00+02:00", name + " HH:MM:SS with a zone", "2026-05-05T08:00:00Z", "Italian"},
		{"5 mrt. 2026 10:00", name + " HH:MM" + inVienna, "2026-03-05T09:00:00Z", "Dutch"},
		{"1º de março de 2026", name + inVienna, "2026-02-28T23:00:00Z", "Portuguese"},
		{"2026-out-05", name + inVienna, "2026-10-04T22:00:00Z", "the year first"},
		{"March 12, 2026 at 2:05 PM", "English dates HH:MM AM/PM" + inVienna, "2026-03-12T13:05:00Z",
			"English for people"},
	}
	for _, test := range tests {
		t.Run(test.text, func(t *testing.T) {
			form, got, err := readOne(t, test.text)
			if err != nil || form != test.form || got != test.want {
				t.Errorf("%s: %q gives %s, %v, as %q; want %s as %q",
					test.reason, test.text, got, err, form, test.want, test.form)
			}
		})
	}
}

// TestTextsLikeMonths wants that texts are no times that only look like dates of another language.
func TestTextsLikeMonths(t *testing.T) {
	for text, reason := range map[string]string{
		"3 set 12":             "sets and repeats of an exercise, and no September of 2012",
		"3. set 12":            "the same with a dot",
		"5 out 10":             "five of ten",
		"mar. 3 févr. 2026":    "mar is Tuesday in French, and March",
		"12 listopad 2026":     "November in Polish, October in Croatian",
		"12 marzec 2026":       "a language that is not known",
		"März 2026":            "no day",
		"mai 20 26":            "a short year after the month of another language",
		"12 m\u0308arz\u0308x": "accents where no letter has them",
		"12. März":             "no year",
		"31. Juni 2026":        "June has 30 days",
		"29. Feb. 2025":        "this February has 28",
		"12 juiv 2026":         "no month",
		"12 ju 2026":           "may be June and July",
		"1er mars":             "no year after an ordinal",
		"2er mars 2026":        "an ordinal that no day has",
		"12 de 2026":           "no month after de",
		"12 марта 2026":        "letters of another script",
	} {
		if got := layoutsOf(text); len(got) > 0 {
			t.Errorf("%s: %q has the layouts %v; want none", reason, text, got)
		}
	}
}

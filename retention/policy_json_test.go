// SPDX-License-Identifier: Apache-2.0

package retention_test

import (
	"encoding/json"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/retention"
)

// TestPolicyInAConfiguration reads policies that are a part of a larger JSON text, by the rules for
// a policy file.
func TestPolicyInAConfiguration(t *testing.T) {
	var config struct {
		Retention retention.Policy `json:"retention"`
	}
	err := json.Unmarshal([]byte(`{"retention": {"max_age": "7d"}}`), &config)
	if want := (retention.Policy{MaxAge: 7 * 24 * time.Hour}); err != nil || !cmp.Equal(config.Retention, want) {
		t.Errorf("got %+v, %v; want %+v", config.Retention, err, want)
	}
	for _, test := range []struct{ text, key, reason string }{
		{`{"max_agee": "1h"}`, "max_agee", "a typing error must not drop a limit"},
		{`{"MaxAge": 3600}`, "MaxAge", "the name of the field is no key"},
		{`{"max_age": 3600}`, "max_age", "an age has a unit"},
		{`{"rules": [{"pattern": "a", "max_per_record": 0}]}`, "max_per_record", "0 could mean two things"},
	} {
		err := json.Unmarshal([]byte(`{"retention":`+test.text+`}`), &config)
		if wrong := (*retention.PolicyError)(nil); !errors.As(err, &wrong) || wrong.Key != test.key ||
			wrong.File != "the policy" {
			t.Errorf("%s: got %v; want a PolicyError about %s: %s", test.text, err, test.key, test.reason)
		}
		if config.Retention.MaxAge != 7*24*time.Hour {
			t.Errorf("%s changed the policy to %+v", test.text, config.Retention)
		}
	}
	if err := json.Unmarshal([]byte(`{"retention": null}`), &config); err != nil || config.Retention.MaxAge == 0 {
		t.Errorf("null: %v, and the policy %+v; want no change", err, config.Retention)
	}
}

// TestPolicyAsJSON wants each policy back as it was, or an error of MarshalJSON.
func TestPolicyAsJSON(t *testing.T) {
	for _, policy := range []retention.Policy{
		{},
		{MaxAge: 7 * 24 * time.Hour, MaxBytes: 500_000_001},
		{MaxAge: math.MaxInt64, MaxBytes: math.MaxUint64},
		{MaxAge: 90 * time.Minute, Rules: []retention.Rule{
			{Pattern: daybook.Pattern{Text: `a<&>"\\*ä é`}, MaxAge: 1500 * time.Microsecond, KeepNewest: 2},
			{Pattern: daybook.Pattern{Text: "plant.#", Syntax: daybook.Topic}, MaxPerRecord: 3},
			{Pattern: daybook.Pattern{Text: "012"}},
		}},
	} {
		text, err := json.Marshal(policy)
		if err != nil {
			t.Errorf("%+v: %v", policy, err)
			continue
		}
		var got retention.Policy
		if err := json.Unmarshal(text, &got); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if diff := cmp.Diff(policy, got); diff != "" {
			t.Errorf("from %s (-want +got):\n%s", text, diff)
		}
	}
	for _, policy := range []retention.Policy{{MaxAge: -1}, {MaxAge: 1}} {
		if text, err := json.Marshal(policy); !errors.Is(err, daybook.ErrInvalidParams) {
			t.Errorf("%+v: got %s, %v; want ErrInvalidParams", policy, text, err)
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/backendtest"
)

func TestKeeper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		policy, err := readPolicy("")
		if err != nil {
			t.Fatal(err)
		}
		memory := backendtest.NewMemory()
		status := quiet()
		stop := start(t, newKeeper(memory, policy, status).Run)
		for _, name := range []string{"sensor.boiler", "alarm.boiler", "config.alarms"} {
			if err := daybook.StoreAs(t.Context(), memory, name, 1, daybook.Now()); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(31 * 24 * time.Hour)
		stop()
		if diff := cmp.Diff([]string{"alarm.boiler 1", "config.alarms 1"}, values(t, memory, "*")); diff != "" {
			t.Errorf("after 31 days (-want +got):\n%s", diff)
		}
		hourAgo := daybook.Timestamp(time.Now().Add(-time.Hour))
		if got := status.all()["keeper"]; got.Error != "" || got.WorkedAt < hourAgo {
			t.Errorf("the status is %+v; want a sweep in the last hour", got)
		}
	})
}

func TestRulesInAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(path, []byte("max_age: 7d\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	policy, err := readPolicy(path)
	if err != nil || policy.MaxAge != 7*24*time.Hour {
		t.Errorf("the policy is %+v, %v; want a maximum of 7 days", policy, err)
	}
	if err := os.WriteFile(path, []byte("max_agee: 7d\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readPolicy(path); err == nil || !strings.Contains(err.Error(), "rules.yaml: line 1") {
		t.Errorf("a wrong key: %v; want an error that names its line", err)
	}
}

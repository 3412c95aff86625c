// SPDX-License-Identifier: Apache-2.0

package index

import (
	"os/exec"
	"strings"
	"testing"
)

// TestNoBbolt: a program that uses patterns or retention without the embedded engine does not link
// bbolt.
func TestNoBbolt(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".", "../retention").CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, out)
	}
	packages := strings.Fields(string(out))
	if len(packages) < 10 {
		t.Fatalf("go list prints %d packages: %s", len(packages), out)
	}
	for _, name := range packages {
		if strings.HasPrefix(name, "go.etcd.io/bbolt") {
			t.Errorf("index or retention imports %s", name)
		}
	}
}

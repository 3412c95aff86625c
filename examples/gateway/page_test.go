// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os/exec"
	"strings"
	"testing"
)

// browser is as much of one as the page needs. An event arrives before the answer of /latest, which
// is older.
const browser = `
const rows = [];
let source, answer;
globalThis.document = { getElementById: () => ({ insertRow() {
  const row = { cells: [], replaceChildren() { this.cells = []; } };
  row.insertCell = () => row.cells[row.cells.push({}) - 1];
  rows.push(row);
  return row;
} }) };
globalThis.EventSource = class { constructor() { source = this; } };
globalThis.fetch = () => new Promise((resolve) => {
  answer = (values) => resolve({ ok: true, json: async () => values });
});
PAGE
source.onopen?.();
source.onmessage({ data: '{"record_name":"live","value":2,"stored_at":2000}' });
answer([
  { record_name: "live", value: 1, stored_at: 1000 },
  { record_name: "quiet", value: 7, stored_at: 500 },
]);
setTimeout(() => console.log(rows.map((row) => row.cells[0].textContent + row.cells[1].textContent).join()), 10);
`

func TestPageKeepsNewerRows(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("needs node, to run the script of the page")
	}
	_, page, _ := strings.Cut(string(livePage), "<script>")
	page, _, _ = strings.Cut(page, "</script>")
	program := exec.CommandContext(t.Context(), node, "-e", strings.Replace(browser, "PAGE", "{"+page+"}", 1))
	output, err := program.CombinedOutput()
	if got := strings.TrimSpace(string(output)); err != nil || got != "live2,quiet7" {
		t.Errorf("the page shows %s, %v; want live2,quiet7", got, err)
	}
}

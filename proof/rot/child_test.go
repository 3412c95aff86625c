// SPDX-License-Identifier: Apache-2.0

package rot

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

// patience is the longest time that a case may take. It usually takes milliseconds, but the machine
// may be busy.
const patience = 90 * time.Second

// child is a process that runs cases. A case may end it, and then the next case starts another one.
type child struct {
	victims string // directory
	command *exec.Cmd
	in      io.WriteCloser
	replies chan []byte  // closed when the process has ended
	stdout  bytes.Buffer // all output except for the replies; written until replies is closed
	stderr  bytes.Buffer
}

func (c *child) start() error {
	c.stdout.Reset()
	c.stderr.Reset()
	c.command = exec.Command(os.Args[0], "-test.run=^TestWorker$", "-test.timeout=0")
	c.command.Env = append(os.Environ(), workerEnv+"="+c.victims)
	c.command.Stderr = &c.stderr
	in, err := c.command.StdinPipe()
	if err != nil {
		return err
	}
	out, err := c.command.StdoutPipe()
	if err != nil {
		return err
	}
	c.in, c.replies = in, make(chan []byte)
	go c.receive(out)
	return c.command.Start()
}

// receive passes the replies on until the process ends.
func (c *child) receive(out io.Reader) {
	defer close(c.replies)
	for lines := bufio.NewReader(out); ; {
		line, err := lines.ReadBytes('\n')
		if reply, ok := bytes.CutPrefix(line, []byte(replyMark)); ok && err == nil {
			c.replies <- reply
		} else if c.stdout.Write(line); err != nil {
			return
		}
	}
}

// stop ends the process, or waits for its end if it is dying.
func (c *child) stop() {
	if c.command == nil {
		return
	}
	c.in.Close()
	for range c.replies { // until the process has ended
	}
	_ = c.command.Wait()
	c.command = nil
}

// run runs a case in the process and returns the findings.
func (c *child) run(damage *damageCase) []finding {
	if c.command == nil {
		if err := c.start(); err != nil {
			return []finding{{processDied, err.Error()}}
		}
	}
	line, err := json.Marshal(damage)
	if err != nil {
		return []finding{{processDied, err.Error()}}
	}
	_, _ = c.in.Write(append(line, '\n')) // if this fails, the process has ended, and replies is closed
	select {
	case reply, ok := <-c.replies:
		if !ok {
			return []finding{{processDied, c.lastWords()}}
		}
		var r workerReply
		if err := json.Unmarshal(reply, &r); err != nil {
			return []finding{{processDied, err.Error()}}
		}
		return r.Findings
	case <-time.After(patience):
		process := c.command.Process
		_ = process.Signal(syscall.SIGQUIT) // the process prints its stacks
		time.AfterFunc(time.Second, func() { _ = process.Kill() })
		return []finding{{hangs, c.lastWords()}}
	}
}

// lastWords waits for the end of the process and returns its output. Of the goroutines, it returns
// only those that were in the engine.
func (c *child) lastWords() string {
	c.stop()
	blocks := strings.Split(c.stderr.String()+c.stdout.String(), "\n\n")
	for i, block := range blocks[1:] {
		if !strings.Contains(block, "daybook/engine") {
			blocks[i+1] = ""
		}
	}
	words := strings.Join(slices.DeleteFunc(blocks, func(block string) bool { return block == "" }), "\n\n")
	return words[:min(len(words), 4000)]
}

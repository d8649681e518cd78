package main

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/whystuck/whystuck/scripts/truth/cases"
)

// guideShells run each script of the guide: what a reader's image may have as
// its /bin/sh.
var guideShells = map[string]string{"dash": "#!/bin/dash", "bash": "#!/bin/bash", "ash": "#!/bin/busybox sh"}

// guideCases makes cases of the scripts in the guide: the blocks that begin with
// "# entrypoint: NAME", or with that line after "#!/bin/sh".
func guideCases(path string) ([]cases.Case, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintf(os.Stderr, "truth: %s is not there, its scripts are left out\n", path)
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the guide: %w", err)
	}
	defer f.Close()
	var all []cases.Case
	var block []string
	inside := false
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := lines.Text()
		switch {
		case strings.HasPrefix(strings.TrimSpace(line), "```"):
			if inside {
				all = append(all, guideBlock(block)...)
			}
			inside, block = !inside, nil
		case inside:
			block = append(block, line)
		}
	}
	return all, nil
}

// guideBlock gives the cases of one block, none when it is no script. The line
// "# expect: VERDICT" is what the guide promises; it is held to it.
func guideBlock(block []string) []cases.Case {
	name, expect := "", ""
	var body []string
	for _, line := range block {
		if n, ok := strings.CutPrefix(line, "# entrypoint:"); ok && name == "" {
			name = strings.TrimSpace(n)
		} else if e, ok := strings.CutPrefix(line, "# expect:"); ok {
			expect = strings.TrimSpace(e)
		} else if !strings.HasPrefix(line, "#!") {
			body = append(body, line)
		}
	}
	if name == "" {
		return nil
	}
	var all []cases.Case
	for shell, first := range guideShells {
		if strings.HasPrefix(block[0], "#!") && strings.Contains(block[0], "bash") && shell != "bash" {
			continue // a script that says it needs bash
		}
		all = append(all, cases.Guide(name, shell, first+"\n"+strings.Join(body, "\n")+"\n", expect))
	}
	return all
}

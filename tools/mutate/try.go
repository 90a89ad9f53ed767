package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// tally counts what became of mutants.
type tally struct{ killed, survived, explained int }

func (t *tally) add(o tally) {
	t.killed += o.killed
	t.survived += o.survived
	t.explained += o.explained
}

// try runs the suite's tests on mutants until o.n of them were judged.
func try(
	ctx context.Context, w io.Writer, s suite, mutants []mutant, explained map[string]bool, o options,
) (tally, error) {
	var t tally
	for _, m := range mutants {
		if o.n > 0 && t.killed+t.survived >= o.n {
			break
		}
		if explained[m.key()] {
			t.explained++
			continue
		}
		v, err := judge(ctx, s, m, o)
		if err != nil {
			return t, err
		}
		switch v {
		case killed:
			t.killed++
		case survived:
			t.survived++
			fmt.Fprintf(w, "SURVIVED %s\n", m)
		}
	}
	return t, nil
}

// A verdict is what the tests say of a mutant.
type verdict int

const (
	killed      verdict = iota // A test failed, or did not end.
	survived                   // All tests passed.
	noCompiling                // It was no program.
)

// judge compiles the mutant in the place of the file and runs the suite's tests, one
// package after the other, until one fails.
func judge(ctx context.Context, s suite, m mutant, o options) (verdict, error) {
	dir, err := os.MkdirTemp("", "mutate-")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	overlay, err := writeOverlay(dir, m)
	if err != nil {
		return 0, err
	}

	if out, err := goTool(ctx, "build", "-tags", "invariants", "-overlay", overlay, "./"+filepath.Dir(m.file)); err != nil {
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		if len(out) == 0 {
			return 0, fmt.Errorf("go build: %w", err)
		}
		return noCompiling, nil
	}
	for _, tests := range s.tests {
		out, err := goTool(ctx, "test", "-vet=off", "-tags", "invariants", "-failfast", "-count=1",
			"-timeout", o.timeout.String(), "-overlay", overlay, tests)
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		if err == nil {
			continue
		}
		if strings.Contains(string(out), "[build failed]") {
			return noCompiling, nil
		}
		return killed, nil
	}
	return survived, nil
}

// writeOverlay writes the broken file and the description of it that the go command
// wants, and returns the latter's name.
func writeOverlay(dir string, m mutant) (string, error) {
	original, err := filepath.Abs(m.file)
	if err != nil {
		return "", err
	}
	source, err := os.ReadFile(original)
	if err != nil {
		return "", err
	}
	if m.to > len(source) || string(source[m.from:m.to]) != m.old {
		return "", fmt.Errorf("%s changed while it was looked at", m.file)
	}
	broken := filepath.Join(dir, "broken.go")
	text := string(source[:m.from]) + m.new + string(source[m.to:])
	if err := os.WriteFile(broken, []byte(text), 0o600); err != nil {
		return "", err
	}
	description, err := json.Marshal(map[string]any{"Replace": map[string]string{original: broken}})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(dir, "overlay.json")
	return overlay, os.WriteFile(overlay, description, 0o600)
}

func goTool(ctx context.Context, args ...string) ([]byte, error) {
	return exec.CommandContext(ctx, "go", args...).CombinedOutput()
}

// readExplained reads the keys of survivors that make no difference: lines of
// "file | function | what | old text", the reason in a comment above.
func readExplained(file string) (map[string]bool, error) {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	keys := make(map[string]bool)
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line != "" && !strings.HasPrefix(line, "#") {
			keys[line] = true
		}
	}
	return keys, lines.Err()
}

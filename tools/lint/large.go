package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// maxFileBytes bounds a file of the repository. It holds sources and pictures: what is larger is a program that
// was built in the wrong place, and stays in the history for ever.
const maxFileBytes = 1 << 20

// large finds files that git has and that are too large for it.
func large(root string) (breaches []string, err error) {
	cmd := exec.Command("git", "ls-files", "-z")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("git ls-files: %w", err)
	}
	for name := range bytes.SplitSeq(bytes.TrimSuffix(out, []byte{0}), []byte{0}) {
		info, err := os.Lstat(filepath.Join(root, string(name)))
		if err == nil && info.Mode().IsRegular() && info.Size() > maxFileBytes {
			breaches = append(breaches, fmt.Sprintf("%s: %d bytes, and at most %d are let through: take it out of git", name,
				info.Size(), maxFileBytes))
		}
	}
	return breaches, nil
}

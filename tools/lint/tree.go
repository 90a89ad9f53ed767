package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// eachFile calls f with the path and the text of every file below root whose name ends in one of the
// suffixes. It passes over what is built (bin), the data of clusters that somebody tried (data),
// packages for browsers (node_modules) and hidden directories.
func eachFile(root string, f func(path string, text []byte) error, suffixes ...string) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		name := d.Name()
		if err != nil {
			return err
		}
		if d.IsDir() {
			if path != root && (name == "bin" || name == "data" || name == "node_modules" || name[0] == '.') {
				return filepath.SkipDir
			}
			return nil
		}
		for _, s := range suffixes {
			if strings.HasSuffix(name, s) {
				text, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				return f(path, text)
			}
		}
		return nil
	})
}

package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// devState is what a running `cairn dev` leaves for the admin commands.
type devState struct {
	target
	Endpoints []string `json:"endpoints"` // Of all nodes.
	PID       int      `json:"pid"`
	Dir       string   `json:"dir"`
}

// devStateDir is where each dev cluster of this user has a file of its own.
func devStateDir() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "cairn", "dev"), nil
}

// writeDevState makes this dev cluster findable; the result removes it again.
func writeDevState(s devState) (remove func(), err error) {
	dir, err := devStateDir()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	name := sha256.Sum256([]byte(s.Dir))
	path := filepath.Join(dir, hex.EncodeToString(name[:8])+".json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return nil, err
	}
	return func() {
		if cur, ok := readDevState(path); ok && cur.PID == s.PID {
			_ = os.Remove(path)
		}
	}, nil
}

func readDevState(path string) (devState, bool) {
	var s devState
	text, err := os.ReadFile(path)
	if err != nil || json.Unmarshal(text, &s) != nil {
		return s, false
	}
	return s, true
}

// runningDevs returns the dev clusters of this user that run on this machine.
func runningDevs() (running []devState) {
	dir, err := devStateDir()
	if err != nil {
		return nil
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil
	}
	for _, path := range files {
		if s, ok := readDevState(path); ok && s.runs() {
			running = append(running, s)
		}
	}
	return running
}

// runs reports whether the cluster runs: its process is there and has the directory. The
// number of a process that has ended may be another's.
func (s *devState) runs() bool {
	if s.PID <= 0 || syscall.Kill(s.PID, 0) != nil {
		return false
	}
	unlock, err := lockDir(s.Dir)
	if err == nil {
		unlock()
	}
	return err != nil && !errors.Is(err, os.ErrNotExist)
}

// fillFromDev fills what is open from a running dev cluster: the only one, or the one
// whose endpoint was given. Of several none is taken for the one that was meant.
func (t *target) fillFromDev(running []devState) error {
	if t.Endpoint != "" {
		given := strings.TrimRight(t.Endpoint, "/")
		for _, s := range running {
			if slices.Contains(s.Endpoints, given) {
				t.fill(s.target)
				return nil
			}
		}
		return nil
	}
	if len(running) > 1 {
		var list []string
		for _, s := range running {
			list = append(list, fmt.Sprintf("%s (%s)", s.target.Endpoint, s.Dir))
		}
		slices.Sort(list)
		return &statusError{exitUsage, fmt.Errorf("%d dev clusters run: say which one with --endpoint or CAIRN_ENDPOINT: %s",
			len(running), strings.Join(list, ", "))}
	}
	for _, s := range running {
		t.fill(s.target)
	}
	return nil
}

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
)

// devLayout is what a dev cluster keeps of itself: its shape and the internal
// ports that were free when it was made.
type devLayout struct {
	Nodes  int        `json:"nodes"`
	Drives int        `json:"drives"`
	Ports  []devPorts `json:"ports"`
}

type devPorts struct {
	RPC    int `json:"rpc"`
	Raft   int `json:"raft"`
	Gossip int `json:"gossip"`
}

// loadLayout reads the layout in dir, or makes one. The shape of an existing
// cluster cannot be changed here.
func loadLayout(dir string, nodes, drives int) (devLayout, error) {
	var l devLayout
	path := filepath.Join(dir, "dev.json")
	text, err := os.ReadFile(path)
	switch {
	case err == nil:
		if err := json.Unmarshal(text, &l); err != nil {
			return l, fmt.Errorf("%s: %w", path, err)
		}
		if l.Nodes != nodes || l.Drives != drives {
			return l, &statusError{exitUsage, fmt.Errorf(
				"%s holds a cluster of %d nodes with %d drive(s) each; start it with --nodes %d --drives %d, or name another --data",
				dir, l.Nodes, l.Drives, l.Nodes, l.Drives)}
		}
		return l, nil
	case !errors.Is(err, os.ErrNotExist):
		return l, err
	}
	l = devLayout{Nodes: nodes, Drives: drives, Ports: make([]devPorts, nodes)}
	ports, err := freePorts(3 * nodes)
	if err != nil {
		return l, err
	}
	for i := range l.Ports {
		l.Ports[i] = devPorts{ports[3*i], ports[3*i+1], ports[3*i+2]}
	}
	if text, err = json.MarshalIndent(l, "", "  "); err != nil {
		return l, err
	}
	return l, os.WriteFile(path, append(text, '\n'), 0o644)
}

// freePorts returns n ports of the loopback interface that nothing listens on,
// neither by TCP nor by UDP.
func freePorts(n int) ([]int, error) {
	var held []net.Listener
	defer func() {
		for _, l := range held {
			_ = l.Close()
		}
	}()
	ports := make([]int, 0, n)
	for tries := 0; len(ports) < n; tries++ {
		if tries > 10*n {
			return nil, errors.New("no free ports on 127.0.0.1")
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		held = append(held, l)
		port := l.Addr().(*net.TCPAddr).Port
		u, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
		if err != nil {
			continue
		}
		_ = u.Close()
		ports = append(ports, port)
	}
	return ports, nil
}

// lockDir keeps a second dev cluster out of the directory. The lock goes with
// the process.
func lockDir(dir string) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("%s is in use by another cairn dev; stop that one or name another --data", dir)
	}
	return func() { _ = f.Close() }, nil
}

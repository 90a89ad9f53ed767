package main

import (
	"fmt"
	"net"
	"strconv"
)

const (
	consoleFlag = "console"
	consolePort = 9004
	// consoleTries is how many ports after consolePort are looked at.
	consoleTries = 200
)

// consoleAddr returns where the console is to be; empty: nowhere. Where nobody has said, it is the first
// free port from consolePort on, on the host of the S3 listeners. Those begin at a port.
func (o *devOptions) consoleAddr(host string, s3 int) (string, error) {
	if o.consoleGiven {
		return o.console, nil
	}
	for port := consolePort; port < consolePort+consoleTries; port++ {
		if port >= s3 && port < s3+o.nodes {
			continue // The nodes do not listen yet.
		}
		addr := net.JoinHostPort(host, strconv.Itoa(port))
		l, err := net.Listen("tcp", addr)
		if err != nil {
			continue
		}
		return addr, l.Close()
	}
	return "", &statusError{exitUsage,
		fmt.Errorf("--console: no port from %d to %d is free on %q; name an address, or give --console '' "+
			"for none",
			consolePort, consolePort+consoleTries-1, host)}
}

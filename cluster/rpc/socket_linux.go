package rpc

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// setSocketOptions makes a connection to a machine that vanished fail soon, even
// while bytes are in flight; the kernel's default is a quarter of an hour.
// Accepted connections inherit it from their listener.
func setSocketOptions(network, _ string, c syscall.RawConn) error {
	if network == "unix" {
		return nil
	}
	return c.Control(func(fd uintptr) {
		// A kernel without the option is no reason not to connect.
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(unackedTimeout.Milliseconds()))
	})
}

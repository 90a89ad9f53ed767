package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	maxFrame  = 64 << 10
	inFlight  = 4096 // How many frames a cable holds in each direction. More are lost.
	tunDevice = "/dev/net/tun"
)

// cable is a pair of network devices. This program carries frames from one to the other, with a delay
// if it is told to. On any kernel it does what netem does on those that have it. It ends with the
// program.
type cable struct {
	ends   [2]*os.File
	delay  atomic.Int64 // Nanoseconds.
	jitter atomic.Int64 // How far the delay of a frame may be off at random, either way. Nanoseconds.
}

// newCable makes the devices a and b in the program's namespace.
func newCable(a, b string) (*cable, error) {
	c := &cable{}
	for i, name := range []string{a, b} {
		f, err := tap(name)
		if err != nil {
			return nil, err
		}
		c.ends[i] = f
	}
	go c.carry(c.ends[0], c.ends[1])
	go c.carry(c.ends[1], c.ends[0])
	return c, nil
}

// tap makes an Ethernet device. A read of the file takes a frame from it, and a write gives it one.
func tap(name string) (*os.File, error) {
	fd, err := unix.Open(tunDevice, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", tunDevice, err)
	}
	r, err := unix.NewIfreq(name)
	if err == nil {
		r.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, r)
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("make the device %s: %w", name, err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

type frame struct {
	due  time.Time
	data []byte
}

// carry carries frames one way, in order.
func (c *cable) carry(from, to *os.File) {
	queue := make(chan frame, inFlight)
	go func() {
		for f := range queue {
			time.Sleep(time.Until(f.due))
			_, _ = to.Write(f.data) // If the device is down the frame is lost, as on a cable.
		}
	}()
	buffer := make([]byte, maxFrame)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			if errors.Is(err, os.ErrClosed) {
				close(queue)
				return
			}
			time.Sleep(time.Millisecond) // The device is down.
			continue
		}
		f := frame{due: time.Now().Add(time.Duration(c.delay.Load())), data: append([]byte(nil), buffer[:n]...)}
		if j := c.jitter.Load(); j > 0 {
			f.due = f.due.Add(time.Duration(rand.Int64N(2*j) - j))
		}
		select {
		case queue <- f:
		default:
		}
	}
}

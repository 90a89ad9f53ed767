package main

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/md5"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/klauspost/reedsolomon"
	"github.com/minio/crc64nvme"
	"golang.org/x/sys/unix"
)

// primitive is work, in its barest form, that no server can leave out if it keeps what S3 and 4+2
// promise.
type primitive string

const (
	primMD5      primitive = "MD5"
	primSeal     primitive = "AES-256-GCM"  // A block of an object that is encrypted.
	primRecord   primitive = "AES-128-GCM"  // A record of TLS 1.3, as crypto/tls chooses it.
	primCRC64    primitive = "CRC-64/NVME"  // Of an object.
	primCRC32C   primitive = "CRC-32C"      // Of a frame.
	primEncode   primitive = "Reed-Solomon" // 4+2, for a byte of data.
	primSocket   primitive = "socket"       // Loopback TCP, both ends.
	primTLS      primitive = "socket, TLS"  // The same with TLS. It is to be compared with socket + 2 AES-128-GCM.
	primWrite    primitive = "file write"   // Into the page cache.
	primRead     primitive = "file read"    // Out of the page cache.
	primSync     primitive = "fdatasync"    // Of 4 KiB that were appended.
	primExchange primitive = "exchange"     // 1 KiB there and back over TLS, both ends.
)

// primitiveTime is how long each primitive is repeated. All of them together take a second and a half.
const primitiveTime = 100 * time.Millisecond

// gauge is how a primitive is measured. step does some of it and returns how much, in bytes or times.
// close frees what it needed.
type gauge struct {
	step  func() (int64, error)
	close func() error
}

func nothing() error { return nil }

// primitives are all of them, in the order of the report.
var primitives = []struct {
	name primitive
	unit string // What one of it is.
	open func(dir string) (gauge, error)
}{
	{primMD5, "GiB", over(func(p []byte) { md5.Sum(p) })},
	{primSeal, "GiB", sealing(32, 64<<10)},
	{primRecord, "GiB", sealing(16, 16<<10)},
	{primCRC64, "GiB", over(func(p []byte) { crc64nvme.Checksum(p) })},
	{primCRC32C, "GiB", over(func(p []byte) { crc32.Checksum(p, castagnoli) })},
	{primEncode, "GiB", encoding},
	{primSocket, "GiB", overSocket},
	{primTLS, "GiB", overTLS},
	{primWrite, "GiB", writing},
	{primRead, "GiB", reading},
	{primSync, "times 1000", syncing},
	{primExchange, "times 1000", exchanging},
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// blockBytes is what is hashed, read or written at once.
const blockBytes = 1 << 20

// over measures work on a block in memory.
func over(do func(p []byte)) func(string) (gauge, error) {
	return func(string) (gauge, error) {
		p := make([]byte, blockBytes)
		return gauge{func() (int64, error) { do(p); return blockBytes, nil }, nothing}, nil
	}
}

// sealing measures AES-GCM in place, with a key and packages of so many bytes.
func sealing(keyBytes, packageBytes int) func(string) (gauge, error) {
	return func(string) (gauge, error) {
		block, err := aes.NewCipher(make([]byte, keyBytes))
		if err != nil {
			return gauge{}, err
		}
		gcm, err := cipher.NewGCM(block)
		if err != nil {
			return gauge{}, err
		}
		p, nonce := make([]byte, packageBytes, packageBytes+gcm.Overhead()), make([]byte, gcm.NonceSize())
		return gauge{func() (int64, error) {
			gcm.Seal(p[:0], nonce, p, nil)
			return int64(packageBytes), nil
		}, nothing}, nil
	}
}

// encoding measures how parity is computed of rows of 64 KiB, as stripes are encoded.
func encoding(string) (gauge, error) {
	const k, m, row = 4, 2, 64 << 10
	coder, err := reedsolomon.New(k, m, reedsolomon.WithMaxGoroutines(1))
	if err != nil {
		return gauge{}, err
	}
	rows := reedsolomon.AllocAligned(k+m, row)
	return gauge{func() (int64, error) { return k * row, coder.Encode(rows) }, nothing}, nil
}

// maxFile is how long the file becomes that is written.
const maxFile = 256 << 20

func scratch(dir string) (*os.File, func() error, error) {
	f, err := os.CreateTemp(dir, "primitive-")
	if err != nil {
		return nil, nil, err
	}
	return f, func() error {
		if err := f.Close(); err != nil {
			return err
		}
		return os.Remove(filepath.Join(dir, filepath.Base(f.Name())))
	}, nil
}

func writing(dir string) (gauge, error) {
	f, remove, err := scratch(dir)
	if err != nil {
		return gauge{}, err
	}
	p, at := make([]byte, blockBytes), int64(0)
	return gauge{func() (int64, error) {
		n, err := f.WriteAt(p, at)
		at = (at + int64(n)) % maxFile
		return int64(n), err
	}, remove}, nil
}

func reading(dir string) (gauge, error) {
	f, remove, err := scratch(dir)
	if err != nil {
		return gauge{}, err
	}
	const blocks = 16
	p, at := make([]byte, blockBytes), 0
	for i := range blocks {
		if _, err := f.WriteAt(p, int64(i)*blockBytes); err != nil {
			return gauge{}, err
		}
	}
	return gauge{func() (int64, error) {
		n, err := f.ReadAt(p, int64(at)*blockBytes)
		at = (at + 1) % blocks
		return int64(n), err
	}, remove}, nil
}

func syncing(dir string) (gauge, error) {
	f, remove, err := scratch(dir)
	if err != nil {
		return gauge{}, err
	}
	p := make([]byte, 4<<10)
	return gauge{func() (int64, error) {
		if _, err := f.Write(p); err != nil {
			return 0, err
		}
		return 1, unix.Fdatasync(int(f.Fd()))
	}, remove}, nil
}

// prices are the CPU seconds that each primitive costs, for a byte or for one time.
type prices map[primitive]float64

// measurePrices measures each primitive for a while. Its files lie below dir, and it removes them.
func measurePrices(dir string, each time.Duration) (prices, error) {
	found := prices{}
	for _, p := range primitives {
		b, err := p.open(dir)
		if err != nil {
			return nil, fmt.Errorf("primitive %s: %w", p.name, err)
		}
		price, err := b.price(each)
		if closeErr := b.close(); err == nil {
			err = closeErr
		}
		if err != nil {
			return nil, fmt.Errorf("primitive %s: %w", p.name, err)
		}
		found[p.name] = price
	}
	return found, nil
}

// price repeats the step for a while. The first step warms up and does not count.
func (b gauge) price(d time.Duration) (float64, error) {
	if _, err := b.step(); err != nil {
		return 0, err
	}
	var done int64
	own, began := ownCPU(), time.Now()
	for done == 0 || time.Since(began) < d {
		n, err := b.step()
		if err != nil {
			return 0, err
		}
		done += n
	}
	return (ownCPU() - own).Seconds() / float64(done), nil
}

// middle returns the median of each price.
func middle(all []prices) prices {
	m := prices{}
	for name := range all[0] {
		var v []float64
		for _, p := range all {
			v = append(v, p[name])
		}
		m[name] = median(v)
	}
	return m
}

// shown returns a price as people are shown it, in its unit.
func shown(price float64, unit string) float64 {
	if unit == "GiB" {
		return price * float64(gib)
	}
	return price * 1000
}

// primitiveRounds is how often `bench primitives` measures each primitive.
const primitiveRounds = 5

// tellPrimitives measures the primitives alone, and prints what they cost.
func tellPrimitives(dir string, out io.Writer) error {
	var all []prices
	for range primitiveRounds {
		p, err := measurePrices(dir, primitiveTime)
		if err != nil {
			return err
		}
		all = append(all, p)
	}
	return tablePrimitives(summarize(all), out)
}

package s3api

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/s3api/checksum"
)

// TestCopyKeepsChecksum: a copy has its source's checksum, of the source's algorithm and
// no other, whatever its size and however it is made; one of another algorithm where the
// copy names it; and one of the whole where the source's is of its parts.
func TestCopyKeepsChecksum(t *testing.T) {
	w := newWorld(t)
	owner := w.account("owner")
	w.ok(owner, "PUT", "/bkt", "")
	told := func(path string) []string {
		var sums []string
		r := w.ok(owner, "HEAD", path, "", "X-Amz-Checksum-Mode: ENABLED")
		for _, a := range checksum.Algorithms() {
			if v := r.Header.Get(checksum.Header(a)); v != "" {
				sums = append(sums, a+" "+v+" "+r.Header.Get("X-Amz-Checksum-Type"))
			}
		}
		return sums
	}
	for _, size := range []int{0, 1, 1000, 19_999, 20_001, 300_000, 8 << 20} {
		body := strings.Repeat("x", size)
		for _, algorithm := range []string{"SHA256", "CRC32", "CRC64NVME", "SHA1"} {
			want := []string{algorithm + " " + sumOf(algorithm, body) + " FULL_OBJECT"}
			w.ok(owner, "PUT", "/bkt/k", body, checksum.Header(algorithm)+": "+sumOf(algorithm, body))
			require.Equal(t, want, told("/bkt/k"))
			r := w.ok(owner, "PUT", "/bkt/copy", "", "X-Amz-Copy-Source: bkt/k")
			require.Equal(t, sumOf(algorithm, body), element(r.body, "Checksum"+algorithm))
			require.Equal(t, want, told("/bkt/copy"), "%d bytes", size)
			w.ok(owner, "PUT", "/bkt/sealed", "", "X-Amz-Copy-Source: bkt/k", "X-Amz-Server-Side-Encryption: AES256")
			require.Equal(t, want, told("/bkt/sealed"), "%d bytes, encrypted", size)
			w.ok(owner, "PUT", "/bkt/other", "", "X-Amz-Copy-Source: bkt/copy", "X-Amz-Checksum-Algorithm: CRC32C")
			require.Equal(t, []string{"CRC32C " + sumOf("CRC32C", body) + " FULL_OBJECT"}, told("/bkt/other"), "%d bytes", size)
		}
	}
	a, b := strings.Repeat("a", 100_000), "end"
	for _, algorithm := range []string{"SHA256", "CRC32"} {
		at, list := w.upload(owner, "/bkt/composite", algorithm, "COMPOSITE", a, b)
		w.ok(owner, "POST", at, list)
		require.Equal(t, []string{algorithm + " " + compositeOf(algorithm, a, b) + "-2 COMPOSITE"}, told("/bkt/composite"))
		w.ok(owner, "PUT", "/bkt/whole", "", "X-Amz-Copy-Source: bkt/composite")
		require.Equal(t, []string{algorithm + " " + sumOf(algorithm, a+b) + " FULL_OBJECT"}, told("/bkt/whole"))
	}
}

// TestCopyOntoItself: legal where the request names what may change, even if that is as
// it was.
func TestCopyOntoItself(t *testing.T) {
	w := newWorld(t)
	owner := w.account("owner")
	w.ok(owner, "PUT", "/bkt", "")
	w.ok(owner, "PUT", "/bkt/k", "x", "X-Amz-Meta-A: b", "X-Amz-Server-Side-Encryption: AES256")
	self := "X-Amz-Copy-Source: bkt/k"
	for _, header := range []string{"X-Amz-Storage-Class: STANDARD", "X-Amz-Server-Side-Encryption: AES256", "X-Amz-Checksum-Algorithm: CRC64NVME",
		"X-Amz-Website-Redirect-Location: /x", "X-Amz-Metadata-Directive: REPLACE"} {
		w.ok(owner, "PUT", "/bkt/k", "", self, header)
		w.ok(owner, "PUT", "/bkt/k", "", self, header)
		require.Equal(t, "x", w.ok(owner, "GET", "/bkt/k", "").body)
	}
	w.ok(owner, "PUT", "/bkt/plain", "x")
	w.refused("InvalidRequest", owner, "PUT", "/bkt/plain", "", "X-Amz-Copy-Source: bkt/plain")
	w.refused("InvalidRequest", owner, "PUT", "/bkt/plain", "", "X-Amz-Copy-Source: bkt/plain", "X-Amz-Metadata-Directive: COPY")
}

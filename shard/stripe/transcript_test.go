package stripe

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/shard"
)

// TestReadTranscripts plays the scripts of testdata/reads: reads of an extent around
// faults. Renew them with -rewrite and read the difference.
//
//	read k=K m=M bytes=N [offset=N length=N]
//
// writes an extent of N bytes and reads it, or a range of it. A line of input is a fault of
// a slot, there when the read begins: SLOT missing (no shard), corrupt (a byte changed),
// broken or hangs (at the open), breaks or stalls (at the second read of its stream). The
// answer is whether the bytes are right, or the kind of the error, which slots were asked,
// and what the engine told, each as often as it did; "waited" says that it took as long as
// a hedge at least.
func TestReadTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata/reads", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd != "read" {
				d.Fatalf(t, "unknown command %q", d.Cmd)
			}
			var told string
			t.Run(d.Pos, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { told = readAround(t, d) })
			})
			return told
		})
	})
}

func readAround(t *testing.T, d *datadriven.TestData) string {
	var k, m, size int
	d.ScanArgs(t, "k", &k)
	d.ScanArgs(t, "m", &m)
	scheme := shard.Scheme{K: uint8(k), M: uint8(m)}
	d.ScanArgs(t, "bytes", &size)
	r := newRig(t, scheme, nil)
	data := randomBytes(1, size)
	q := r.request(r.write(t, data, nil).Geometry, nil)
	d.MaybeScanArgs(t, "offset", &q.Offset)
	q.Length -= q.Offset
	d.MaybeScanArgs(t, "length", &q.Length)
	for line := range strings.Lines(d.Input) {
		var slot int
		var fault string
		if _, err := fmt.Sscan(line, &slot, &fault); err != nil {
			d.Fatalf(t, "%q: %v", line, err)
		}
		r.harm(t, d, slot, fault)
	}
	var out bytes.Buffer
	began := time.Now()
	_, err := r.e.WriteTo(context.Background(), &out, q)
	took := time.Since(began)
	synctest.Wait() // What is told comes after the bytes.
	var b strings.Builder
	switch {
	case err != nil:
		fmt.Fprintf(&b, "%s after %d bytes\n", errs.KindOf(err), out.Len())
		require.True(t, bytes.HasPrefix(data[q.Offset:], out.Bytes()), "bytes before the error are wrong")
	default:
		require.True(t, bytes.Equal(out.Bytes(), data[q.Offset:q.Offset+q.Length]), "wrong bytes")
		fmt.Fprintf(&b, "%d right bytes\n", out.Len())
	}
	var asked []int
	for slot := range scheme.N() {
		if len(r.store(r.vol, slot).opens) > 0 {
			asked = append(asked, slot)
		}
	}
	fmt.Fprintf(&b, "asked %v", asked)
	if took >= DefaultHedgeDelay {
		b.WriteString(", waited")
	}
	b.WriteString("\n")
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, event := range slices.Sorted(maps.Keys(r.events)) {
		if err == nil || event != "reconstructed" { // What came before the failure is a matter of luck.
			fmt.Fprintf(&b, "%s: %d\n", event, r.events[event])
		}
	}
	return b.String()
}

// harm gives a slot a fault.
func (r *rig) harm(t *testing.T, d *datadriven.TestData, slot int, fault string) {
	st := r.store(r.vol, slot)
	switch fault {
	case "missing":
		r.setShard(slot, nil)
	case "corrupt":
		bad := bytes.Clone(r.shard(slot))
		bad[100] ^= 1
		r.setShard(slot, bad)
	case "broken":
		st.setFault(at("open", 0, errBroken))
	case "hangs":
		st.setFault(at("open", 0, errHang))
	case "breaks":
		st.setFault(at("read", 1, errBroken))
	case "stalls":
		st.setFault(at("read", 1, errHang))
	default:
		d.Fatalf(t, "no fault is called %q", fault)
	}
}

package form

import (
	"bytes"
	"encoding/base64"
	"testing"
	"time"

	"github.com/cairnstore/cairn/cluster/cost"
)

// readPerByte is what a form may allocate for each byte of its body, and a policy for
// each of its text: the least field of a form has some fifty bytes around it.
const readPerByte = 96

// FuzzCost: no form and no policy costs more than a bound per byte, whatever is repeated.
func FuzzCost(f *testing.F) {
	f.Add([]byte(""), []byte("--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n\r\n"), []byte("--b--"), uint16(500))
	f.Add([]byte("--b\r\n"), []byte("A: b\r\n"), []byte("\r\n"), uint16(900))
	f.Add([]byte("--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n"), []byte("\r\n--"), []byte("--b--"), uint16(900))
	f.Add([]byte(`{"expiration":"2999-01-01T00:00:00Z","conditions":[`), []byte(`["eq","$a","b"],`), []byte(`{"a":"b"}]}`), uint16(900))
	f.Add([]byte(`{"conditions":`), []byte("["), []byte("]"), uint16(900))
	f.Fuzz(func(t *testing.T, head, unit, tail []byte, times uint16) {
		body := cost.Repeat(head, unit, tail, times)
		cost.Allocated(t, len(body), readPerByte, func() {
			form, err := Read(bytes.NewReader(body), int64(len(body)), "multipart/form-data; boundary=b")
			if err == nil {
				form.File.Limit(0, -1)
				_, _, _ = take(form.File, 64<<10)
				form.Expand()
			}
		})
		text := base64.StdEncoding.EncodeToString(body)
		cost.Allocated(t, len(body), readPerByte, func() {
			if p, err := ParsePolicy(text); err == nil {
				_ = p.Check(&Form{fields: []Field{{"a", "b"}}}, "bkt", time.Unix(0, 0))
			}
		})
	})
}

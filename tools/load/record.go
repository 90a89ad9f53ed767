package load

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/aws/smithy-go"
)

// Phase is what clients saw while something was done to the cluster.
type Phase struct {
	Name       string         `json:"name"`
	Seconds    float64        `json:"seconds"`
	Operations map[string]int `json:"operations"`  // How many were answered, by kind.
	Errors     map[string]int `json:"errors"`      // How many failed after the SDK's own retries, by kind of error.
	Retried    int            `json:"retried"`     // How many took more than one attempt.
	InBytes    int64          `json:"in_bytes"`    // Bytes of objects and parts that were sent.
	OutBytes   int64          `json:"out_bytes"`   // Bytes that were read and compared.
	Longest    float64        `json:"longest_s"`   // How many seconds the longest operation took,
	LongestOp  string         `json:"longest_op"`  // and which it was.
	Stall      float64        `json:"stall_s"`     // For how many seconds no operation of any client ended well, at most.
	WrongCount int            `json:"wrong_count"` // How many answers contradict what was acknowledged.

	began time.Time
}

// Total returns how many operations were answered.
func (p *Phase) Total() (n int) {
	for _, c := range p.Operations {
		n += c
	}
	return n
}

// Failed returns how many operations ended in an error.
func (p *Phase) Failed() (n int) {
	for _, c := range p.Errors {
		n += c
	}
	return n
}

// Recorder collects what clients see, by phase. It is safe for concurrent use.
type Recorder struct {
	mu     sync.Mutex
	phases []*Phase
	last   time.Time // When an operation last ended well.
	wrong  []string
}

// maxWrong is how many wrong answers are told in full.
const maxWrong = 20

// Begin ends the phase that runs and begins another.
func (r *Recorder) Begin(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	r.close(now)
	r.phases = append(r.phases, &Phase{Name: name, began: now, Operations: map[string]int{}, Errors: map[string]int{}})
	r.last = now
}

// End ends the last phase.
func (r *Recorder) End() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.close(time.Now())
}

func (r *Recorder) close(now time.Time) {
	if len(r.phases) == 0 {
		return
	}
	p := r.phases[len(r.phases)-1]
	if p.Seconds == 0 {
		p.Seconds = now.Sub(p.began).Seconds()
		p.Stall = max(p.Stall, now.Sub(r.last).Seconds())
	}
}

// Phases returns what was seen; call it after End.
func (r *Recorder) Phases() []*Phase {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.phases
}

// Wrong returns the first wrong answers.
func (r *Recorder) Wrong() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.wrong
}

// outcome is how an operation ended.
type outcome struct {
	kind     string
	took     time.Duration
	attempts int
	in, out  int64
	err      error
}

// note records an operation under the phase that runs.
func (r *Recorder) note(o outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.phases[len(r.phases)-1]
	var wrong *Mismatch
	switch {
	case errors.As(o.err, &wrong):
		p.WrongCount++
		if len(r.wrong) < maxWrong {
			r.wrong = append(r.wrong, p.Name+": "+o.kind+": "+wrong.What)
		}
		return
	case o.err != nil:
		p.Errors[o.kind+" "+ErrorKind(o.err)]++
	default:
		now := time.Now()
		p.Operations[o.kind]++
		p.InBytes += o.in
		p.OutBytes += o.out
		p.Stall = max(p.Stall, now.Sub(r.last).Seconds())
		r.last = now
	}
	if o.attempts > 1 {
		p.Retried++
	}
	if s := o.took.Seconds(); s > p.Longest {
		p.Longest, p.LongestOp = s, o.kind
	}
}

// ErrorKind is a short word for an error that a client saw: S3's code if there is
// one.
func ErrorKind(err error) string {
	var api smithy.APIError
	var timeout net.Error
	switch {
	case errors.As(err, &api):
		return api.ErrorCode()
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "connection reset"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return "cut off"
	}
	return "other"
}

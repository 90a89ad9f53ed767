package s3api

import (
	"context"
	"errors"
	"time"

	"github.com/cairnstore/cairn/s3api/s3err"
)

// outcome is how later work ended.
type outcome struct {
	resp     *response
	err      error
	panicked any
}

// work runs the later work of a response. If that ends soon, its outcome is returned, to be
// answered with its own status. Otherwise a 200 and the XML declaration are sent, then a blank now
// and then, and at the end a document or an error; sent is true then. A client that leaves cancels
// the work. When work returns, the work has ended.
func (ex *exchange) work(ctx context.Context, resp *response) (_ *response, sent bool, _ error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ended := make(chan outcome, 1)
	go func() {
		var o outcome
		defer func() {
			o.panicked = recover()
			ended <- o
		}()
		o.resp, o.err = resp.later(ctx)
	}()
	o, early := ex.await(ended)
	if early {
		o = ex.keepAlive(resp, ended, cancel)
	}
	if o.panicked != nil {
		panic(o.panicked) // It is handled as a panic of the handler's own goroutine.
	}
	if early {
		ex.sendVerdict(o)
		return nil, true, nil
	}
	if o.err == nil {
		o.resp.headers = append(resp.headers, o.resp.headers...)
	}
	return o.resp, false, o.err
}

// await waits until later work ends, or until it takes so long that the client has to be answered
// before; early is true then. HTTP/1.0 has no chunks, so its clients wait.
func (ex *exchange) await(ended <-chan outcome) (_ outcome, early bool) {
	if !ex.r.ProtoAtLeast(1, 1) {
		return <-ended, false
	}
	timer := time.NewTimer(ex.profile.CopyEarly200After)
	defer timer.Stop()
	select {
	case o := <-ended:
		return o, false
	case <-timer.C:
		return outcome{}, true
	}
}

// errClientGone ends work whose answer nobody would read.
var errClientGone = errors.New("s3api: the client closed the connection")

// keepAlive sends the early 200 and blanks until the work ends.
func (ex *exchange) keepAlive(resp *response, ended <-chan outcome, cancel context.CancelCauseFunc) outcome {
	resp.set("Content-Type", "application/xml")
	ex.sendHeader(resp, -1)
	if !ex.beat(ex.style.Declaration()) {
		return ex.abandon(ended, cancel)
	}
	ticker := time.NewTicker(ex.profile.KeepAliveInterval)
	defer ticker.Stop()
	for {
		select {
		case o := <-ended:
			return o
		case <-ticker.C:
			if !ex.beat(" ") {
				return ex.abandon(ended, cancel)
			}
		}
	}
}

// abandon ends the work of a client that is gone, and waits for its end.
func (ex *exchange) abandon(ended <-chan outcome, cancel context.CancelCauseFunc) outcome {
	ex.done.Aborted = true
	cancel(errClientGone)
	return <-ended
}

// beat sends text at once. It returns false if the client is gone.
func (ex *exchange) beat(text string) bool {
	_, err := ex.out.Write([]byte(text))
	return err == nil && ex.rc.Flush() == nil && ex.r.Context().Err() == nil
}

// sendVerdict sends the outcome of work whose 200 was sent early.
func (ex *exchange) sendVerdict(o outcome) {
	var body []byte
	if o.err != nil {
		e := s3err.FromError(o.err)
		ex.done.Code, ex.done.Cause = e.Code, o.err
		body = ex.style.AppendError(nil, e, ex.resource(), ex.done.ID, ex.s.cfg.HostID)
	} else {
		body = o.resp.document.AppendXML(nil, ex.style.Namespace)
	}
	_, _ = ex.out.Write(body)
}

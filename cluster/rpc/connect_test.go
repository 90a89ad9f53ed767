package rpc

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/cairnstore/cairn/cluster/errs"
)

const procedure = "/cairn.test.v1.Test/Say"

type text = wrapperspb.StringValue

// say serves one typed call over TCP and returns a client for it.
func say(t *testing.T, over Transport, f func(context.Context, *connect.Request[text]) (*connect.Response[text], error)) *connect.Client[text, text] {
	t.Helper()
	h := connect.NewUnaryHandler(procedure, f, ConnectOptions()...)
	url := serve(t, TCP(), Config{}, map[string]http.HandlerFunc{procedure: h.ServeHTTP})
	return connect.NewClient[text, text](client(t, over, ClientConfig{}), url+procedure, ClientOptions()...)
}

func TestConnectCarriesKinds(t *testing.T) {
	var out error
	c := say(t, TCP(), func(context.Context, *connect.Request[text]) (*connect.Response[text], error) { return nil, out })
	for kind := errs.Internal; kind <= errs.Expired; kind++ {
		out = errs.Newf("group.Propose", kind, "no luck")
		_, err := c.CallUnary(t.Context(), connect.NewRequest(&text{}))
		require.Equal(t, kind, errs.KindOf(err))
		require.Equal(t, out.Error(), err.Error())
		require.False(t, NotSent(err))
	}
	out = errors.New("plain")
	_, err := c.CallUnary(t.Context(), connect.NewRequest(&text{}))
	require.Equal(t, errs.Internal, errs.KindOf(err))
}

func TestConnectCarriesDeadlineAndAnswers(t *testing.T) {
	var left time.Duration
	c := say(t, TCP(), func(ctx context.Context, r *connect.Request[text]) (*connect.Response[text], error) {
		at, _ := ctx.Deadline()
		left = time.Until(at)
		if enc := r.Header().Get("Accept-Encoding"); strings.Contains(enc, "gzip") {
			return nil, errs.Newf("test", errs.Invalid, "the client asks for %s", enc)
		}
		return connect.NewResponse(&text{Value: strings.Repeat(r.Msg.Value, 2)}), nil
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	resp, err := c.CallUnary(ctx, connect.NewRequest(&text{Value: strings.Repeat("ab", 100_000)}))
	require.NoError(t, err)
	require.Len(t, resp.Msg.Value, 400_000)
	require.Empty(t, resp.Header().Get("Content-Encoding"))
	require.InDelta(t, time.Hour, left, float64(10*time.Minute))
}

func TestConnectWithoutAnswer(t *testing.T) {
	hang := func(ctx context.Context, _ *connect.Request[text]) (*connect.Response[text], error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := say(t, TCP(), hang).CallUnary(ctx, connect.NewRequest(&text{}))
	require.Equal(t, errs.Canceled, errs.KindOf(err), "%v", err)

	abort := func(context.Context, *connect.Request[text]) (*connect.Response[text], error) {
		panic(http.ErrAbortHandler)
	}
	_, err = say(t, TCP(), abort).CallUnary(t.Context(), connect.NewRequest(&text{}))
	require.Equal(t, errs.Unavailable, errs.KindOf(err), "%v", err)
	require.False(t, NotSent(err), "it may have been seen")

	_, err = say(t, TLS(TCP(), testIdentity(t, "a", 1)), hang).CallUnary(t.Context(), connect.NewRequest(&text{}))
	require.Equal(t, errs.Unavailable, errs.KindOf(err), "%v", err)
	require.True(t, NotSent(err), "there was no connection: %v", err)

	broken := func(context.Context, *connect.Request[text]) (*connect.Response[text], error) { panic("a bug") }
	_, err = say(t, TCP(), broken).CallUnary(t.Context(), connect.NewRequest(&text{}))
	require.Equal(t, errs.Unavailable, errs.KindOf(err), "what it did before is not known: %v", err)
	require.False(t, NotSent(err))
}

package rpc

import (
	"context"
	"errors"
	"strconv"

	"connectrpc.com/connect"

	"github.com/cairnstore/cairn/cluster/errs"
)

// messageMaxBytes bounds a message of a typed call, either way. The largest are
// pages of lists and the parts of an upload: a few MiB.
const messageMaxBytes = 32 << 20

// ConnectOptions returns the options of a Connect handler: errors of package errs
// cross with their kind, messages are bounded and not compressed.
func ConnectOptions() []connect.HandlerOption {
	return []connect.HandlerOption{
		connect.WithInterceptors(handlerErrors{}),
		connect.WithReadMaxBytes(messageMaxBytes),
		connect.WithCompression("gzip", nil, nil),
	}
}

// ClientOptions returns the options of a Connect client. Its errors have the kind
// that the handler's had; without an answer, Unavailable (see NotSent) or, where
// the context ended, Canceled.
func ClientOptions() []connect.ClientOption {
	return []connect.ClientOption{
		connect.WithInterceptors(clientErrors{}),
		connect.WithReadMaxBytes(messageMaxBytes),
		connect.WithAcceptCompression("gzip", nil, nil),
	}
}

func codeOf(kind errs.Kind) connect.Code {
	switch kind {
	case errs.Invalid:
		return connect.CodeInvalidArgument
	case errs.Denied, errs.Expired:
		return connect.CodePermissionDenied
	case errs.NotFound:
		return connect.CodeNotFound
	case errs.Exists:
		return connect.CodeAlreadyExists
	case errs.Precondition:
		return connect.CodeFailedPrecondition
	case errs.Corrupt:
		return connect.CodeDataLoss
	case errs.Unavailable:
		return connect.CodeUnavailable
	case errs.Overloaded, errs.NoSpace:
		return connect.CodeResourceExhausted
	case errs.Canceled:
		return connect.CodeCanceled
	case errs.Unknown:
		return connect.CodeUnknown
	default:
		return connect.CodeInternal
	}
}

// toConnect returns err as a Connect error that carries its kind.
func toConnect(err error) error {
	var already *connect.Error
	var e *errs.Error
	if err == nil || errors.As(err, &already) && !errors.As(err, &e) {
		return err
	}
	op, kind, text := parts(err)
	c := connect.NewError(codeOf(kind), errors.New(text))
	c.Meta().Set(headerKind, strconv.Itoa(int(kind)))
	c.Meta().Set(headerOp, op)
	return c
}

// fromConnect returns what a Connect client got as an error of package errs.
func fromConnect(ctx context.Context, procedure string, err error) error {
	var c *connect.Error
	if !errors.As(err, &c) {
		return CallError(ctx, procedure, err)
	}
	if kind, ok := parseKind(c.Meta()); ok { // Only an answer has it.
		return errs.New(wireOp(c.Meta()), kind, errors.New(c.Message()))
	}
	switch c.Code() {
	case connect.CodeCanceled, connect.CodeDeadlineExceeded:
		return errs.New(procedure, errs.Canceled, err)
	case connect.CodeUnavailable, connect.CodeUnknown, connect.CodeAborted:
		return CallError(ctx, procedure, err)
	case connect.CodeResourceExhausted, connect.CodeInvalidArgument:
		return errs.New(procedure, errs.Invalid, err) // Too large, or not to be decoded.
	default:
		return errs.New(procedure, errs.Internal, err)
	}
}

type handlerErrors struct{}

// WrapUnary implements connect.Interceptor.
func (handlerErrors) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
		resp, err := next(ctx, req)
		if err != nil {
			return nil, toConnect(err)
		}
		return resp, nil
	}
}

// WrapStreamingClient implements connect.Interceptor.
func (handlerErrors) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

// WrapStreamingHandler implements connect.Interceptor.
func (handlerErrors) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		return toConnect(next(ctx, conn))
	}
}

// clientErrors maps the errors of unary calls; Cairn has no streaming ones.
type clientErrors struct{}

// WrapUnary implements connect.Interceptor.
func (clientErrors) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
		resp, err := next(ctx, req)
		if err != nil {
			return nil, fromConnect(ctx, req.Spec().Procedure, err)
		}
		return resp, nil
	}
}

// WrapStreamingClient implements connect.Interceptor.
func (clientErrors) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

// WrapStreamingHandler implements connect.Interceptor.
func (clientErrors) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return next
}

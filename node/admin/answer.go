package admin

import (
	"context"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/node/admin/adminpb"
)

// each returns the result of f for each element of a list.
func each[From, To any](list []From, f func(From) To) []To {
	out := make([]To, len(list))
	for i, v := range list {
		out[i] = f(v)
	}
	return out
}

// within calls f with the id of the account that a request names, if the caller may manage it. An
// answer that f returns beside an error is dropped. Errors: those of account and of f.
func within[T any](ctx context.Context, s *service, named string, f func(account string) (*T, error)) (*T, error) {
	id, err := s.account(ctx, named)
	if err != nil {
		return nil, err
	}
	out, err := f(id)
	if err != nil {
		return nil, err
	}
	return out, nil
}

// removed returns the answer to a removal.
func removed(err error) (*adminpb.Removed, error) {
	if err != nil {
		return nil, err
	}
	return &adminpb.Removed{}, nil
}

// named returns an error of kind Invalid if a request names nothing where it must.
func named(what, name string) error {
	if name == "" {
		return errs.Newf("admin.named", errs.Invalid, "the request names no %s", what)
	}
	return nil
}

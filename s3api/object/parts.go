package object

import (
	"context"

	"github.com/cairnstore/cairn/meta/metapb"
)

// Parts lists the parts of a multipart version after a number. A version that is gone
// meanwhile is no such version.
func (s *Service) Parts(ctx context.Context, v *metapb.Version, after, most uint32) (*metapb.ObjectPartsAnswer, error) {
	a, err := s.query(ctx, Request{}, &metapb.Query{Op: &metapb.Query_ObjectParts{ObjectParts: &metapb.ObjectParts{
		ContentId: v.GetContentId(), After: after, Max: most}}})
	if err != nil {
		return nil, err
	}
	return a.ObjectParts, nil
}

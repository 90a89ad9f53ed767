package admin

import (
	"bufio"
	"context"

	"connectrpc.com/connect"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/node/admin/adminpb"
)

// backupPiece is how many bytes of a backup one message carries.
const backupPiece = 256 << 10

// BackupMetadata implements AdminService.
func (s *service) BackupMetadata(ctx context.Context, _ *adminpb.BackupMetadataRequest, out *connect.ServerStream[adminpb.BackupPiece]) error {
	if s.c.Backup == nil {
		return errs.Newf("admin.BackupMetadata", errs.Unavailable, "this node makes no backups")
	}
	w := bufio.NewWriterSize(pieces{out}, backupPiece)
	if err := s.c.Backup(ctx, w); err != nil {
		return err
	}
	return w.Flush()
}

// pieces is a writer that sends what is written to it, message by message.
type pieces struct {
	out *connect.ServerStream[adminpb.BackupPiece]
}

func (p pieces) Write(b []byte) (int, error) {
	return len(b), p.out.Send(&adminpb.BackupPiece{Data: b})
}

// ReleaseOrphans implements AdminService.
func (s *service) ReleaseOrphans(ctx context.Context, r *adminpb.ReleaseOrphansRequest) (*adminpb.ReleaseOrphansResponse, error) {
	a, err := s.c.Metadata.Propose(ctx, &metapb.Command{Op: &metapb.Command_ReleaseOrphans{ReleaseOrphans: &metapb.ReleaseOrphans{Force: r.Force}}})
	if err == nil && a.Refusal == metapb.Refusal_REFUSAL_ORPHANS_NEEDED {
		err = errs.Newf("admin.ReleaseOrphans", errs.Precondition, "nothing is released: %s", a.Detail)
	}
	return &adminpb.ReleaseOrphansResponse{}, err
}

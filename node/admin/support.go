package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/node/admin/adminpb"
)

// supportTimeout is how long one node may take to send its files.
const supportTimeout = time.Minute

// CollectSupport implements AdminService. It sends what the cluster says of itself, and then the files
// of each node. Instead of a file that cannot be had it sends one that says why, because a bundle is
// wanted most when nodes are down.
func (s *service) CollectSupport(ctx context.Context, _ *adminpb.CollectSupportRequest, out *connect.ServerStream[adminpb.SupportPiece]) error {
	for _, f := range s.clusterFiles() {
		if err := out.Send(&adminpb.SupportPiece{Name: "cluster/" + f.name, Data: f.text(ctx)}); err != nil {
			return err
		}
	}
	topo, _, err := s.topology(ctx)
	if err != nil {
		return err
	}
	for i := range topo.View.Nodes {
		if err := s.sendFiles(ctx, &topo.View.Nodes[i], out); err != nil {
			return err
		}
	}
	return nil
}

// sendFiles sends the files of a node. It fails only if the caller does not take them.
func (s *service) sendFiles(ctx context.Context, n *cluster.Node, out *connect.ServerStream[adminpb.SupportPiece]) error {
	ctx, cancel := context.WithTimeout(ctx, supportTimeout)
	defer cancel()
	dir := "nodes/" + n.ID.String() + "/"
	stream, err := s.c.Peer(n).Support(ctx, &adminpb.ReportRequest{})
	if err == nil {
		defer func() { _ = stream.Close() }()
		for stream.Receive() {
			p := stream.Msg()
			if err := out.Send(&adminpb.SupportPiece{Name: dir + p.Name, Data: p.Data}); err != nil {
				return err
			}
		}
		err = stream.Err()
	}
	if err != nil {
		return out.Send(&adminpb.SupportPiece{Name: dir + "missing.txt", Data: fmt.Appendf(nil, "the node did not send everything: %v\n", err)})
	}
	return nil
}

// clusterFile is a file with an answer of the admin API.
type clusterFile struct {
	name string
	ask  func(context.Context) (proto.Message, error)
}

func (s *service) clusterFiles() []clusterFile {
	return []clusterFile{
		{"status.json", func(ctx context.Context) (proto.Message, error) { return s.Status(ctx, &adminpb.StatusRequest{}) }},
		{"volumes.json", func(ctx context.Context) (proto.Message, error) {
			return s.ListVolumes(ctx, &adminpb.ListVolumesRequest{})
		}},
		{"jobs.json", func(ctx context.Context) (proto.Message, error) { return s.ListJobs(ctx, &adminpb.ListJobsRequest{}) }},
		{"settings.json", func(ctx context.Context) (proto.Message, error) {
			return s.ListSettings(ctx, &adminpb.ListSettingsRequest{})
		}},
		{"load.json", func(ctx context.Context) (proto.Message, error) { return s.ListLoad(ctx, &adminpb.ListLoadRequest{}) }},
	}
}

// text returns the text of the file, or of one that says why there is none.
func (f *clusterFile) text(ctx context.Context) []byte {
	m, err := f.ask(ctx)
	if err != nil {
		return fmt.Appendf(nil, "this could not be had: %v\n", err)
	}
	text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		return fmt.Appendf(nil, "this could not be had: %v\n", err)
	}
	var b bytes.Buffer
	if err := json.Indent(&b, text, "", "  "); err != nil {
		return text
	}
	return append(b.Bytes(), '\n')
}

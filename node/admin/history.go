package admin

import (
	"context"
	"slices"

	"github.com/cairnstore/cairn/node/admin/adminpb"
	"github.com/cairnstore/cairn/node/history"
)

// ShowHistory implements AdminService.
func (s *service) ShowHistory(ctx context.Context, r *adminpb.ShowHistoryRequest) (*adminpb.LoadHistory, error) {
	nodes, err := s.nodesNamed(ctx, "")
	if err != nil {
		return nil, err
	}
	out := &adminpb.LoadHistory{}
	var told [][]history.Sample
	for _, a := range ask(ctx, s, nodes, func(ctx context.Context, p Peer) (*adminpb.LoadHistory,
		error) {
		return p.History(ctx, r)
	}) {
		switch {
		case a.err != nil:
			out.Silent = append(out.Silent, a.node.ID.String())
			continue
		case out.StepSeconds == 0:
			out.StepSeconds, out.LeSeconds = a.got.StepSeconds, a.got.LeSeconds
		case out.StepSeconds != a.got.StepSeconds || !slices.Equal(out.LeSeconds, a.got.LeSeconds):
			out.Silent = append(out.Silent, a.node.ID.String()) // Of another release: the sums would mean nothing.
			continue
		}
		told = append(told, samplesOf(a.got))
	}
	for _, t := range history.Sum(told...) {
		out.Samples = append(out.Samples, &adminpb.HistorySample{Time: uint64(t.Time),
			Requests: t.Requests, ClientErrors: t.ClientErrors,
			ServerErrors: t.ServerErrors, BytesIn: t.BytesIn, BytesOut: t.BytesOut, Seconds: t.Seconds,
			Latency: t.Latency, Nodes: uint32(t.Nodes)})
	}
	return out, nil
}

func samplesOf(h *adminpb.LoadHistory) []history.Sample {
	out := make([]history.Sample, len(h.Samples))
	for i, t := range h.Samples {
		out[i] = history.Sample{Time: int64(t.Time), Nodes: int(t.Nodes),
			Counts: history.Counts{Requests: t.Requests,
				ClientErrors: t.ClientErrors, ServerErrors: t.ServerErrors, BytesIn: t.BytesIn,
				BytesOut: t.BytesOut, Seconds: t.Seconds, Latency: t.Latency}}
	}
	return out
}

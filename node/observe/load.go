package observe

import (
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
)

// Names of the metrics that Load reads.
const (
	metricRequests       = "cairn_s3_requests_total"
	metricRequestSeconds = "cairn_s3_request_duration_seconds"
	metricBytesIn        = "cairn_s3_received_bytes_total"
	metricBytesOut       = "cairn_s3_sent_bytes_total"
	metricRejected       = "cairn_requests_rejected_total"
	metricSyncSeconds    = "cairn_drive_sync_duration_seconds"
	metricSyncedShards   = "cairn_drive_synced_shards_total"
)

// Latencies returns the upper bounds of the classes in which durations of requests are counted, in seconds.
func Latencies() []float64 { return latencyBuckets }

// Load is what a node has done since it started.
type Load struct {
	BytesIn, BytesOut uint64
	Rejected          uint64
	Operations        []OperationLoad // By name.
	Drives            []DriveLoad     // By directory.
}

// OperationLoad is what a node has done of one operation of S3.
type OperationLoad struct {
	Name         string
	Requests     uint64
	ClientErrors uint64 // 400 to 499.
	ServerErrors uint64 // 500 and more, or no answer.
	Seconds      float64
	Buckets      []float64 // Upper bounds of latencies, in seconds.
	Counts       []uint64  // [i]: how many requests took at most Buckets[i].
}

// DriveLoad is what a drive has done.
type DriveLoad struct {
	Dir          string
	Syncs        uint64
	SyncSeconds  float64
	SyncedShards uint64
}

// Load returns the load, which it reads from the metrics.
func (o *Observer) Load() (*Load, error) {
	families, err := o.registry.Gather()
	if err != nil {
		return nil, err
	}
	l := &Load{}
	ops, drives := map[string]*OperationLoad{}, map[string]*DriveLoad{}
	for _, f := range families {
		for _, m := range f.Metric {
			switch f.GetName() {
			case metricBytesIn:
				l.BytesIn = uint64(m.Counter.GetValue())
			case metricBytesOut:
				l.BytesOut = uint64(m.Counter.GetValue())
			case metricRejected:
				l.Rejected = uint64(m.Counter.GetValue())
			case metricRequests:
				entry(ops, label(m, "operation")).count(label(m, "status"), uint64(m.Counter.GetValue()))
			case metricRequestSeconds:
				entry(ops, label(m, "operation")).latency(m.Histogram)
			case metricSyncSeconds:
				d := entry(drives, label(m, "drive"))
				d.Syncs, d.SyncSeconds = m.Histogram.GetSampleCount(), m.Histogram.GetSampleSum()
			case metricSyncedShards:
				entry(drives, label(m, "drive")).SyncedShards = uint64(m.Counter.GetValue())
			}
		}
	}
	for name, op := range ops {
		op.Name = name
		l.Operations = append(l.Operations, *op)
	}
	for dir, d := range drives {
		d.Dir = dir
		l.Drives = append(l.Drives, *d)
	}
	slices.SortFunc(l.Operations, func(a, b OperationLoad) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(l.Drives, func(a, b DriveLoad) int { return strings.Compare(a.Dir, b.Dir) })
	return l, nil
}

func entry[T any](m map[string]*T, name string) *T {
	if m[name] == nil {
		m[name] = new(T)
	}
	return m[name]
}

func label(m *dto.Metric, name string) string {
	for _, l := range m.Label {
		if l.GetName() == name {
			return l.GetValue()
		}
	}
	return ""
}

// count adds n requests that were answered with a status; "0" means without an answer.
func (o *OperationLoad) count(status string, n uint64) {
	o.Requests += n
	switch {
	case strings.HasPrefix(status, "4"):
		o.ClientErrors += n
	case strings.HasPrefix(status, "5"), status == "0":
		o.ServerErrors += n
	}
}

func (o *OperationLoad) latency(h *dto.Histogram) {
	o.Seconds = h.GetSampleSum()
	for _, b := range h.Bucket {
		o.Buckets = append(o.Buckets, b.GetUpperBound())
		o.Counts = append(o.Counts, b.GetCumulativeCount())
	}
}

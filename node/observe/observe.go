// Package observe turns the events of the rooms into log lines, metrics and traces.
// It is the only place that knows slog's handlers, Prometheus and OpenTelemetry.
// The names of what is counted are in metrics.go, of what is read when metrics are
// in sources.go.
//
// Traces are made by what is wrapped around the interfaces between rooms: the S3
// handler, the metadata's client, the engine of the data path, the stores of shards,
// and the HTTP clients and listeners between nodes. Without traces the engine and
// the internode traffic are not wrapped at all.
//
// No log line, label or attribute holds a key, a body, or the name of an object,
// unless TraceConfig.Names asks for the last.
package observe

import (
	"io"
	"log/slog"
	"net/http"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/common/expfmt"
)

// Observer is one node's log, metrics and traces. Safe for concurrent use.
type Observer struct {
	Log *slog.Logger

	registry       *prometheus.Registry
	auditDropped   atomic.Uint64
	stopping       atomic.Bool
	contradictions contradictions
	strangers      sampler // Of lines about requests of nobody that is known.
	m              metrics
	t              *tracer // Nil: no traces.
}

// New returns an observer that logs to log.
func New(log *slog.Logger) *Observer {
	o := &Observer{Log: log, registry: prometheus.NewRegistry(), strangers: sampler{burst: strangerBurst, rate: strangerRate}}
	o.registry.MustRegister(collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	o.m = newMetrics(o.registry)
	return o
}

// Stopping notes that the node stops: what is a warning of a node that works is none then.
func (o *Observer) Stopping() { o.stopping.Store(true) }

// MetricsHandler serves the metrics.
func (o *Observer) MetricsHandler() http.Handler {
	return promhttp.HandlerFor(o.registry, promhttp.HandlerOpts{})
}

// WriteMetrics writes the metrics as MetricsHandler serves them.
func (o *Observer) WriteMetrics(w io.Writer) error {
	families, err := o.registry.Gather()
	if err != nil {
		return err
	}
	enc := expfmt.NewEncoder(w, expfmt.NewFormat(expfmt.TypeTextPlain))
	for _, f := range families {
		if err := enc.Encode(f); err != nil {
			return err
		}
	}
	return nil
}

// Package observe turns the events of other rooms into log lines, metrics and traces. No other room
// knows slog's handlers, Prometheus and OpenTelemetry. metrics.go has the names of what is counted,
// and sources.go those of values that are read when metrics are.
//
// Traces come from wrappers around the interfaces between rooms: the S3 handler, the metadata's
// client, the engine of the data path, the stores of shards, and the HTTP clients and listeners
// between nodes. Without traces the engine and the traffic between nodes are not wrapped at all.
//
// No log line, label or attribute has a key, a body, or the name of an object, unless
// TraceConfig.Names asks for the last.
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

// Observer is the log, the metrics and the traces of one node. It is safe for concurrent use.
type Observer struct {
	Log *slog.Logger

	registry       *prometheus.Registry
	auditDropped   atomic.Uint64
	limitAccounts  accountNames
	stopping       atomic.Bool
	contradictions contradictions
	strangers      sampler // Limits the lines about requests of unknown callers.
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

// Stopping notes that the node is stopping. Some warnings are none from then on.
func (o *Observer) Stopping() { o.stopping.Store(true) }

// MetricsHandler serves the metrics.
func (o *Observer) MetricsHandler() http.Handler {
	return promhttp.HandlerFor(o.registry, promhttp.HandlerOpts{})
}

// WriteMetrics writes the metrics in the text form that MetricsHandler serves.
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

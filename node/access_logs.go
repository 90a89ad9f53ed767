package node

import (
	"context"
	"fmt"

	"github.com/spf13/pflag"

	"github.com/cairnstore/cairn/s3api"
	"github.com/cairnstore/cairn/s3api/accesslog"
)

// accessLogDir is where access logs wait for delivery, beside the metadata.
const accessLogDir = "access-log"

// minAccessLogSpool is the least room for access logs that wait: some segments.
const minAccessLogSpool = 32 << 20

func (c *Config) accessLogFlags(fs *pflag.FlagSet) {
	fs.DurationVar(&c.AccessLogEvery, "access-log-interval", accesslog.DefaultEvery, "how long requests to buckets with logging are gathered before they are delivered")
	c.AccessLogSpool = accesslog.DefaultSpoolBytes
	fs.Var(&c.AccessLogSpool, "access-log-spool", "disk space, in the first data directory, of access logs that wait for delivery; what is more is lost")
}

func (c *Config) validateAccessLogs() error {
	switch {
	case c.AccessLogEvery <= 0:
		return settingError("access-log-interval", "%s is not a positive duration", c.AccessLogEvery)
	case c.AccessLogSpool < minAccessLogSpool:
		return settingError("access-log-spool", "%s is less than %s", c.AccessLogSpool, Bytes(minAccessLogSpool))
	}
	return nil
}

// openAccessLogs finds the access logs that wait for delivery, and takes new ones from then on.
func (n *Node) openAccessLogs(context.Context) error {
	l, err := accesslog.Open(accesslog.Config{FS: n.env.FS, Dir: n.env.FS.PathJoin(n.home.Dir(), accessLogDir),
		Every: n.cfg.AccessLogEvery, SpoolBytes: int64(n.cfg.AccessLogSpool), Write: s3api.LogWriter(n.s3Config()), Events: n.obs.AccessLogs()})
	if err != nil {
		return fmt.Errorf("%s in %s: %w", accessLogDir, n.home.Dir(), err)
	}
	n.accessLogs = l
	n.later(func(context.Context) error { return l.Close() })
	return nil
}

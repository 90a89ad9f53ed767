package node

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/cairnstore/cairn/node/audit"
)

// auditFlush bounds how long a node that ends waits for the targets of its audit log.
const auditFlush = 5 * time.Second

func (c *Config) auditFlags(fs *pflag.FlagSet) {
	fs.StringVar(&c.Audit.File.Path, "audit-file", "", "write a JSON line of each request to this file (default: no audit log)")
	size := (*Bytes)(&c.Audit.File.Bytes)
	*size = audit.DefaultFileBytes
	fs.Var(size, "audit-file-size", "size at which the audit file becomes FILE.1, FILE.1 becomes FILE.2 and so on")
	fs.IntVar(&c.Audit.File.Keep, "audit-file-keep", audit.DefaultFileKeep, "older audit files that are kept")
	fs.StringVar(&c.Audit.HTTP.URL, "audit-http", "", "post JSON lines of requests to this URL, in batches")
	fs.StringVar(&c.Audit.HTTP.TokenFile, "audit-http-token-file", "", "file with the bearer token of --audit-http; read again for each batch")
}

func (c *Config) validateAudit() error {
	a := &c.Audit
	switch {
	case a.File.Bytes < 1:
		return settingError("audit-file-size", "%d is not a size", a.File.Bytes)
	case a.File.Keep < 0 || a.File.Keep > audit.MaxFileKeep:
		return settingError("audit-file-keep", "%d is not between 0 and %d", a.File.Keep, audit.MaxFileKeep)
	case a.HTTP.TokenFile != "" && a.HTTP.URL == "":
		return settingError("audit-http-token-file", "--audit-http is not set")
	case a.HTTP.URL == "":
		return nil
	}
	if err := audit.CheckURL(a.HTTP.URL); err != nil {
		return settingError("audit-http", "%v", err)
	}
	return nil
}

// openAudit opens the audit log, if the settings want one.
func (n *Node) openAudit(context.Context) error {
	c := n.cfg.Audit
	c.Events = n.obs.Audit()
	l, err := audit.Open(c)
	if err != nil {
		return fmt.Errorf("setting --audit-file: %w", err)
	}
	n.audit = l
	n.later(func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, auditFlush)
		defer cancel()
		if err := l.Close(ctx); err != nil {
			n.log.Warn("the audit log ended before everything was written", "cause", err)
		}
		return nil
	})
	return nil
}

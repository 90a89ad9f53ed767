package node

import (
	"time"

	"github.com/spf13/pflag"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/identity"
)

// Membership is how a node joins its cluster and what it takes for a member.
type Membership struct {
	VoterReplaceAfter time.Duration
	MaxClockSkew      time.Duration
	ShutdownDelay     time.Duration
	AcceptLostDrives  []string

	NodeCertLife                             time.Duration
	InternodeCert, InternodeKey, InternodeCA string
	InternodeNames                           []string

	// For tests of how nodes of several releases, or with wrong clocks, get along.
	PretendLevel int
	PretendClock time.Duration
}

func (c *Config) membershipFlags(fs *pflag.FlagSet) {
	fs.DurationVar(&c.VoterReplaceAfter, "voter-replace-after", 5*time.Minute, "how long a voter of the metadata must be down before another node votes in its place")
	fs.DurationVar(&c.MaxClockSkew, "max-clock-skew", 5*time.Minute, "a node whose clock differs more from the others' is not let in, and changes nothing when it happens later")
	fs.DurationVar(&c.ShutdownDelay, "shutdown-delay", 0, "how long a node that is told to stop goes on serving after /readyz has begun to say no, so that load balancers notice")
	fs.StringSliceVar(&c.AcceptLostDrives, "accept-lost-drive", nil, "ids of drives of this node that are lost for good or replaced: it starts without them")
	fs.DurationVar(&c.NodeCertLife, "node-cert-life", identity.CertLife, "how long the certificates that nodes make for themselves are valid; they are renewed after two thirds of that")
	fs.StringVar(&c.InternodeCert, "internode-cert", "", "certificate file (PEM) of this node for other nodes, in place of one it makes itself; read again when it changes")
	fs.StringVar(&c.InternodeKey, "internode-key", "", "key file (PEM) of --internode-cert")
	fs.StringVar(&c.InternodeCA, "internode-ca", "", "authorities (PEM) that sign all nodes' --internode-cert")
	fs.StringSliceVar(&c.InternodeNames, "internode-names", nil, "with --internode-ca: names that make a certificate one of a node, the same on all nodes, besides the URI cairn://node/NODE-ID: DNS names (the first label may be *) and URIs (which may end with *)")

	fs.IntVar(&c.PretendLevel, "pretend-feature-level", cluster.FeatureLevelMax, "")
	fs.DurationVar(&c.PretendClock, "pretend-clock", 0, "")
	_ = fs.MarkHidden("pretend-feature-level")
	_ = fs.MarkHidden("pretend-clock")
}

// minCertLife leaves time to renew.
const minCertLife = time.Minute

func (c *Config) validateMember() error {
	for _, d := range []struct {
		name string
		d    time.Duration
	}{{"voter-replace-after", c.VoterReplaceAfter}, {"max-clock-skew", c.MaxClockSkew}} {
		if d.d <= 0 {
			return settingError(d.name, "%s is not a positive duration", d.d)
		}
	}
	files := 0
	for _, f := range []string{c.InternodeCert, c.InternodeKey, c.InternodeCA} {
		if f != "" {
			files++
		}
	}
	switch {
	case c.ShutdownDelay < 0:
		return settingError("shutdown-delay", "%s is negative", c.ShutdownDelay)
	case c.NodeCertLife < minCertLife:
		return settingError("node-cert-life", "%s is less than %s", c.NodeCertLife, minCertLife)
	case files != 0 && files != 3:
		return settingError("internode-cert", "--internode-cert, --internode-key and --internode-ca go together")
	case len(c.InternodeNames) > 0 && files == 0:
		return settingError("internode-names", "it is for certificates of --internode-ca")
	case c.PretendLevel < 0:
		return settingError("pretend-feature-level", "%d is negative", c.PretendLevel)
	}
	for _, name := range c.InternodeNames {
		if err := identity.CheckName(name); err != nil {
			return settingError("internode-names", "%v", err)
		}
	}
	for _, id := range c.AcceptLostDrives {
		if _, err := cluster.ParseDriveID(id); err != nil {
			return settingError("accept-lost-drive", "%v", err)
		}
	}
	return nil
}

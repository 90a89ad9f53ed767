package node

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/pflag"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/identity"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/node/member"
	"github.com/cairnstore/cairn/s3api/kms"
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

// agreed are the settings that must be equal on every node, by name, with what must be
// equal of them.
func (c *Config) agreed(root *kms.RootKey) map[string][]string {
	sorted := func(values []string) []string { return slices.Sorted(slices.Values(values)) }
	vault := "none"
	if c.Vault.Address != "" {
		vault = fmt.Sprintf("%q %q %q", c.Vault.Namespace, c.Vault.Mount, c.Vault.KeyPrefix)
	}
	return map[string][]string{
		"kms-root-key":   {root.Fingerprint()},
		"root-user":      {c.RootUser},
		"root-password":  {c.RootPassword},
		"region":         {c.Region},
		"domain":         sorted(c.Domains),
		"website-domain": sorted(c.WebsiteDomains),
		"vault-mount":    {vault},
		"event-target":   sorted(c.EventTargets),
		"cold-scheme":    {c.ColdScheme},
		"gc-grace":       {c.GCGrace.String()},
		"lifecycle-day":  {c.LifecycleDay.String()},
	}
}

// openMembership makes what joins this node to its cluster; it has asked nobody yet.
func (n *Node) openMembership(context.Context) error {
	drives := make([]member.Drive, len(n.drives))
	for i, d := range n.drives {
		drives[i] = d
	}
	n.self = member.New(member.Config{Home: n.home, Peers: n.peers, Group: n.group, Metadata: n.client, HTTP: n.http,
		Clock: n.time, Drives: drives, Describe: n.describe, Version: n.env.Version, RPCAddr: n.cfg.hostPort(n.cfg.RPC),
		Expect: n.cfg.BootstrapExpect, MaxClockSkew: n.cfg.MaxClockSkew, Settings: n.agreed,
		Contradicted: n.anew, Go: n.wg.Go, Fail: n.fail, Events: n.obs.Member(), Log: n.log})
	return nil
}

// describe returns this node as it registers, but for what its membership adds.
func (n *Node) describe() *metapb.Node {
	c := &n.cfg
	out := &metapb.Node{Zone: c.Zone, RpcAddr: c.hostPort(c.RPC), RaftAddr: c.hostPort(c.Raft),
		GossipAddr: c.hostPort(c.Gossip), S3Addr: c.hostPort(c.S3), Version: n.env.Version,
		FeatureLevelMin: min(cluster.FeatureLevelMin, uint32(c.PretendLevel)), FeatureLevelMax: uint32(c.PretendLevel)}
	for i, d := range n.drives {
		out.Drives = append(out.Drives, &metapb.Drive{Id: uint64(d.ID()), CapacityBytes: uint64(d.Usage().CapacityBytes),
			Cold: slices.ContainsFunc(c.ColdDrives, func(dir string) bool { return samePath(dir, c.DataDirs[i]) })})
	}
	return out
}

// clock is what this node tells others of the time.
func (n *Node) clock() time.Time {
	if n.env.Clock != nil {
		return n.env.Clock()
	}
	return time.Now().Add(n.cfg.PretendClock)
}

// contradicted is told that this node's state has refused a command.
func (n *Node) contradicted() {
	select {
	case n.anew <- struct{}{}:
	default: // It is looked at already.
	}
}

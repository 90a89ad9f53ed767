package node

import (
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/cairnstore/cairn/meta/group"
	"github.com/cairnstore/cairn/node/audit"
	"github.com/cairnstore/cairn/s3api/kms"
	"github.com/cairnstore/cairn/s3api/lifecycle"
)

// The credentials of `cairn dev`. A server refuses them.
const (
	DevUser     = "cairnadmin"
	DevPassword = "cairnadmin-secret"
)

// Config is everything that an operator can set. Flags, environment variables (CAIRN_ and the
// flag's name) and a YAML file set the same names; see Flags.
type Config struct {
	DataDirs []string
	// ColdDrives are those of DataDirs that are set aside for cold data.
	ColdDrives []string
	S3         string
	RPC        string
	Raft       string
	Gossip     string
	Console    string // Empty: there is none.

	Advertise       string
	Zone            string
	Join            []string
	BootstrapExpect int
	ClusterKeyFile  string

	RootUser       string
	RootPassword   string
	Region         string
	Domains        []string
	WebsiteDomains []string
	TLSCert        string
	HTTP2          bool
	TLSKey         string

	MetricsAddr    string
	LogLevel       string
	LogFormat      string
	TrustedProxies []string

	OTLPEndpoint string
	TraceSample  float64
	TraceNames   bool

	MemoryBudget     Bytes
	MetadataCache    Bytes
	MetadataLog      Bytes
	MetadataReserve  Bytes
	MetadataBallast  Bytes
	InlineMax        Bytes
	SegmentSize      Bytes
	DriveReserve     Bytes
	VolumesPerScheme int
	KMSRootKeyFile   string
	KMSRootKey       string
	Vault            kms.VaultConfig

	CopyParallel int
	CopyTasks    int

	GCGrace       time.Duration
	BackupHorizon time.Duration
	UpkeepEvery   time.Duration
	ScrubEvery    time.Duration
	HedgeDelay    time.Duration
	SlowClient    time.Duration
	FastDetection bool
	LifecycleDay  time.Duration

	LostAfter            time.Duration
	MoveRate, RepairRate Bytes    // A second.
	EventTargets         []string // ID=URL.
	EventAccounts        []string // ID=ACCOUNT.
	EventTokenFile       string
	AccessLogEvery       time.Duration
	AccessLogSpool       Bytes

	ColdScheme                                     string // DATA+PARITY, or auto.
	RestoreExpedited, RestoreStandard, RestoreBulk time.Duration

	// Knobs are this node's run-time knobs, by the names of package profile. One that is absent has
	// the default of the compat in force. The cluster's settings come before all of them.
	Knobs map[string]string

	Membership
	Connections

	Audit audit.Config // Its targets alone are settings.

	AllowDevCredentials bool // It is no setting: only cairn dev sets it.
}

// Defaults returns the settings with their defaults.
func Defaults() Config {
	var c Config
	c.Flags(pflag.NewFlagSet("", pflag.ContinueOnError))
	return c
}

// Flags registers every setting of c on fs, with its default, unit and meaning.
func (c *Config) Flags(fs *pflag.FlagSet) {
	fs.StringSliceVar(&c.DataDirs, "data", nil, "drives: one directory each, comma separated; the first also holds the metadata")
	fs.StringSliceVar(&c.ColdDrives, "cold-drives", nil, "those of --data that are set aside for cold objects, comma separated; in force where the cluster has them on at least as many nodes as other drives")
	fs.StringVar(&c.S3, "s3", ":9000", "address of the S3 listener")
	fs.StringVar(&c.RPC, "rpc", ":9001", "address of the internode listener: shards, metadata, metrics (mutual TLS)")
	fs.StringVar(&c.Raft, "raft", ":9002", "address of the Raft listener (mutual TLS)")
	fs.StringVar(&c.Gossip, "gossip", ":9003", "address of gossip, TCP and UDP (encrypted)")
	fs.StringVar(&c.Console, "console", "",
		"address of the web console, such as :9004; it has the S3 listener's certificate (default: there "+
			"is none)")
	fs.StringVar(&c.Advertise, "advertise", "", "host name or IP address under which the other nodes reach this one")
	fs.StringVar(&c.Zone, "zone", "", "failure domain of this node, such as a rack or a building")
	fs.StringSliceVar(&c.Join, "join", nil, "gossip addresses of other nodes, comma separated")
	fs.IntVar(&c.BootstrapExpect, "bootstrap-expect", 0, "form a new cluster once this many nodes have found each other (0: only join)")
	fs.StringVar(&c.ClusterKeyFile, "cluster-key-file", "", "file with the cluster key (made by: cairn key new); only its owner may read it")
	fs.StringVar(&c.RootUser, "root-user", "", "access key of the root user; the same on every node")
	fs.StringVar(&c.RootPassword, "root-password", "", "secret key of the root user, at least 8 characters (better set as CAIRN_ROOT_PASSWORD)")
	fs.StringVar(&c.Region, "region", "us-east-1", "region name that clients sign for")
	fs.StringSliceVar(&c.WebsiteDomains, "website-domain", nil, "host names under which buckets that have a website are served as one: BUCKET.NAME; none of --domain")
	fs.StringSliceVar(&c.Domains, "domain", nil, "host names under which buckets are addressed as BUCKET.NAME")
	fs.StringVar(&c.TLSCert, "tls-cert", "", "certificate file (PEM) of the S3 listener; read again when it changes")
	fs.StringVar(&c.TLSKey, "tls-key", "", "key file (PEM) of the S3 listener")
	fs.BoolVar(&c.HTTP2, "http2", false, "speak HTTP/2 with every client of the S3 listener that can, where it has TLS, rather than only with those that know no HTTP/1.1; it costs CPU for large bodies")
	fs.StringVar(&c.MetricsAddr, "metrics-addr", "", "serve /metrics in clear on this address too (default: only on the internode listener)")
	fs.StringVar(&c.LogLevel, "log-level", "info", "debug, info, warn or error")
	fs.StringVar(&c.LogFormat, "log-format", "text", "text or json")
	fs.StringVar(&c.OTLPEndpoint, "otlp-endpoint", "", "send traces to this OTLP/HTTP receiver, such as http://collector:4318 (default: no traces)")
	fs.Float64Var(&c.TraceSample, "trace-sample", 1, "share of requests that are traced, 0 to 1; a client's W3C traceparent decides for its own")
	fs.BoolVar(&c.TraceNames, "trace-names", false, "traces tell the paths of requests, with the names of buckets and objects")
	fs.StringSliceVar(&c.TrustedProxies, "trusted-proxies", nil, "addresses or networks whose X-Forwarded-Proto and X-Forwarded-For are believed")

	c.MemoryBudget, c.MetadataCache, c.InlineMax = 128<<20, 0, 8<<10
	c.SegmentSize, c.DriveReserve = 256<<20, 1<<30
	fs.Var(&c.MemoryBudget, "memory-budget", "buffers of all running requests together; beyond it 503 SlowDown")
	fs.Var(&c.MetadataCache, "metadata-cache", "block cache of the node's databases: the metadata, the Raft log and the drives' indexes (0: a 128th of the memory that the node may use, 64 MiB to 1 GiB)")
	c.MetadataLog = group.DefaultTrailingBytes
	fs.Var(&c.MetadataLog, "metadata-log", "how much of the metadata's log is kept for voters that were away; one that missed more is sent all metadata")
	fs.Var(&c.InlineMax, "inline-max", "largest object kept in the metadata, at most 16KiB")
	fs.Var(&c.SegmentSize, "segment-size", "size of a drive's segment files")
	fs.Var(&c.DriveReserve, "drive-reserve", "free space below which a drive takes no writes")
	fs.IntVar(&c.VolumesPerScheme, "volumes-per-scheme", 12, "volumes made for each coding scheme in use")
	fs.StringVar(&c.KMSRootKeyFile, "kms-root-key-file", "", "file with the key that master keys are sealed under, as hex or base64; the same on every node (default: derived from the cluster key)")
	fs.StringVar(&c.KMSRootKey, "kms-root-key", "", "the same key itself (better set as CAIRN_KMS_ROOT_KEY)")
	fs.StringVar(&c.Vault.Address, "vault-address", "", "URL of a Vault or OpenBao server that is to keep new master keys (default: the cluster keeps them)")
	fs.StringVar(&c.Vault.Namespace, "vault-namespace", "", "namespace of Vault")
	fs.StringVar(&c.Vault.Mount, "vault-mount", kms.DefaultVaultMount, "mount of Vault's Transit engine")
	fs.StringVar(&c.Vault.KeyPrefix, "vault-key-prefix", kms.DefaultVaultPrefix, "what the names of Transit keys begin with")
	fs.StringVar(&c.Vault.CAFile, "vault-ca-file", "", "certificate authority of Vault (PEM; default: the system's)")
	fs.StringVar(&c.Vault.TokenFile, "vault-token-file", "", "file with Vault's token; read again when it changes")
	fs.StringVar(&c.Vault.RoleID, "vault-role-id", "", "role id of Vault's AppRole, in place of a token")
	fs.StringVar(&c.Vault.SecretIDFile, "vault-secret-id-file", "", "file with the secret id of the AppRole")
	fs.DurationVar(&c.Vault.Timeout, "vault-timeout", kms.DefaultVaultTimeout, "how long one request to Vault may take")
	fs.IntVar(&c.CopyParallel, "copy-parallel", 4, "extents of one copy that are re-encoded at once, on all nodes together")
	fs.IntVar(&c.CopyTasks, "copy-tasks", 0, "re-encodings beyond which this node asks others for help, and gives none (0: half its processors)")
	fs.DurationVar(&c.GCGrace, "gc-grace", time.Hour, "how long unreferenced data stays for readers that began before; longer than the longest read")
	fs.DurationVar(&c.BackupHorizon, "backup-horizon", 0, "unreferenced data stays at least this long, so that a restored backup which is not older finds all its data; the same on every node")
	fs.DurationVar(&c.UpkeepEvery, "upkeep-interval", 10*time.Second, "pause between rounds of repair and garbage collection")
	fs.DurationVar(&c.ScrubEvery, "scrub-interval", 14*24*time.Hour, "every shard's checksums are verified once in this time")
	fs.DurationVar(&c.HedgeDelay, "hedge-delay", 150*time.Millisecond, "how long a read waits for a slow drive before it asks another")
	fs.DurationVar(&c.SlowClient, "slow-client-timeout", 30*time.Second, "a client that neither sends nor takes a byte for this long is dropped")
	fs.BoolVar(&c.FastDetection, "fast-detection", false, "notice dead nodes within seconds; for nodes on one machine or one switch")
	c.connectionFlags(fs)
	c.membershipFlags(fs)
	fs.DurationVar(&c.LifecycleDay, "lifecycle-day", lifecycle.DefaultDay, "how long a day of lifecycle rules is; shorter only to try rules out, the same on every node")
	c.lifeFlags(fs)
	c.roomFlags(fs)
	c.coldFlags(fs)
	c.auditFlags(fs)
	c.eventFlags(fs)
	c.accessLogFlags(fs)
	c.knobFlags(fs)
}

// limits of settings.
const (
	minPassword  = 8
	maxInline    = 16 << 10
	minBudget    = 64 << 20
	minSegment   = 128 << 20
	maxDrives    = 64
	minGossipLen = 1

	maxCopyParallel = 64
)

// settingError is a sentence that names the setting at fault.
func settingError(name, format string, args ...any) error {
	return fmt.Errorf("setting --%s: %s", name, fmt.Sprintf(format, args...))
}

// Validate returns the first thing that is wrong with the settings of a server.
func (c *Config) Validate() error {
	if err := c.validateDrives(); err != nil {
		return err
	}
	for _, a := range []struct{ name, addr string }{{"s3", c.S3}, {"rpc", c.RPC}, {"raft", c.Raft}, {"gossip", c.Gossip}} {
		if _, _, err := net.SplitHostPort(a.addr); err != nil {
			return settingError(a.name, "%q is not an address of the form HOST:PORT or :PORT", a.addr)
		}
	}
	if _, _, err := net.SplitHostPort(c.Console); err != nil && c.Console != "" {
		return settingError("console", "%q is not an address of the form HOST:PORT or :PORT", c.Console)
	}
	for _, d := range c.WebsiteDomains {
		if slices.ContainsFunc(c.Domains, func(other string) bool { return strings.EqualFold(other, d) }) {
			return settingError("website-domain", "%s is a --domain too: a host name serves either S3 or websites", d)
		}
	}
	if err := c.validateMembership(); err != nil {
		return err
	}
	if err := c.validateAccess(); err != nil {
		return err
	}
	if err := c.validateCold(); err != nil {
		return err
	}
	if err := c.validateAudit(); err != nil {
		return err
	}
	if err := c.validateAccessLogs(); err != nil {
		return err
	}
	if err := c.validateRoom(); err != nil {
		return err
	}
	if err := c.validateLife(); err != nil {
		return err
	}
	return c.validateKnobs()
}

// samePath reports whether two names are those of one directory.
func samePath(a, b string) bool {
	x, errA := filepath.Abs(a)
	y, errB := filepath.Abs(b)
	return errA == nil && errB == nil && x == y
}

func (c *Config) validateDrives() error {
	if len(c.DataDirs) == 0 {
		return settingError("data", "name at least one directory to keep data in")
	}
	if len(c.DataDirs) > maxDrives {
		return settingError("data", "%d directories; a node has at most %d drives", len(c.DataDirs), maxDrives)
	}
	seen := map[string]bool{}
	for _, d := range c.DataDirs {
		if strings.TrimSpace(d) == "" {
			return settingError("data", "an empty directory name")
		}
		abs, err := filepath.Abs(d)
		if err != nil {
			return settingError("data", "%v", err)
		}
		if seen[abs] {
			return settingError("data", "%s is named twice", d)
		}
		seen[abs] = true
	}
	for _, d := range c.ColdDrives {
		if abs, err := filepath.Abs(d); err != nil || !seen[abs] {
			return settingError("cold-drives", "%s is none of the directories of --data", d)
		}
	}
	return nil
}

func (c *Config) validateMembership() error {
	if c.BootstrapExpect < 0 {
		return settingError("bootstrap-expect", "%d is negative", c.BootstrapExpect)
	}
	if c.Advertise == "" {
		return settingError("advertise", "say under which host name or address the other nodes reach this one (127.0.0.1 for a cluster on one machine)")
	}
	if strings.ContainsAny(c.Advertise, "/ ") || (strings.Contains(c.Advertise, ":") && net.ParseIP(c.Advertise) == nil) {
		return settingError("advertise", "%q must be a host name or an IP address, without a port", c.Advertise)
	}
	if c.ClusterKeyFile == "" {
		return settingError("cluster-key-file", "missing; make a key with `cairn key new > cluster.key && chmod 600 cluster.key` and give every node the same one")
	}
	for _, j := range c.Join {
		if _, port, err := net.SplitHostPort(j); err != nil || len(port) < minGossipLen {
			return settingError("join", "%q is not of the form HOST:PORT (the other node's --gossip port)", j)
		}
	}
	return nil
}

func (c *Config) validateAccess() error {
	switch {
	case c.RootUser == "" || c.RootPassword == "":
		return settingError("root-user", "set --root-user and --root-password (or CAIRN_ROOT_USER and CAIRN_ROOT_PASSWORD)")
	case (c.RootUser == DevUser || c.RootPassword == DevPassword) && !c.AllowDevCredentials:
		return settingError("root-password", "these are the public credentials of `cairn dev`; choose others")
	case len(c.RootPassword) < minPassword:
		return settingError("root-password", "shorter than %d characters", minPassword)
	case strings.ContainsAny(c.RootUser, "/,= \t"):
		return settingError("root-user", "must not hold a slash, comma, equals sign or space")
	case c.KMSRootKey != "" && c.KMSRootKeyFile != "":
		return settingError("kms-root-key", "give the key or --kms-root-key-file, not both")
	case (c.TLSCert == "") != (c.TLSKey == ""):
		return settingError("tls-cert", "--tls-cert and --tls-key go together")
	}
	return nil
}

func (c *Config) validateKnobs() error {
	switch {
	case c.InlineMax < 0 || c.InlineMax > maxInline:
		return settingError("inline-max", "%s is not between 0 and %s", c.InlineMax, Bytes(maxInline))
	case c.MemoryBudget < minBudget:
		return settingError("memory-budget", "%s is less than %s", c.MemoryBudget, Bytes(minBudget))
	case c.SegmentSize < minSegment:
		return settingError("segment-size", "%s is less than %s", c.SegmentSize, Bytes(minSegment))
	case c.VolumesPerScheme < 1:
		return settingError("volumes-per-scheme", "%d is less than 1", c.VolumesPerScheme)
	case c.CopyParallel < 1 || c.CopyParallel > maxCopyParallel:
		return settingError("copy-parallel", "%d is not between 1 and %d", c.CopyParallel, maxCopyParallel)
	case c.CopyTasks < 0:
		return settingError("copy-tasks", "%d is negative", c.CopyTasks)
	}
	for _, d := range []struct {
		name string
		d    time.Duration
	}{{"gc-grace", c.GCGrace}, {"upkeep-interval", c.UpkeepEvery}, {"scrub-interval", c.ScrubEvery}, {"hedge-delay", c.HedgeDelay},
		{"slow-client-timeout", c.SlowClient}, {"lifecycle-day", c.LifecycleDay}} {
		if d.d <= 0 {
			return settingError(d.name, "%s is not a positive duration", d.d)
		}
	}
	if c.BackupHorizon < 0 {
		return settingError("backup-horizon", "%s is negative", c.BackupHorizon)
	}
	if err := c.validateConnections(); err != nil {
		return err
	}
	if err := c.validateMember(); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(c.Knobs)) {
		if err := checkKnob(name, c.Knobs[name]); err != nil {
			return settingError(name, "%v", err)
		}
	}
	if !(c.TraceSample >= 0 && c.TraceSample <= 1) {
		return settingError("trace-sample", "%v is not between 0 and 1", c.TraceSample)
	}
	if err := oneOf("log-format", c.LogFormat, "text", "json"); err != nil {
		return err
	}
	return oneOf("log-level", c.LogLevel, "debug", "info", "warn", "error")
}

func oneOf(name, value string, allowed ...string) error {
	for _, a := range allowed {
		if value == a {
			return nil
		}
	}
	return settingError(name, "%q is not one of %s", value, strings.Join(allowed, ", "))
}

// hostPort returns the address under which others reach a listener of this node.
func (c *Config) hostPort(listen string) string {
	_, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	return net.JoinHostPort(c.Advertise, port)
}

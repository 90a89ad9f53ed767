package node

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
)

// valid returns settings that pass.
func valid() Config {
	c := Defaults()
	c.DataDirs = []string{"/d1", "/d2"}
	c.Advertise = "node1.example.com"
	c.ClusterKeyFile = "cluster.key"
	c.RootUser, c.RootPassword = "admin", "long-enough"
	return c
}

func TestValidateNamesTheSetting(t *testing.T) {
	ok := valid()
	require.NoError(t, ok.Validate())
	for name, c := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"no drive":            {func(c *Config) { c.DataDirs = nil }, "--data"},
		"drive twice":         {func(c *Config) { c.DataDirs = []string{"/a", "/a/"} }, "--data: /a/ is named twice"},
		"bad address":         {func(c *Config) { c.RPC = "9001" }, "--rpc"},
		"no advertise":        {func(c *Config) { c.Advertise = "" }, "--advertise"},
		"advertise with port": {func(c *Config) { c.Advertise = "a:9000" }, "--advertise"},
		"no key file":         {func(c *Config) { c.ClusterKeyFile = "" }, "--cluster-key-file"},
		"join without port":   {func(c *Config) { c.Join = []string{"node2"} }, "--join"},
		"no log interval":     {func(c *Config) { c.AccessLogEvery = 0 }, "--access-log-interval"},
		"a tiny log spool":    {func(c *Config) { c.AccessLogSpool = 1 << 20 }, "--access-log-spool: 1.0MiB is less than 32MiB"},
		"negative expect":     {func(c *Config) { c.BootstrapExpect = -1 }, "--bootstrap-expect"},
		"no root user":        {func(c *Config) { c.RootUser = "" }, "--root-user"},
		"default user":        {func(c *Config) { c.RootUser = DevUser }, "--root-password"},
		"default password":    {func(c *Config) { c.RootPassword = DevPassword }, "--root-password"},
		"short password":      {func(c *Config) { c.RootPassword = "short" }, "--root-password"},
		"two root keys":       {func(c *Config) { c.KMSRootKey, c.KMSRootKeyFile = "k", "f" }, "--kms-root-key"},
		"half of TLS":         {func(c *Config) { c.TLSCert = "a" }, "--tls-cert"},
		"ssec":                {func(c *Config) { c.Knobs = map[string]string{"ssec-plain-http": "yes"} }, "--ssec-plain-http"},
		"inline too large":    {func(c *Config) { c.InlineMax = 1 << 20 }, "--inline-max"},
		"small budget":        {func(c *Config) { c.MemoryBudget = 1 }, "--memory-budget"},
		"negative horizon":    {func(c *Config) { c.BackupHorizon = -1 }, "--backup-horizon"},
		"log too small":       {func(c *Config) { c.MetadataLog = 1 << 20 }, "--metadata-log"},
		"zero grace":          {func(c *Config) { c.GCGrace = 0 }, "--gc-grace"},
		"no copy tasks":       {func(c *Config) { c.CopyParallel = 0 }, "--copy-parallel"},
		"fewer than none":     {func(c *Config) { c.CopyTasks = -1 }, "--copy-tasks"},
		"no such knob":        {func(c *Config) { c.Knobs = map[string]string{"min_part": "1"} }, "there is no setting"},
		"log level":           {func(c *Config) { c.LogLevel = "loud" }, "--log-level"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := valid()
			c.change(&cfg)
			require.ErrorContains(t, cfg.Validate(), c.want)
		})
	}
}

func TestDevCredentialsNeedDev(t *testing.T) {
	c := valid()
	c.RootUser, c.RootPassword, c.AllowDevCredentials = DevUser, DevPassword, true
	require.NoError(t, c.Validate())
}

// fill parses args, then fills from the environment and a file of the given text.
func fill(t *testing.T, text string, args ...string) (Config, error) {
	t.Helper()
	var c Config
	fs := pflag.NewFlagSet("", pflag.ContinueOnError)
	c.Flags(fs)
	require.NoError(t, fs.Parse(args))
	path := ""
	if text != "" {
		path = filepath.Join(t.TempDir(), "cairn.yaml")
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	return c, Fill(fs, path)
}

func TestFlagBeforeEnvironmentBeforeFile(t *testing.T) {
	t.Setenv("CAIRN_ZONE", "from-env")
	t.Setenv("CAIRN_REGION", "from-env")
	c, err := fill(t, "zone: from-file\nregion: from-file\ndata: [/a, /b]\ngc-grace: 5m\nmemory-budget: 256MiB\n",
		"--zone", "from-flag")
	require.NoError(t, err)
	require.Equal(t, "from-flag", c.Zone)
	require.Equal(t, "from-env", c.Region)
	require.Equal(t, []string{"/a", "/b"}, c.DataDirs)
	require.Equal(t, 5*time.Minute, c.GCGrace)
	require.Equal(t, Bytes(256<<20), c.MemoryBudget)
}

func TestFileErrorsNameLineAndSetting(t *testing.T) {
	for text, want := range map[string]string{
		"zone: a\nzoen: b\n":            `line 2: there is no setting "zoen"`,
		"\n\ngc-grace: soon\n":          "line 3",
		"memory-budget: much\n":         "is not a size",
		"- a\n- b\n":                    "must be a list of `name: value` lines",
		"zone: {a: b}\n":                "must be a value or a list",
		"zone: [unclosed\n":             "settings file",
		"config: /etc/other.yaml\n":     "there is no setting",
		"bootstrap-expect: [1, 2, 3]\n": "bootstrap-expect",
	} {
		_, err := fill(t, text)
		require.ErrorContains(t, err, want, "%q", text)
	}
	_, err := fill(t, "# nothing set\n")
	require.NoError(t, err)
}

func TestEnvironmentErrorNamesTheVariable(t *testing.T) {
	t.Setenv("CAIRN_HEDGE_DELAY", "quick")
	_, err := fill(t, "")
	require.ErrorContains(t, err, "CAIRN_HEDGE_DELAY")
}

// Every setting can be written by the name it is read by: what `cairn dev
// --processes` relies on.
func TestEverySettingSurvivesItsText(t *testing.T) {
	want := valid()
	want.Join = []string{"a:1", "b:2"}
	want.Knobs = map[string]string{"compat": "aws", "min-part": "100KiB", "server-header": "My store"}
	fs := pflag.NewFlagSet("", pflag.ContinueOnError)
	var printed Config
	printed.Flags(fs)
	printed = want
	fs.VisitAll(func(f *pflag.Flag) {
		v := f.Value.String()
		if s, ok := f.Value.(pflag.SliceValue); ok {
			v = strings.Join(s.GetSlice(), ",")
		}
		t.Setenv(EnvName(f.Name), v)
	})
	got, err := fill(t, "")
	require.NoError(t, err)
	got.AllowDevCredentials = want.AllowDevCredentials
	for _, s := range []*Config{&got, &want} { // An empty list is an empty list.
		for _, l := range []*[]string{&s.Domains, &s.TrustedProxies} {
			if len(*l) == 0 {
				*l = nil
			}
		}
	}
	require.Equal(t, want, got)
}

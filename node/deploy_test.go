package node_test

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/node"
)

// requireSettings proves that variables are settings of a node, with values that parse.
func requireSettings(t *testing.T, vars map[string]string) {
	cfg := node.Defaults()
	fs := pflag.NewFlagSet("", pflag.ContinueOnError)
	cfg.Flags(fs)
	known := map[string]*pflag.Flag{}
	fs.VisitAll(func(f *pflag.Flag) { known[node.EnvName(f.Name)] = f })
	for name, value := range vars {
		if !strings.HasPrefix(name, "CAIRN_") {
			continue
		}
		require.Contains(t, known, name, "no setting is called so")
		if !strings.Contains(value, "$") {
			require.NoError(t, fs.Set(known[name].Name, value), name)
		}
	}
	require.NotEmpty(t, cfg.DataDirs)
	require.NotEmpty(t, cfg.Join)
	require.NotZero(t, cfg.BootstrapExpect)
	require.NotEmpty(t, cfg.ClusterKeyFile)
}

// TestKubernetesSettings proves that the environment of the manifests' containers holds
// settings. tools/deploy proves that the manifests are whole.
func TestKubernetesSettings(t *testing.T) {
	text, err := os.ReadFile("../deploy/kubernetes/cairn.yaml")
	require.NoError(t, err)
	var set struct {
		Spec struct {
			Replicas int
			Template struct {
				Spec struct {
					Containers []struct {
						Env []struct {
							Name, Value string
							ValueFrom   any `yaml:"valueFrom"`
						}
					}
				}
			}
		}
	}
	docs := bytes.Split(text, []byte("\n---\n"))
	at := slices.IndexFunc(docs, func(d []byte) bool { return bytes.Contains(d, []byte("\nkind: StatefulSet\n")) })
	require.NotEqual(t, -1, at, "no StatefulSet")
	require.NoError(t, yaml.Unmarshal(docs[at], &set))
	vars := map[string]string{}
	for _, e := range set.Spec.Template.Spec.Containers[0].Env {
		vars[e.Name] = e.Value
		if e.ValueFrom != nil {
			vars[e.Name] = "$" // Known only where it runs.
		}
	}
	requireSettings(t, vars)
	require.Equal(t, strconv.Itoa(set.Spec.Replicas), vars["CAIRN_BOOTSTRAP_EXPECT"])
}

// imageUser returns the user of the image, which is not root.
func imageUser(t *testing.T) int64 {
	text, err := os.ReadFile("../deploy/Dockerfile")
	require.NoError(t, err)
	require.Contains(t, string(text), "\nUSER ${UID}:${UID}\n")
	require.Contains(t, string(text), "\nCOPY --chown=${UID}:${UID} bin/data /data\n")
	_, rest, ok := strings.Cut(string(text), "\nARG UID=")
	require.True(t, ok)
	line, _, _ := strings.Cut(rest, "\n")
	user, err := strconv.ParseInt(line, 10, 64)
	require.NoError(t, err)
	require.NotZero(t, user)
	return user
}

// TestCompose proves that docker-compose.yml sets what a node knows, six nodes in
// three zones, each with a volume of its own.
func TestCompose(t *testing.T) {
	text, err := os.ReadFile("../docker-compose.yml")
	require.NoError(t, err)
	var f struct {
		Services map[string]struct {
			Hostname    string
			Environment map[string]string
			Volumes     []string
			User        string
			ReadOnly    bool     `yaml:"read_only"`
			CapDrop     []string `yaml:"cap_drop"`
			Healthcheck struct{ Test []string }
		}
		Volumes map[string]any
	}
	require.NoError(t, yaml.UnmarshalWithOptions(text, &f, yaml.AllowDuplicateMapKey())) // Merged keys are replaced.
	require.Len(t, f.Services, 6)
	zones := map[string]int{}
	for name, s := range f.Services {
		requireSettings(t, s.Environment)
		require.Equal(t, name, s.Environment["CAIRN_ADVERTISE"])
		require.Contains(t, s.Volumes, name+":/data")
		require.Contains(t, f.Volumes, name)
		require.Equal(t, []string{"CMD", "/cairn", "healthcheck"}, s.Healthcheck.Test)
		require.Equal(t, fmt.Sprintf("${NODE_UID:-%d}:${NODE_UID:-%[1]d}", imageUser(t)), s.User)
		require.True(t, s.ReadOnly)
		require.Equal(t, []string{"ALL"}, s.CapDrop)
		zones[s.Environment["CAIRN_ZONE"]]++
	}
	require.Equal(t, map[string]int{"zone1": 2, "zone2": 2, "zone3": 2}, zones)
}

// TestSystemd proves that the example of the unit's environment holds settings.
func TestSystemd(t *testing.T) {
	text, err := os.ReadFile("../deploy/systemd/cairn.env")
	require.NoError(t, err)
	vars := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(line, "#") {
			vars[name] = value
		}
	}
	requireSettings(t, vars)
	unit, err := os.ReadFile("../deploy/systemd/cairn.service")
	require.NoError(t, err)
	require.Contains(t, string(unit), "KillSignal=SIGTERM")
	require.Contains(t, string(unit), "User=cairn")
	require.Contains(t, string(unit), "LimitCORE=0")
	require.Contains(t, string(unit), "EnvironmentFile=/etc/cairn/cairn.env")
}

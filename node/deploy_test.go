package node_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	k8syaml "sigs.k8s.io/yaml"

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

// TestKubernetes decodes the manifests as Kubernetes does, unknown fields refused, and
// proves that their parts belong together.
func TestKubernetes(t *testing.T) {
	text, err := os.ReadFile("../deploy/kubernetes/cairn.yaml")
	require.NoError(t, err)
	var set appsv1.StatefulSet
	services := map[string]corev1.Service{}
	budgets := 0
	for _, doc := range bytes.Split(text, []byte("\n---\n")) {
		var kind struct{ Kind string }
		require.NoError(t, k8syaml.Unmarshal(doc, &kind))
		switch kind.Kind {
		case "StatefulSet":
			require.NoError(t, k8syaml.UnmarshalStrict(doc, &set))
		case "Service":
			var s corev1.Service
			require.NoError(t, k8syaml.UnmarshalStrict(doc, &s))
			require.Equal(t, map[string]string{"app.kubernetes.io/name": "cairn"}, s.Spec.Selector)
			services[s.Name] = s
		case "PodDisruptionBudget":
			var b policyv1.PodDisruptionBudget
			require.NoError(t, k8syaml.UnmarshalStrict(doc, &b))
			require.Equal(t, "cairn", b.Spec.Selector.MatchLabels["app.kubernetes.io/name"])
			require.Equal(t, 1, b.Spec.MaxUnavailable.IntValue())
			budgets++
		default:
			t.Fatalf("a %s", kind.Kind)
		}
	}
	require.Equal(t, 1, budgets)
	require.Contains(t, services, "cairn")
	require.True(t, services[set.Spec.ServiceName].Spec.PublishNotReadyAddresses, "nodes find each other before they are ready")
	require.Equal(t, corev1.ClusterIPNone, services[set.Spec.ServiceName].Spec.ClusterIP)
	require.Equal(t, set.Spec.Selector.MatchLabels, set.Spec.Template.Labels)
	require.Equal(t, appsv1.ParallelPodManagement, set.Spec.PodManagementPolicy)

	pod := set.Spec.Template.Spec
	require.Greater(t, *pod.TerminationGracePeriodSeconds, int64(25), "a graceful stop ends by itself")
	require.False(t, *pod.EnableServiceLinks)
	require.Equal(t, int32(0o400), *pod.Volumes[0].Secret.DefaultMode, "others may not read the key")
	require.Nil(t, pod.SecurityContext.FSGroup, "it would let a group read the key, which a node refuses")
	c := pod.Containers[0]
	vars := map[string]string{}
	for _, e := range c.Env {
		value := e.Value
		if e.ValueFrom != nil {
			value = "$"
		}
		vars[e.Name] = value
	}
	requireSettings(t, vars)
	require.Equal(t, "6", vars["CAIRN_BOOTSTRAP_EXPECT"])
	require.Equal(t, int32(6), *set.Spec.Replicas)
	for _, p := range []*corev1.Probe{c.StartupProbe, c.ReadinessProbe, c.LivenessProbe} {
		require.Equal(t, []string{"/cairn", "healthcheck"}, p.Exec.Command[:2], "there is no shell in the image")
	}
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
	require.Contains(t, string(unit), "EnvironmentFile=/etc/cairn/cairn.env")
}

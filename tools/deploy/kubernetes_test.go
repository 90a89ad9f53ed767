package deploy

import (
	"bytes"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	k8syaml "sigs.k8s.io/yaml"
)

// TestKubernetes decodes the manifests as Kubernetes does, refuses unknown fields, and proves that
// their parts belong together. TestKubernetesSettings of package node proves that their environment
// holds settings of a node.
func TestKubernetes(t *testing.T) {
	text, err := os.ReadFile("../../deploy/kubernetes/cairn.yaml")
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
	nodes := services[set.Spec.ServiceName]
	require.True(t, nodes.Spec.PublishNotReadyAddresses, "nodes find each other before they are ready")
	require.Equal(t, corev1.ClusterIPNone, nodes.Spec.ClusterIP)
	require.Equal(t, set.Spec.Selector.MatchLabels, set.Spec.Template.Labels)
	require.Equal(t, appsv1.ParallelPodManagement, set.Spec.PodManagementPolicy)
	require.Equal(t, int32(6), *set.Spec.Replicas)

	pod := set.Spec.Template.Spec
	require.Greater(t, *pod.TerminationGracePeriodSeconds, int64(25), "a graceful stop ends by itself")
	require.False(t, *pod.EnableServiceLinks)
	require.Equal(t, int32(0o440), *pod.Volumes[0].Secret.DefaultMode, "others may not read the key")
	require.True(t, *pod.SecurityContext.RunAsNonRoot)
	user := *pod.SecurityContext.RunAsUser
	dockerfile, err := os.ReadFile("../../deploy/Dockerfile")
	require.NoError(t, err)
	require.Contains(t, string(dockerfile), fmt.Sprintf("\nARG UID=%d\n", user), "the image's user")
	require.Equal(t, user, *pod.SecurityContext.RunAsGroup)
	require.Equal(t, user, *pod.SecurityContext.FSGroup, "it reads the key, which is root's, by its group")
	require.Equal(t, corev1.FSGroupChangeOnRootMismatch, *pod.SecurityContext.FSGroupChangePolicy,
		"else each start opens the node's files to the group")
	require.False(t, *pod.Containers[0].SecurityContext.AllowPrivilegeEscalation)
	require.Equal(t, []corev1.Capability{"ALL"}, pod.Containers[0].SecurityContext.Capabilities.Drop)
	c := pod.Containers[0]
	for _, p := range []*corev1.Probe{c.StartupProbe, c.ReadinessProbe, c.LivenessProbe} {
		require.Equal(t, []string{"/cairn", "healthcheck"}, p.Exec.Command[:2], "there is no shell in the image")
	}
}

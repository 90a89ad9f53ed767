package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// flagGroup is flags of the server that belong together. Names that end with * are beginnings of names.
type flagGroup struct {
	title string
	flags string
}

// serverGroups are the flags of the server as its help shows them. A flag is in the first group that
// names it. A test proves that each is named.
var serverGroups = []flagGroup{
	{"The node and its cluster",
		"config data cold-drives advertise zone join bootstrap-expect cluster-key-file " +
			"root-user root-password region"},
	{"Listeners and TLS",
		"s3 rpc raft gossip console domain website-domain tls-* http2 metrics-addr " +
			"operator-addresses trusted-proxies " +
			"node-cert-life internode-* max-connections* slow-client-timeout shutdown-delay"},
	{"Logs, traces, audit and access logs", "log-* otlp-endpoint trace-* audit-* access-log-*"},
	{"Events", "event-*"},
	{"Keys of the key service", "kms-* vault-*"},
	{"Memory and disk", "memory-budget metadata-* inline-max segment-size drive-reserve " +
		"volumes-per-scheme accept-lost-drive"},
	{"Background work", "gc-grace backup-horizon upkeep-interval scrub-interval move-rate repair-rate " +
		"lost-after voter-replace-after " +
		"max-clock-skew fast-detection hedge-delay copy-parallel copy-tasks lifecycle-day restore-delay-* cold-scheme"},
	{"How the S3 API answers, which the cluster may change (cairn config)", "*"},
}

// has reports whether the group names a flag.
func (g *flagGroup) has(name string) bool {
	for _, f := range strings.Fields(g.flags) {
		if begin, wild := strings.CutSuffix(f, "*"); name == f || wild && strings.HasPrefix(name, begin) {
			return true
		}
	}
	return false
}

// groupOf returns which group a flag is in.
func groupOf(name string) int {
	for i := range serverGroups {
		if serverGroups[i].has(name) {
			return i
		}
	}
	return len(serverGroups) - 1
}

// groupedUsage is the usage of the server: its flags by groups.
func groupedUsage(cmd *cobra.Command) error {
	sets := make([]*pflag.FlagSet, len(serverGroups))
	for i := range sets {
		sets[i] = pflag.NewFlagSet("", pflag.ContinueOnError)
	}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Name != "help" && !f.Hidden {
			sets[groupOf(f.Name)].AddFlag(f)
		}
	})
	out := cmd.OutOrStderr()
	fmt.Fprintf(out, "Usage:\n  %s\n\nExamples:\n%s\n", cmd.UseLine(), cmd.Example)
	for i, set := range sets {
		fmt.Fprintf(out, "\n%s:\n%s", serverGroups[i].title, set.FlagUsagesWrapped(usualWidth))
	}
	return nil
}

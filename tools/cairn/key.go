package main

import (
	"fmt"
	"runtime"

	"github.com/cairnstore/cairn/cluster/identity"
	"github.com/spf13/cobra"
)

func newKey() *cobra.Command {
	key := &cobra.Command{Use: "key", Short: "Cluster keys"}
	key.AddCommand(&cobra.Command{
		Use:   "new",
		Short: "Print a new cluster key",
		Long: `Print a new cluster key: 32 random bytes as hex. It is the only secret that the
nodes of a cluster share: certificates and the key of gossip come from it.

  (umask 077; cairn key new > cluster.key)`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			text, err := identity.NewKeyText()
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), text)
			return err
		},
	})
	return key
}

// versionLine says what this binary is.
func versionLine() string {
	return fmt.Sprintf("cairn %s %s %s/%s", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

func newVersion() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version of this binary; versions of objects",
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return helpOrUnknown(cmd, args)
			}
			_, err := fmt.Fprintln(cmd.OutOrStdout(), versionLine())
			return err
		},
	}
	cmd.AddCommand(versionsOfObjects()...)
	return cmd
}

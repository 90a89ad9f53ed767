package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/cairnstore/cairn/cluster/identity"
)

func newCert() *cobra.Command {
	cert := &cobra.Command{Use: "cert", Short: "Certificates of the S3 listeners of a small cluster"}
	var dir string
	cmd := &cobra.Command{
		Use:   "new NAME [NAME...]",
		Short: "Make an authority and a certificate for the S3 listeners",
		Long: `Make a certificate for the S3 listeners of a cluster that has no authority of its own,
and the authority that signs it. NAMEs are the host names and addresses by which
clients reach the nodes, or a load balancer before them; a name stands for BUCKET.NAME
too. One certificate serves all nodes. It is valid for 397 days; run the same command
again before, and give the nodes the new files: they read them by themselves. The
authority stays the same for ten years. Keep ca.key away from the nodes.

Exit status: 0 ok, 1 the files cannot be made, 2 wrong usage.`,
		Example: "  cairn cert new --out tls node1.example.com node2.example.com s3.example.com",
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case dir == "":
				return &statusError{exitUsage, errors.New("--out is missing: the directory that the files go to")}
			case len(args) == 0:
				return &statusError{exitUsage, errors.New("give the names or addresses by which clients reach the nodes")}
			}
			ca, file, key, err := identity.LocalCA(dir, args)
			if err != nil {
				return err
			}
			return printTable(cmd.OutOrStdout(), func(w io.Writer) {
				row(w, "nodes", fmt.Sprintf("--tls-cert %s --tls-key %s", file, key))
				row(w, "clients", fmt.Sprintf("CAIRN_CA_FILE=%s AWS_CA_BUNDLE=%s", ca, ca))
			})
		},
	}
	cmd.Flags().StringVar(&dir, "out", "", "directory of the files, which is made if need be (required)")
	cert.AddCommand(cmd)
	return cert
}

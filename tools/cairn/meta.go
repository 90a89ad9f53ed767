package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/cairnstore/cairn/cluster/identity"
	metagroup "github.com/cairnstore/cairn/meta/group"
	"github.com/cairnstore/cairn/meta/snapshot"
	"github.com/cairnstore/cairn/node"
	"github.com/cairnstore/cairn/node/admin/adminpb"
)

func newMeta() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "meta",
		Short: "Back the metadata up, restore, recover and mend them",
		Long: `Back the metadata up, restore, recover and mend them.

The metadata say which objects there are and where they lie. They live on the
voters, so a backup is for the loss of most voters, or of what was deleted by
mistake. docs/operations.md tells each procedure step by step.`,
	}
	cmd.AddCommand(newMetaBackup(), newMetaVerify(), newMetaRestore(), newMetaRecover(), newMetaRelease(), newMetaClock(), newMetaCheck(), newMetaMend())
	return cmd
}

func newMetaBackup() *cobra.Command {
	var t target
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Write a consistent backup of the running cluster's metadata",
		Long: `Write a consistent backup of the running cluster's metadata to FILE, which must not
exist. It holds all that was acknowledged before, and can be restored only with the
cluster key. Names, and objects so small that they lie in the metadata, are in clear
in it, as they are on the voters' disks; keys and secrets are sealed. The data of
larger objects is not in it.

Exit status: 0 written and whole, 1 refused or failed, 2 wrong usage, 5 the endpoint
or the cluster's metadata cannot be reached.`,
		Args: oneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := t.resolve(); err != nil {
				return err
			}
			return backupMeta(cmd.Context(), &t, args[0], cmd.ErrOrStderr())
		},
	}
	t.flags(cmd)
	return cmd
}

func oneFile(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return &statusError{exitUsage, fmt.Errorf("%s takes the name of one file", cmd.CommandPath())}
	}
	return nil
}

// backupMeta writes beside the file and renames: what has its name is whole.
func backupMeta(ctx context.Context, t *target, file string, said io.Writer) error {
	if _, err := os.Stat(file); err == nil {
		return &statusError{exitError, fmt.Errorf("%s exists already", file)}
	}
	part := file + ".part"
	f, err := os.OpenFile(part, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	head, size, err := fetchBackup(ctx, t, f)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(part))
	}
	if err := os.Rename(part, file); err != nil {
		return err
	}
	fmt.Fprintf(said, "%s: cluster %s as of log entry %d, %s\n", file, head.ClusterID, head.Index, humanize.IBytes(uint64(size)))
	return nil
}

// fetchBackup receives a backup into f and reads it again to check it.
func fetchBackup(ctx context.Context, t *target, f *os.File) (head snapshot.BackupHead, size int64, err error) {
	c, err := t.streams()
	if err != nil {
		return head, 0, err
	}
	stream, err := c.BackupMetadata(ctx, &adminpb.BackupMetadataRequest{})
	if err != nil {
		return head, 0, t.adminError(err)
	}
	for stream.Receive() {
		n, err := f.Write(stream.Msg().Data)
		if err != nil {
			return head, 0, errors.Join(err, stream.Close())
		}
		size += int64(n)
	}
	if err := stream.Err(); err != nil {
		_ = stream.Close()
		return head, 0, t.adminError(err)
	}
	_ = stream.Close()
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return head, 0, err
	}
	head, err = snapshot.VerifyBackup(f, nil)
	return head, size, err
}

func newMetaVerify() *cobra.Command {
	var keyFile string
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: "Check that a backup is whole",
		Long: `Check that a backup is whole. With --cluster-key-file, also that it was made with
that key and nobody has changed it.

Exit status: 0 whole, 1 damaged or not of that key, 2 wrong usage.`,
		Args: oneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			var mac []byte
			if keyFile != "" {
				keys, err := identity.LoadKeyFile(keyFile)
				if err != nil {
					return &statusError{exitUsage, err}
				}
				secret := keys.Secret(node.LabelBackup)
				mac = secret[:]
			}
			f, err := os.Open(args[0])
			if err != nil {
				return &statusError{exitUsage, err}
			}
			defer f.Close()
			head, err := snapshot.VerifyBackup(f, mac)
			if err != nil {
				return err
			}
			return printHead(cmd.OutOrStdout(), head)
		},
	}
	cmd.Flags().StringVar(&keyFile, "cluster-key-file", "", "file with the cluster key (default: only damage is looked for)")
	return cmd
}

func printHead(out io.Writer, h snapshot.BackupHead) error {
	_, err := fmt.Fprintf(out, "cluster   %s\nmade      %s by node %s (%s)\nlog entry %d (term %d)\nera       %d\n",
		h.ClusterID, h.MadeAt, h.Node, h.Version, h.Index, h.Term, h.Era)
	return err
}

func newMetaRestore() *cobra.Command {
	var dir, keyFile string
	var yes bool
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Make the metadata of a new single voter from a backup, offline",
		Long: `Make the metadata of a new single voter from a backup. The node must not run. --data
is its first data directory: one without metadata, or an empty one. All other nodes
must be stopped, and their metadata moved away, before this one starts.

What was written after the backup is lost, what was deleted after it is there again
(and cannot be read where its data is gone). Data that the metadata do not know is
kept until ` + "`cairn meta release-orphans`" + `.

Exit status: 0 restored, 1 refused, not confirmed or failed, 2 wrong usage.`,
		Args: oneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			if dir == "" || keyFile == "" {
				return &statusError{exitUsage, errors.New("--data and --cluster-key-file are required")}
			}
			keys, err := identity.LoadKeyFile(keyFile)
			if err != nil {
				return &statusError{exitUsage, err}
			}
			return restoreMeta(cmd, args[0], dir, keys, yes)
		},
	}
	cmd.Flags().StringVar(&dir, "data", "", "data directory that is to hold the metadata (required)")
	cmd.Flags().StringVar(&keyFile, "cluster-key-file", "", "file with the cluster key (required)")
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

func restoreMeta(cmd *cobra.Command, file, dir string, keys identity.Keys, yes bool) error {
	f, err := os.Open(file)
	if err != nil {
		return &statusError{exitUsage, err}
	}
	defer f.Close()
	mac := keys.Secret(node.LabelBackup)
	head, err := snapshot.VerifyBackup(f, mac[:])
	if err != nil {
		return err
	}
	if err := printHead(cmd.ErrOrStderr(), head); err != nil {
		return err
	}
	if !yes {
		what := fmt.Sprintf("This makes %s the only voter of cluster %s, as it was at %s: whatever was written since is lost.", dir, head.ClusterID, head.MadeAt)
		if err := confirm(cmd.InOrStdin(), cmd.ErrOrStderr(), what); err != nil {
			return err
		}
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	o, err := node.OpenOffline(vfs.Default, dir)
	if err != nil {
		return err
	}
	r, err := o.Restore(f, keys, head)
	if err = errors.Join(err, o.Close()); err != nil {
		return err
	}
	return printBegun(cmd.OutOrStdout(), o.Node(), r)
}

func printBegun(out io.Writer, id string, r metagroup.Recovered) error {
	_, err := fmt.Fprintf(out, "node %s is the only voter; the metadata end at log entry %d, era %d begins\n"+
		"Next: move meta/ away on all other nodes, start this node, then the others. When all is well: cairn meta release-orphans\n", id, r.Index, r.Era)
	return err
}

func newMetaRecover() *cobra.Command {
	var dir string
	var yes bool
	cmd := &cobra.Command{
		Use:   "recover",
		Short: "Make a node the only voter after most voters are lost for good, offline",
		Long: `Make a node the only voter, with the metadata that it has: for when a majority of the
voters is lost for good. The node must not run. Run it without --yes on each node that
is left to see how far its metadata reach, and recover the one with the greatest last
log entry. What only the lost voters had is lost.

Exit status: 0 recovered, 1 refused, not confirmed or failed, 2 wrong usage.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if dir == "" {
				return &statusError{exitUsage, errors.New("--data is required")}
			}
			return recoverMeta(cmd, dir, yes)
		},
	}
	cmd.Flags().StringVar(&dir, "data", "", "data directory that holds the metadata (required)")
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

func recoverMeta(cmd *cobra.Command, dir string, yes bool) error {
	if _, err := os.Stat(dir); err != nil {
		return &statusError{exitUsage, err}
	}
	o, err := node.OpenOffline(vfs.Default, dir)
	if err != nil {
		return err
	}
	err = recoverOffline(cmd, o, dir, yes)
	return errors.Join(err, o.Close())
}

func recoverOffline(cmd *cobra.Command, o *node.Offline, dir string, yes bool) error {
	has, err := o.HasMetadata()
	if err != nil {
		return err
	}
	if !has {
		return fmt.Errorf("%s holds no metadata: name the directory that has meta/ in it", dir)
	}
	s, err := o.Standing()
	if err != nil {
		return err
	}
	out := cmd.ErrOrStderr()
	fmt.Fprintf(out, "node      %s of cluster %s\nlog entry %d (term %d) is the last one here\nmembers  ", o.Node(), o.Cluster(), s.LastIndex, s.LastTerm)
	for _, m := range s.Members {
		kind := "standby"
		if m.Voter {
			kind = "voter"
		}
		fmt.Fprintf(out, " %s (%s)", m.Node, kind)
	}
	fmt.Fprintln(out)
	if !yes {
		what := "This makes the node the only voter. Do it only if a majority of those voters will never come back, on the node with the last log entry."
		if err := confirm(cmd.InOrStdin(), out, what); err != nil {
			return err
		}
	}
	r, err := o.Recover()
	if err != nil {
		return err
	}
	return printBegun(cmd.OutOrStdout(), o.Node(), r)
}

func newMetaClock() *cobra.Command {
	var t target
	var yes bool
	cmd := &cobra.Command{
		Use:   "repair-clock",
		Short: "Set the time that object locks are judged by back to what most clocks show",
		Long: `Set the time that object locks are judged by back to what most clocks show, after a
node with a wrong clock has set it ahead. Locks are judged by the latest time of all
that were ever applied, so one wrong clock ends retentions before their time. It is set
to what the clocks of a majority of the voters prove, never below, so nothing that is
kept is let go. Retentions that were ended or begun at the wrong time stay as they are.

Exit status: 0 done, or nothing to do, 1 refused or not confirmed, 2 wrong usage, 5 the
endpoint or the cluster's metadata cannot be reached.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := t.resolve(); err != nil {
				return err
			}
			c, err := t.client()
			if err != nil {
				return err
			}
			return repairClock(cmd, &t, c, yes)
		},
	}
	t.flags(cmd)
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

func repairClock(cmd *cobra.Command, t *target, c api, yes bool) error {
	ctx, cancel := withTimeout(cmd.Context())
	defer cancel()
	plan, err := c.RepairClock(ctx, &adminpb.RepairClockRequest{DryRun: true})
	if err != nil {
		return t.adminError(err)
	}
	if plan.Before == plan.After {
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "nothing to repair: locks are judged by %s, and %d clocks prove %s\n", orNever(plan.Before), plan.Clocks, plan.Proved)
		return err
	}
	if !yes {
		what := fmt.Sprintf("Locks are judged by %s; %d clocks prove %s, to which it is set back.", plan.Before, plan.Clocks, plan.Proved)
		if err := confirm(cmd.InOrStdin(), cmd.ErrOrStderr(), what); err != nil {
			return err
		}
	}
	ctx, cancel = withTimeout(cmd.Context()) // The answer may have taken its time.
	defer cancel()
	done, err := c.RepairClock(ctx, &adminpb.RepairClockRequest{})
	if err != nil {
		return t.adminError(err)
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "locks are judged by %s, no more by %s\n", done.After, done.Before)
	return err
}

func orNever(at string) string {
	if at == "" {
		return "no time yet"
	}
	return at
}

func newMetaRelease() *cobra.Command {
	var t target
	var yes, force bool
	cmd := &cobra.Command{
		Use:   "release-orphans",
		Short: "Let data that restored or recovered metadata do not know be deleted",
		Long: `Let data that restored or recovered metadata do not know be deleted. Until then it is
kept, in case a newer backup turns up. It is refused, naming what is lacking, while a drive
has not been compared with the metadata, or an extent lacks a shard that may be among
what they do not know; --force releases all the same, and what is lacking may be lost.

Exit status: 0 done, 1 refused or not confirmed, 2 wrong usage, 5 the endpoint or the
cluster's metadata cannot be reached.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := t.resolve(); err != nil {
				return err
			}
			if !yes {
				if err := confirm(cmd.InOrStdin(), cmd.ErrOrStderr(), "Data that the metadata do not know is deleted for good, on all drives."); err != nil {
					return err
				}
			}
			c, err := t.client()
			if err != nil {
				return err
			}
			ctx, cancel := withTimeout(cmd.Context())
			defer cancel()
			if _, err := c.ReleaseOrphans(ctx, &adminpb.ReleaseOrphansRequest{Force: force}); err != nil {
				return t.adminError(err)
			}
			return nil
		},
	}
	t.flags(cmd)
	cmd.Flags().BoolVar(&force, "force", false, "also while extents lack shards that may be among what is released")
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

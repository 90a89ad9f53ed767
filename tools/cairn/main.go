// Command cairn is Cairn: the server, a cluster to play with, and the admin
// commands. Run `cairn --help`.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/cairnstore/cairn/cluster/errs"
)

// version is set by the build.
var version = "unknown"

// Exit statuses, listed in the root command's help.
const (
	exitOK          = 0
	exitError       = 1
	exitUsage       = 2
	exitNotFound    = 3
	exitUnavailable = 5
	exitInterrupted = 130
)

// statusError carries the status with which the process should end.
type statusError struct {
	status int
	err    error // Nil: the status says it all.
}

func (e *statusError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.status)
	}
	return e.err.Error()
}

func (e *statusError) Unwrap() error { return e.err }

func main() {
	if err := harden(); err != nil {
		fmt.Fprintln(os.Stderr, "cairn: core dumps and the reading of memory cannot be turned off:", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:]))
}

func run(ctx context.Context, args []string) int {
	root := newRoot()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	var se *statusError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &se):
		if se.err != nil {
			fmt.Fprintln(os.Stderr, "cairn:", sentence(err))
		}
		return se.status
	case ctx.Err() != nil:
		return exitInterrupted
	}
	fmt.Fprintln(os.Stderr, "cairn:", sentence(err))
	return exitError
}

// sentence is what of an error a person needs.
func sentence(err error) string {
	if se, ok := err.(*statusError); ok && se.err != nil {
		err = se.err
	}
	return errs.Sentence(err)
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "cairn",
		Short: "A distributed, erasure-coded object store that S3 and OBS clients use as they are",
		Long: `Cairn is a distributed, erasure-coded object store that S3 and OBS clients use as they are.

  cairn dev       start a cluster on this machine to play with
  cairn server    run one node of a cluster
  cairn status    how the cluster is; see also health, doctor, node, drive, volume, job
  cairn top       what it is doing; see also trace, logs, support
  cairn account   accounts; see also user, group, role, policy, accesskey
  cairn bucket    buckets and what they hold; see also upload
  cairn object    how an object lies on the drives; deleting many
  cairn ls        buckets and objects of any store; see also cp, mv, cat, put, rm, mb, rb,
                  stat, sync, du, find, presign, share, tag, version, restore

Exit status: 0 ok, 1 refused or failed, 2 wrong usage, 3 not found, 5 unavailable,
130 interrupted.`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       versionLine(),
		Args:          cobra.ArbitraryArgs,
		RunE:          helpOrUnknown,
	}
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), ".FlagUsages ", fmt.Sprintf(".FlagUsagesWrapped %d ",
		usualWidth)))
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &statusError{exitUsage, fmt.Errorf("%s (see %s --help)", flagFault(err), cmd.CommandPath())}
	})
	root.AddCommand(newServer(), newDev(), newKey(), newCert(), newStatus(), newHealthcheck(), newDoctor(), newVersion(),
		newAccount(), newUser(), newGroup(), newRole(), newPolicy(), newAccessKey(), newIDP(), newKMS(), newConfig(),
		newEventTarget(), newLimit(),
		newBucket(), newUpload(), newObject(), newVerify(),
		newLs(), newCp(), newMv(), newCat(), newPut(), newRm(), newMb(), newRb(), newStat(),
		newSync(), newDu(), newFind(), newPresign(), newShare(), newTag(), newRestore(),
		newHealth(), newNode(), newDrive(), newVolume(), newJob(), newTrace(), newTop(), newLogs(), newSupport(), newMeta())
	giveExamples(root)
	refuseUnknown(root)
	return root
}

// refuseUnknown makes every command that only has others refuse what is none of them.
func refuseUnknown(cmd *cobra.Command) {
	for _, c := range cmd.Commands() {
		refuseUnknown(c)
	}
	if cmd.HasSubCommands() && !cmd.Runnable() {
		cmd.Args, cmd.RunE = cobra.ArbitraryArgs, helpOrUnknown
	}
}

// flagFault says what is wrong with a flag, without the names of the functions that found it.
func flagFault(err error) string {
	var number *strconv.NumError
	if errors.As(err, &number) {
		return strings.Replace(err.Error(), number.Error(), number.Err.Error(), 1)
	}
	return err.Error()
}

// noArgs refuses arguments with a usage status.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return &statusError{exitUsage, fmt.Errorf("%s takes no arguments, got %q", cmd.CommandPath(), args)}
	}
	return nil
}

package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/cairnstore/cairn/node/admin/adminpb"
)

// change is a command that changes what the cluster has decided about a node or a drive.
type change struct {
	noun   string // node or drive.
	remove bool
	undo   bool // Undrain.

	target
	output     string
	yes, force bool
	wait       bool
	slots      uint32 // How many slots were there when the user agreed.
}

func drain(noun string) *cobra.Command {
	c := &change{noun: noun}
	cmd := c.command("drain", "Move everything away from a "+noun, `Move everything away from a `+noun+`: it takes no new data, and its slots move to others,
while clients go on. First a plan is shown and asked for. Where fewer failure domains
would be left than volumes need it is refused; --force does it all the same, and the
plan says which slots will stay. --wait waits until nothing is left there, and fails
when nothing is left but what has to stay; Ctrl-C ends the waiting, not the drain.`)
	cmd.Flags().BoolVar(&c.wait, "wait", false, "wait until nothing is left there")
	return cmd
}

func undrain(noun string) *cobra.Command {
	c := &change{noun: noun, undo: true}
	return c.command("undrain", "Use a "+noun+" again that was to be drained", "Use a "+noun+" again that was to be drained. What has moved away stays where it is.")
}

func remove(noun string) *cobra.Command {
	c := &change{noun: noun, remove: true}
	return c.command("remove", "Forget a drained "+noun+" for good", `Forget a `+noun+` for good: it cannot come back with the data that it has. It has to be
drained, or given up with all its slots rebuilt elsewhere. --force removes it all the
same; the plan says what would be lost.`)
}

func (c *change) command(verb, short, long string) *cobra.Command {
	arg := strings.ToUpper(c.noun)
	cmd := &cobra.Command{Use: verb + " " + arg, Short: short, Long: long + idHelp + "\n\n" + exitHelp,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return &statusError{exitUsage, fmt.Errorf("%s takes %s, got %q", cmd.CommandPath(), arg, args)}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.run(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr(), args[0])
		}}
	c.flags(cmd)
	cmd.ValidArgsFunction = c.completion(cmd.Use)
	outputFlag(cmd, &c.output)
	if !c.undo {
		cmd.Flags().BoolVar(&c.yes, "yes", false, "do not ask for confirmation")
		cmd.Flags().BoolVar(&c.force, "force", false, "do it even if data is less protected then, or lost")
	}
	return cmd
}

func (c *change) run(ctx context.Context, in io.Reader, out, notes io.Writer, name string) error {
	if err := checkOutput(c.output); err != nil {
		return err
	}
	if err := c.resolve(); err != nil {
		return err
	}
	admin, err := c.client()
	if err != nil {
		return err
	}
	switch {
	case !c.undo:
		name, err = c.agree(ctx, admin, in, notes, name)
	case c.output != outputJSON:
		name, err = c.tell(ctx, admin, notes, name)
	}
	if err != nil {
		return err
	}
	callCtx, cancel := withTimeout(ctx)
	defer cancel()
	a, err := c.call(callCtx, admin, name)
	if err != nil {
		return c.adminError(err)
	}
	if c.wait {
		if err := c.await(ctx, admin, notes, name); err != nil || ctx.Err() != nil {
			return err
		}
	}
	if c.output == outputJSON {
		return printMessage(out, a.message)
	}
	return printTable(out, a.table)
}

// agree shows the plan and asks. It returns the whole id, so what was agreed on is what is done.
func (c *change) agree(ctx context.Context, admin api, in io.Reader, notes io.Writer, name string) (string, error) {
	p, err := c.plan(ctx, admin, name)
	if err != nil {
		return "", err
	}
	text := planText(c.noun, p)
	c.slots = p.Slots
	id := p.Node
	if p.Drive != "" {
		id = p.Drive
	}
	switch {
	case p.Refused && !c.force:
		if _, err := fmt.Fprintln(notes, text); err != nil {
			return "", err
		}
		return "", &statusError{exitError, fmt.Errorf("refused: %s", p.Why)}
	case c.yes:
		_, err = fmt.Fprintln(notes, text)
	default:
		err = confirm(in, notes, text)
	}
	return id, err
}

// tell shows what it means to use something again, and returns the whole id.
func (c *change) tell(ctx context.Context, admin api, notes io.Writer, name string) (string, error) {
	p, err := c.plan(ctx, admin, name)
	if err != nil {
		return "", err
	}
	if p.Before != nil {
		_, err = fmt.Fprintf(notes, "Now: %s.\nThen, in time: %s.\n", p.Before.Text, p.After.GetText())
	}
	if p.Drive != "" {
		return p.Drive, err
	}
	return p.Node, err
}

func (c *change) plan(ctx context.Context, admin api, name string) (*adminpb.Plan, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	r := &adminpb.PlanRequest{Node: name, Remove: c.remove, Undrain: c.undo}
	if c.noun == "drive" {
		r.Node, r.Drive = "", name
	}
	p, err := admin.ShowPlan(ctx, r)
	if err != nil {
		return nil, c.adminError(err)
	}
	return p, nil
}

// planText says in sentences what the change would mean.
func planText(noun string, p *adminpb.Plan) string {
	var b strings.Builder
	id := p.Node
	if p.Drive != "" {
		id = p.Drive
	}
	fmt.Fprintf(&b, "%s %s is %s. %s there, with about %s.", strings.ToUpper(noun[:1])+noun[1:], id, p.Life,
		counted(p.Slots, "slot lies", "slots lie"), humanize.IBytes(p.Bytes))
	switch {
	case p.Remove:
		fmt.Fprintf(&b, "\nIt will be forgotten for good, and cannot come back with what it has.")
	case p.Staying > 0:
		fmt.Fprintf(&b, "\n%d of them will move to others, %d will stay.", p.Slots-min(p.Slots, p.Staying), p.Staying)
	case p.Slots > 0:
		fmt.Fprintf(&b, "\nThey will move to others; then nothing is left there.")
	}
	if p.Refused {
		fmt.Fprintf(&b, "\nThis is done only with --force: %s.", p.Why)
	}
	if p.Before != nil {
		fmt.Fprintf(&b, "\nNow: %s.\nThen: %s.", p.Before.GetText(), p.After.GetText())
	}
	for _, l := range p.Losses {
		fmt.Fprintf(&b, "\n! %s.", l)
	}
	return b.String()
}

func (c *change) call(ctx context.Context, admin api, name string) (*answer, error) {
	nodes := &adminpb.ChangeNodeRequest{Node: name, Force: c.force}
	drives := &adminpb.ChangeDriveRequest{Drive: name, Force: c.force}
	switch {
	case c.noun == "node" && c.remove:
		r, err := admin.RemoveNode(ctx, nodes)
		return done(r, err, "node %s removed", name)
	case c.remove:
		r, err := admin.RemoveDrive(ctx, drives)
		return done(r, err, "drive %s removed", name)
	case c.noun == "node" && c.undo:
		n, err := admin.UndrainNode(ctx, nodes)
		return done(n, err, "node %s is %s", n.GetId(), n.GetLife())
	case c.noun == "node":
		n, err := admin.DrainNode(ctx, nodes)
		return done(n, err, "node %s is %s", n.GetId(), n.GetLife())
	case c.undo:
		d, err := admin.UndrainDrive(ctx, drives)
		return done(d, err, "drive %s is %s", d.GetId(), d.GetState())
	}
	d, err := admin.DrainDrive(ctx, drives)
	return done(d, err, "drive %s is %s", d.GetId(), d.GetState())
}

// drainPoll is the pause between two looks of a command that waits.
const drainPoll = time.Second

// await waits until no slot is left, and tells how far it is: on a terminal in one line, elsewhere
// in a line for each change.
func (c *change) await(ctx context.Context, admin api, notes io.Writer, name string) error {
	s := newScreen(notes)
	first, last := c.slots, c.slots+1
	for began := time.Now(); ; {
		p, err := c.plan(ctx, admin, name)
		switch {
		case ctx.Err() != nil:
			_, err := fmt.Fprintln(notes, "\nnot waiting any more; the drain goes on")
			return err
		case err != nil:
			return err
		case p.Life == "active":
			return &statusError{exitError, fmt.Errorf("%s %s is not drained any more: somebody uses it again", c.noun, name)}
		}
		first = max(first, p.Slots)
		line := fmt.Sprintf("%s %d of %d slots moved, %s", bar(uint64(first-p.Slots), uint64(first)), first-p.Slots, first, span(time.Since(began)))
		switch {
		case s.tty != nil:
			_, err = fmt.Fprint(notes, "\r"+line+clearLine)
		case p.Slots != last:
			_, err = fmt.Fprintln(notes, line)
		}
		if err != nil {
			return err
		}
		if last = p.Slots; last <= p.Staying {
			if s.tty != nil {
				_, err = fmt.Fprintln(notes)
			}
			if last > 0 && err == nil {
				err = &statusError{exitError, fmt.Errorf("the %s is not empty: %s", c.noun, strings.Join(p.Losses, "; "))}
			}
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(drainPoll):
		}
	}
}

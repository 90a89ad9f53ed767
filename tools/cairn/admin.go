package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/node/admin/adminpb/adminpbconnect"
)

// exitHelp ends the help of every admin command.
const exitHelp = `Exit status: 0 ok, 1 refused or failed, 2 wrong usage, 3 not found, 5 the endpoint
or the cluster's metadata cannot be reached.`

// api is what admin commands call.
type api = adminpbconnect.AdminServiceClient

// verb is one admin command: what it takes, what it asks of the cluster, and how the answer looks.
type verb struct {
	use     string // Name and arguments in capitals; one in brackets may be left out.
	short   string
	long    string // More than short, if there is more.
	example string

	// ownKeys says that --access-key and --secret-key are the keys to be made. The caller's own
	// keys come from elsewhere.
	ownKeys bool
	flags   func(cmd *cobra.Command)
	// destroys returns a sentence about what cannot be taken back, which the user confirms; nil:
	// everything can.
	destroys func(args []string) string
	run      func(ctx context.Context, c api, in io.Reader, args []string) (*answer, error)
	// s3 is run for what the S3 API does. One of the two is set.
	s3 func(ctx context.Context, c *bucketClient, in io.Reader, args []string) (*answer, error)
}

// answer is what a command shows: message with -o json or if there is no table, otherwise table.
type answer struct {
	message any               // A proto.Message, or a value that encoding/json writes.
	table   func(w io.Writer) // Columns are separated by tabs. May be nil.
}

// noun returns a command that has verbs.
func noun(use, short string, verbs ...verb) *cobra.Command {
	cmd := group(use, short)
	for i := range verbs {
		cmd.AddCommand(verbs[i].command())
	}
	return cmd
}

// group returns a command that does nothing but have others.
func group(use, short string) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Args: cobra.ArbitraryArgs, RunE: helpOrUnknown}
}

// helpOrUnknown is run for a command that has others and was given none of them.
func helpOrUnknown(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	path, hint := cmd.CommandPath(), ""
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = fmt.Sprintf(" Did you mean %s?", strings.Join(near, " or "))
	}
	return &statusError{exitUsage, fmt.Errorf("%s has no command %q (see %s --help).%s", path, args[0], path, hint)}
}

func (v *verb) command() *cobra.Command {
	var t target
	var output string
	var yes bool
	long := v.long
	if long == "" {
		long = v.short + "."
	}
	cmd := &cobra.Command{Use: v.use, Short: v.short, Long: long + "\n\n" + exitHelp, Example: v.example, Args: v.arguments}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := checkOutput(output); err != nil {
			return err
		}
		if err := t.resolve(); err != nil {
			return err
		}
		if v.destroys != nil && !yes {
			if err := confirm(cmd.InOrStdin(), cmd.ErrOrStderr(), v.destroys(args)); err != nil {
				return err
			}
		}
		a, err := v.ask(cmd, &t, args)
		switch {
		case err != nil:
			return err
		case output == outputJSON || a.table == nil:
			return printMessage(cmd.OutOrStdout(), a.message)
		}
		return printTable(cmd.OutOrStdout(), a.table)
	}
	if v.ownKeys {
		t.placeFlags(cmd)
	} else {
		t.flags(cmd)
	}
	outputFlag(cmd, &output)
	if v.destroys != nil {
		cmd.Flags().BoolVar(&yes, "yes", false, "do not ask for confirmation")
	}
	if v.flags != nil {
		v.flags(cmd)
	}
	cmd.ValidArgsFunction = t.completion(v.use)
	return cmd
}

// ask runs the command. Its errors have an exit status.
func (v *verb) ask(cmd *cobra.Command, t *target, args []string) (*answer, error) {
	var own *statusError
	if v.s3 != nil {
		ctx, cancel := context.WithTimeout(cmd.Context(), s3Timeout)
		defer cancel()
		c, err := t.buckets()
		if err != nil {
			return nil, err
		}
		a, err := v.s3(ctx, c, cmd.InOrStdin(), args)
		if err != nil && !errors.As(err, &own) {
			err = t.bucketFailure(err)
		}
		return a, err
	}
	ctx, cancel := withTimeout(cmd.Context())
	defer cancel()
	c, err := t.client()
	if err != nil {
		return nil, err
	}
	a, err := v.run(ctx, c, cmd.InOrStdin(), args)
	if err != nil && !errors.As(err, &own) {
		err = t.adminError(err)
	}
	return a, err
}

// arguments checks that there are as many as use names.
func (v *verb) arguments(cmd *cobra.Command, args []string) error {
	names := strings.Fields(v.use)[1:]
	least := 0
	for _, n := range names {
		if !strings.HasPrefix(n, "[") {
			least++
		}
	}
	endless := len(names) > 0 && strings.HasSuffix(names[len(names)-1], "...]")
	if len(args) < least || len(args) > len(names) && !endless {
		takes := strings.Join(names, " ")
		if takes == "" {
			takes = "no arguments"
		}
		return &statusError{exitUsage, fmt.Errorf("%s takes %s, got %q", cmd.CommandPath(), takes, args)}
	}
	return nil
}

// argument returns args[i], or nothing if it was left out.
func argument(args []string, i int) string {
	if i < len(args) {
		return args[i]
	}
	return ""
}

const (
	outputTable = "table"
	outputJSON  = "json"
)

func outputFlag(cmd *cobra.Command, output *string) {
	cmd.Flags().StringVarP(output, "output", "o", outputTable, "table or json")
}

func checkOutput(output string) error {
	if output != outputTable && output != outputJSON {
		return &statusError{exitUsage, fmt.Errorf("-o %q: table or json", output)}
	}
	return nil
}

// printMessage writes the message of an answer as JSON.
func printMessage(out io.Writer, message any) error {
	if m, ok := message.(proto.Message); ok {
		return printJSON(out, m)
	}
	return printPlain(out, message)
}

// printJSON writes a message with the names of its .proto file, every field of it.
// protojson varies its white space on purpose; the result here does not.
func printJSON(out io.Writer, m proto.Message) error {
	text, err := protojson.MarshalOptions{UseProtoNames: true, EmitUnpopulated: true}.Marshal(m)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := json.Indent(&b, text, "", "  "); err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, b.String())
	return err
}

func printTable(out io.Writer, table func(io.Writer)) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	table(w)
	return w.Flush()
}

// done is the answer of a command that has nothing to show, except that it has succeeded.
func done(m proto.Message, err error, format string, args ...any) (*answer, error) {
	return &answer{m, func(w io.Writer) { fmt.Fprintf(w, format+"\n", args...) }}, err
}

// row writes a row of a table.
func row(w io.Writer, cells ...any) {
	for i, c := range cells {
		if i > 0 {
			fmt.Fprint(w, "\t")
		}
		switch c := c.(type) {
		case []string:
			fmt.Fprint(w, orDash(strings.Join(c, ",")))
		case string:
			fmt.Fprint(w, orDash(c))
		case bool:
			fmt.Fprint(w, yesNo(c))
		default:
			fmt.Fprint(w, c)
		}
	}
	fmt.Fprintln(w)
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// inState is the word for what may be disabled.
func inState(disabled bool) string {
	if disabled {
		return "disabled"
	}
	return "enabled"
}

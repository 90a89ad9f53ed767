package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/s3api/profile"
)

// eachCommand calls f for every command that does something.
func eachCommand(root *cobra.Command, f func(*cobra.Command)) {
	for _, c := range root.Commands() {
		eachCommand(c, f)
	}
	if root.Runnable() && !root.HasSubCommands() && !root.Hidden {
		f(root)
	}
}

// Every command has an example, which is of this command and which the command takes.
func TestEveryCommandHasAnExample(t *testing.T) {
	seen := 0
	eachCommand(newRoot(), func(c *cobra.Command) {
		require.NotEmpty(t, c.Example, c.CommandPath())
		of := 0
		for _, line := range strings.Split(strings.ReplaceAll(c.Example, "\\\n", " "), "\n") {
			words := exampleWords(line)
			if len(words) == 0 || words[0] != "cairn" {
				continue
			}
			root := newRoot()
			found, rest, err := root.Find(words[1:])
			require.NoError(t, err, line)
			if found.CommandPath() != c.CommandPath() {
				continue
			}
			of++
			require.NoError(t, found.ParseFlags(rest), line)
			require.NoError(t, found.ValidateArgs(found.Flags().Args()), line)
		}
		require.NotZero(t, of, "%s: no line of the example is of it:\n%s", c.CommandPath(), c.Example)
		seen++
	})
	require.Greater(t, seen, 100)
	for path := range examples {
		c, _, err := newRoot().Find(strings.Fields(path)[1:])
		require.NoError(t, err, path)
		require.Equal(t, path, c.CommandPath(), "the example of a command that is not there")
	}
}

// exampleWords returns the words of a line for a shell, as far as examples have them: up to a pipe or
// a redirection.
func exampleWords(line string) (words []string) {
	var word strings.Builder
	quoted, any := false, false
	flush := func() {
		if any {
			words = append(words, word.String())
		}
		word.Reset()
		any = false
	}
	for _, r := range line {
		switch {
		case r == '\'':
			quoted, any = !quoted, true
		case quoted:
			word.WriteRune(r)
		case r == ' ':
			flush()
		case r == '|' || r == '>' || r == '<' || r == '#' && !any:
			flush()
			return words
		default:
			word.WriteRune(r)
			any = true
		}
	}
	flush()
	return words
}

// Wrong usage ends every command with exitUsage, before anything is asked.
func TestWrongUsageIsToldEverywhere(t *testing.T) {
	usage := func(args ...string) {
		root := newRoot()
		root.SetArgs(args)
		err := root.ExecuteContext(t.Context())
		var se *statusError
		require.True(t, errors.As(err, &se) && se.status == exitUsage, "%v: %v", args, err)
	}
	usage("frob")
	usage("--frob")
	eachCommand(newRoot(), func(c *cobra.Command) {
		path := strings.Fields(c.CommandPath())[1:]
		if c.Name() == "health" {
			return // Its statuses are those of checks of a monitoring system, where 2 is critical.
		}
		usage(append(path, "--no-such-flag")...)
		if c.Args != nil && !strings.Contains(c.Use, "...") {
			usage(append(path, "a", "b", "c", "d", "e", "f")...)
		}
		if p := c.Parent(); p.HasParent() {
			usage(append(path[:len(path)-1], "no-such-command")...)
		}
	})
}

// Each flag of the server is in a group; the last one has what the cluster may change, and only that.
func TestServerFlagsAreGrouped(t *testing.T) {
	knobs := map[string]bool{}
	for _, k := range profile.Knobs() {
		knobs[k.Name] = true
	}
	names := map[string]bool{"compat": true}
	newServer().Flags().VisitAll(func(f *pflag.Flag) {
		names[f.Name] = true
		if f.Hidden {
			return
		}
		if groupOf(f.Name) == len(serverGroups)-1 {
			require.True(t, knobs[f.Name] || f.Name == profile.CompatKnob, "--%s is in no group", f.Name)
		} else {
			require.False(t, knobs[f.Name], "--%s is a setting of the cluster", f.Name)
		}
	})
	for _, g := range serverGroups {
		for _, f := range strings.Fields(g.flags) {
			if !strings.HasSuffix(f, "*") {
				require.True(t, names[f], "group %q names --%s, which is not there", g.title, f)
			}
		}
	}
}

// Each argument that stands for something the cluster has can be completed.
func TestArgumentsAreCompleted(t *testing.T) {
	own := strings.Fields("FILE OBJECT NAME SIZE VALUE ALIAS UPLOAD VOLUME NUMBER URL " +
		"s3://BUCKET[/PREFIX KEY=VALUE on|suspended sse-s3|KEY LEVEL " +
		"s3://BUCKET s3://BUCKET/KEY SOURCE DEST")
	eachCommand(newRoot(), func(c *cobra.Command) {
		for _, word := range strings.Fields(c.Use)[1:] {
			word = strings.Trim(word, "[].")
			if strings.HasPrefix(word, "flags") || completions[word] != nil {
				continue
			}
			require.Contains(t, own, word, c.CommandPath())
		}
	})
}

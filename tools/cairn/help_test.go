package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/node/admin/adminpb"
)

// Every admin command tells its exit statuses and what each flag is where it is
// left out: pflag prints the defaults that are not empty by itself.
func TestHelpIsWhole(t *testing.T) {
	seen := 0
	var look func(cmd *cobra.Command)
	look = func(cmd *cobra.Command) {
		for _, c := range cmd.Commands() {
			look(c)
		}
		require.NotEmpty(t, cmd.Short, cmd.CommandPath())
		require.NotRegexp(t, `\.$`, cmd.Short, cmd.CommandPath())
		if cmd.HasSubCommands() || cmd.Flags().Lookup("endpoint") == nil {
			return
		}
		seen++
		require.Contains(t, cmd.Long, "Exit status:", cmd.CommandPath())
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			require.NotEmpty(t, f.Usage, "%s --%s", cmd.CommandPath(), f.Name)
			if f.Value.Type() == "bool" || f.DefValue != "" {
				return
			}
			told := strings.Contains(f.Usage, "default") || strings.Contains(f.Usage, "required") || strings.Contains(f.Usage, "CAIRN_")
			require.True(t, told, "%s --%s: %s", cmd.CommandPath(), f.Name, f.Usage)
		})
	}
	root := newRoot()
	look(root)
	require.Greater(t, seen, 40)
}

func TestParseObject(t *testing.T) {
	for _, c := range []struct{ text, bucket, key, version string }{
		{"s3://b/k", "b", "k", ""},
		{"s3://b/a/b c?d", "b", "a/b c?d", ""},
		{"s3://b//k", "b", "/k", ""},
		{"s3://b/k?versionId=null", "b", "k", "null"},
		{"s3://b/100%25?versionId=v", "b", "100%", "v"},
		{"s3://b/k%3FversionId=x?versionId=v", "b", "k?versionId=x", "v"},
		{"s3://b/100%", "b", "100%", ""},
	} {
		bucket, key, version, err := parseObject(c.text)
		require.NoError(t, err, c.text)
		require.Equal(t, []string{c.bucket, c.key, c.version}, []string{bucket, key, version}, c.text)
	}
	for _, text := range []string{"", "b/k", "s3://", "s3://b", "s3://b/", "s3:///k", "s3://b/?versionId=v", "s3://b/k?versionId=", "s3://b/%?versionId=v"} {
		_, _, _, err := parseObject(text)
		require.Error(t, err, text)
	}
}

var update = flag.Bool("update", false, "rewrite docs/commands.md")

const commandsPath = "../../docs/commands.md"

const commandsIntro = "# Commands\n\n" +
	"Every command of `cairn`. `cairn COMMAND --help` tells its flags, what each is where it is left out, and its exit statuses. " +
	"When to use which is said in the operator's manual ([docs/operations.md](operations.md)) and in [docs/access.md](access.md).\n\n" +
	"Generated from tools/cairn by `make docs`; do not edit.\n\n" +
	"| command | what it does |\n| --- | --- |\n"

// TestCommandsDoc proves that docs/commands.md has every command as it is.
func TestCommandsDoc(t *testing.T) {
	var b strings.Builder
	b.WriteString(commandsIntro)
	var look func(cmd *cobra.Command)
	look = func(cmd *cobra.Command) {
		if cmd.Runnable() && !cmd.Hidden && (!cmd.HasSubCommands() || cmd.Name() == "version") {
			line := strings.TrimSuffix(cmd.UseLine(), " [flags]")
			fmt.Fprintf(&b, "| `%s` | %s |\n", strings.ReplaceAll(line, "|", "\\|"), cmd.Short)
		}
		for _, c := range cmd.Commands() {
			look(c)
		}
	}
	look(newRoot())
	if *update {
		require.NoError(t, os.WriteFile(commandsPath, []byte(b.String()), 0o644))
	}
	have, err := os.ReadFile(commandsPath)
	require.NoError(t, err)
	require.True(t, b.String() == string(have),
		"docs/commands.md is not what cairn has: run make docs and look at the difference")
}

// TestEveryMethodHasACommand proves that each method of the admin API is called by a
// command.
func TestEveryMethodHasACommand(t *testing.T) {
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	var source strings.Builder
	for _, f := range files {
		if !strings.HasSuffix(f, "_test.go") {
			text, err := os.ReadFile(f)
			require.NoError(t, err)
			source.Write(text)
		}
	}
	methods := adminpb.File_admin_proto.Services().Get(0).Methods()
	require.Greater(t, methods.Len(), 40)
	for i := range methods.Len() {
		name := string(methods.Get(i).Name())
		switch name {
		case "ShowHistory":
			continue // It is what the charts of the web console are made of; `cairn top` shows what is done now.
		case "SimulateLifecycle":
			continue // It is for the web console; `cairn bucket lifecycle explain` judges what it lists by the S3 API.
		}
		require.Regexp(t, `\.`+name+`\b`, source.String(), "no command calls %s", name)
	}
}

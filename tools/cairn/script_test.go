package main

import (
	"context"
	"net/http/httptest"
	"os"
	"regexp"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/cairnstore/cairn/cluster/effort"
	"github.com/cairnstore/cairn/tools/transfer/transfertest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"cairn": func() { os.Exit(run(context.Background(), os.Args[1:])) },
	})
}

// TestCommands runs the scripts of testdata: what a person sees of the commands,
// their words and their exit statuses.
func TestCommands(t *testing.T) {
	dir, files := "testdata", []string(nil)
	if effort.Lessened() { // Each command is a process, with the goroutines of all others.
		dir, files = "", []string{"testdata/cluster.txtar", "testdata/server.txtar"}
	}
	testscript.Run(t, testscript.Params{
		Dir:           dir,
		Files:         files,
		UpdateScripts: os.Getenv("CAIRN_REWRITE") != "", // Then look at the difference.
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("XDG_CACHE_HOME", e.WorkDir)
			e.Setenv("XDG_CONFIG_HOME", e.WorkDir)
			fake := serveFake()
			e.Defer(fake.Close)
			e.Setenv("FAKE", fake.URL) // A cluster that answers the admin commands.
			objects := &transfertest.Fake{}
			objects.Make("photos")
			store := httptest.NewServer(objects)
			e.Defer(store.Close)
			e.Setenv("STORE", store.URL) // A store that has one bucket, empty.
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"status": expectStatus},
	})
}

// functionName is the operation of an error of cluster/errs, as in "admin.setting: not found", or a
// function of the standard library.
var functionName = regexp.MustCompile(`\b([a-z0-9]+\.[A-Z]|` +
	`(admin|iam|s3api|bucket|meta|node|lifecycle|kms|policy)\.[a-z])[A-Za-z]*: `)

// expectStatus runs a command and compares its exit status: status N cairn ….
func expectStatus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N command ...")
	}
	got := "0"
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit interface{ ExitCode() int }
		if e, ok := err.(interface{ ExitCode() int }); ok {
			exit = e
		} else {
			ts.Fatalf("%v", err)
		}
		got = strconv.Itoa(exit.ExitCode())
	}
	if said := ts.ReadFile("stderr"); functionName.MatchString(said) {
		ts.Fatalf("%v: names of functions are for logs: %s", args[1:], said)
	}
	if got != args[0] {
		ts.Fatalf("%v: exit status %s, want %s", args[1:], got, args[0])
	}
}

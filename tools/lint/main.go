// Command lint proves the rules that no general tool knows:
//
//   - A room imports only rooms that come before it in a list, and docs/architecture.md has the same list.
//     Some packages may be imported by some rooms alone.
//   - No two .proto files have the same name.
//   - Links between documents lead somewhere, the tests that they name are there, and the changelog has a
//     section for what is not released.
//   - No node sends anything through a proxy that its settings do not name.
//   - No test gives up while a busy machine is still at work.
//   - No line of Go and no sentence of a document is too long.
//
// Usage:
//
//	go run ./tools/lint [-shrink]
//
// It reads the package graph from `go list` and prints a line for each breach. The exit status is 0 if
// there is none, 1 if there are some, and 2 if it could not look.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

const module = "github.com/cairnstore/cairn/"

// rooms is the order of docs/architecture.md: a package may import those before it, and none after it.
var rooms = []string{
	"cluster/errs",
	"cluster/cost",
	"cluster/effort",
	"cluster/events",
	"cluster/listen",
	"cluster/knob",
	"cluster",
	"cluster/place",
	"cluster/identity",
	"cluster/gossip",
	"cluster/rpc",
	"shard",
	"shard/buf",
	"shard/stripe",
	"shard/shardtest",
	"shard/drive",
	"shard/wire",
	"meta/metapb",
	"meta/metapb/metapbconnect",
	"meta",
	"meta/keys",
	"meta/files",
	"meta/record",
	"meta/check",
	"meta/query",
	"meta/room",
	"meta/alloc",
	"meta/state",
	"meta/raftlog",
	"meta/snapshot",
	"meta/rafttransport",
	"meta/group",
	"s3api/checksum",
	"s3api/s3err",
	"s3api/wirexml",
	"s3api/policy",
	"s3api/profile",
	"s3api/lifecycle",
	"s3api/bucket",
	"s3api/sigauth",
	"s3api/form",
	"s3api/sse",
	"s3api/kms",
	"s3api/federate",
	"s3api/federate/federatetest",
	"s3api/limit",
	"s3api/iam",
	"s3api/etag",
	"s3api/proof",
	"s3api/lanes",
	"s3api/object",
	"s3api/notify",
	"s3api/accesslog",
	"s3api/spread/spreadpb",
	"s3api/spread",
	"s3api",
	"node/tunable",
	"node/upkeep",
	"node/home",
	"node/member",
	"node/audit",
	"node/observe",
	"node/admin/adminpb",
	"node/admin/adminpb/adminpbconnect",
	"node/trace",
	"node/history",
	"node/admin",
	"node/console",
	"node",
	"node/linear",
	"node/sim",
	"tools/testbed",
	"tools/load",
	"tools/scenarios",
	"tools/netfaults",
	"tools/accept",
	"tools/lint",
	"tools/mutate",
	"tools/replay",
	"tools/bench",
	"tools/e2e",
	"tools/compose",
	"tools/doctor",
	"tools/transfer",
	"tools/transfer/transfertest",
	"tools/cairn",
}

// confined says by the prefix of an import which rooms alone may have it. Tests may import anything.
var confined = map[string][]string{
	"log/slog":                      {"node", "tools"},
	"github.com/prometheus/":        {"node/observe"},
	"go.opentelemetry.io/":          {"node/observe"},
	"github.com/hashicorp/raft":     {"meta/raftlog", "meta/snapshot", "meta/rafttransport", "meta/group"},
	"github.com/hashicorp/memberli": {"cluster/gossip", "node/sim"},
	"github.com/cockroachdb/pebble": {"shard", "meta", "s3api/accesslog", "node", "tools"},
	"github.com/klauspost/reedsolo": {"shard/stripe", "tools/bench"},
	"github.com/spf13/cobra":        {"tools"},
	"net/http":                      {"cluster/rpc", "shard/wire", "meta", "s3api", "node", "tools"},
}

// noOS lists the rooms that must reach files through vfs only, so that a test can put any file system
// there.
var noOS = []string{"shard", "meta", "cluster/place"}

type pkg struct {
	ImportPath string
	Name       string
	Imports    []string
}

func main() {
	shrink := flag.Bool("shrink", false, "take out of tools/lint/*.txt what was mended")
	flag.Parse()
	pkgs, err := list()
	if err != nil {
		fmt.Fprintln(os.Stderr, "lint:", err)
		os.Exit(2)
	}
	var breaches []string
	looks := []func(root string) ([]string, error){
		protoNames, docLinks, namedTests, changelog, documentedRooms, hasty, unraced, proxied, large,
	}
	for _, l := range laws {
		looks = append(looks, func(root string) ([]string, error) { return l.check(root, *shrink) })
	}
	for _, look := range looks {
		found, err := look(".")
		if err != nil {
			fmt.Fprintln(os.Stderr, "lint:", err)
			os.Exit(2)
		}
		breaches = append(breaches, found...)
	}
	for _, p := range pkgs {
		breaches = append(breaches, check(p)...)
	}
	for _, b := range breaches {
		fmt.Println(b)
	}
	if len(breaches) > 0 {
		os.Exit(1)
	}
}

func list() ([]pkg, error) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Name,Imports", "./...").Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	var pkgs []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs, nil
		} else if err != nil {
			return nil, err
		}
		pkgs = append(pkgs, p)
	}
}

// protoNames finds .proto files that have the same name. A file is registered by its name alone,
// without its folder, so a program that has both would panic when it starts.
func protoNames(root string) (breaches []string, err error) {
	seen := map[string]string{}
	err = eachFile(root, func(path string, _ []byte) error {
		name := filepath.Base(path)
		if seen[name] != "" {
			breaches = append(breaches, fmt.Sprintf("%s has the name of %s: rename one", path, seen[name]))
		} else {
			seen[name] = path
		}
		return nil
	}, ".proto")
	return breaches, err
}

func check(p pkg) (breaches []string) {
	room := strings.TrimPrefix(p.ImportPath, module)
	at := slices.Index(rooms, room)
	if at < 0 {
		return []string{fmt.Sprintf("%s: not in the list of rooms (tools/lint, docs/architecture.md)", room)}
	}
	for _, imp := range p.Imports {
		if to, ok := strings.CutPrefix(imp, module); ok && slices.Index(rooms, to) > at {
			breaches = append(breaches, fmt.Sprintf("%s imports %s, which lies above it", room, to))
		}
		if imp == "os" && within(room, noOS) {
			breaches = append(breaches, fmt.Sprintf("%s imports os: files are reached through vfs there", room))
		}
		for what, where := range confined {
			if strings.HasPrefix(imp, what) && !within(room, where) {
				breaches = append(breaches, fmt.Sprintf("%s imports %s, which is kept to %s", room, imp, strings.Join(where, ", ")))
			}
		}
	}
	slices.Sort(breaches)
	return breaches
}

// within reports whether room is one of these rooms, or lies below one.
func within(room string, in []string) bool {
	return slices.ContainsFunc(in, func(r string) bool {
		return room == r || strings.HasPrefix(room, r+"/")
	})
}

package node

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/spf13/pflag"
)

// Bytes is a size as people write it: 64KiB, 5MB, 1048576.
type Bytes int64

// String returns the size in binary units.
func (b Bytes) String() string { return strings.ReplaceAll(humanize.IBytes(uint64(b)), " ", "") }

// Set implements pflag.Value.
func (b *Bytes) Set(s string) error {
	v, err := humanize.ParseBytes(s)
	if err != nil || v > 1<<62 {
		return fmt.Errorf("%q is not a size such as 64KiB, 5MB or 1048576", s)
	}
	*b = Bytes(v)
	return nil
}

// Type implements pflag.Value.
func (b *Bytes) Type() string { return "size" }

// EnvName returns the environment variable of a setting: CAIRN_ROOT_USER for
// root-user.
func EnvName(flag string) string {
	return "CAIRN_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// Fill gives each setting of fs that no flag set its value from the environment,
// or else from the YAML file at path (empty: none). An unknown name in the file
// or a value that does not parse is an error that names it and its place.
func Fill(fs *pflag.FlagSet, path string) error {
	file, err := readSettings(fs, path)
	if err != nil {
		return err
	}
	var errsAll []error
	fs.VisitAll(func(f *pflag.Flag) {
		if f.Changed {
			return
		}
		if v, ok := os.LookupEnv(EnvName(f.Name)); ok && v != "" {
			if err := fs.Set(f.Name, v); err != nil {
				errsAll = append(errsAll, fmt.Errorf("environment variable %s: %w", EnvName(f.Name), err))
			}
			return
		}
		if s, ok := file[f.Name]; ok {
			if err := fs.Set(f.Name, s.value); err != nil {
				errsAll = append(errsAll, fmt.Errorf("%s line %d: %w", path, s.line, err))
			}
		}
	})
	return errors.Join(errsAll...)
}

// otherEnv are variables of Cairn's that are no settings of a server: those of the admin
// commands, which may be set for the same machine or container.
var otherEnv = []string{"CAIRN_CONFIG", "CAIRN_ENDPOINT", "CAIRN_ACCESS_KEY", "CAIRN_SECRET_KEY", "CAIRN_CA_FILE", "CAIRN_PROFILE",
	"CAIRN_NEW_ACCESS_KEY", "CAIRN_NEW_SECRET_KEY", "CAIRN_INTERNAL_DEV"}

// serviceEnv are variables that Kubernetes and Docker links set for services whose names
// begin with cairn.
var serviceEnv = regexp.MustCompile(`^CAIRN_([A-Z0-9_]+_)?(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_[0-9]+_(TCP|UDP)(_(PROTO|PORT|ADDR))?)?)$`)

// CheckEnv refuses variables that look like settings and are none: one that is misspelt
// would leave a node with a default that nobody asked for.
func CheckEnv(fs *pflag.FlagSet, environ []string) error {
	known := slices.Clone(otherEnv)
	fs.VisitAll(func(f *pflag.Flag) { known = append(known, EnvName(f.Name)) })
	var unknown []error
	for _, v := range environ {
		name, _, _ := strings.Cut(v, "=")
		if !strings.HasPrefix(name, "CAIRN_") || slices.Contains(known, name) || serviceEnv.MatchString(name) {
			continue
		}
		meant := ""
		if near := Nearest(name, known); near != "" {
			meant = ": did you mean " + near + "?"
		}
		unknown = append(unknown, fmt.Errorf("environment variable %s is no setting%s (cairn server --help has them all; unset it)", name, meant))
	}
	return errors.Join(unknown...)
}

// misspelt is how many letters a name may differ in from the one that was meant.
const misspelt = 3

// Nearest returns the name that differs least from another one, if it is little; else
// nothing.
func Nearest(name string, known []string) (best string) {
	least := misspelt + 1
	for _, k := range known {
		if d := distance(name, k); d < least {
			best, least = k, d
		}
	}
	return best
}

// distance is how many letters have to be added, left out or replaced (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		last := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := last
			if a[i] != b[j] {
				cost++
			}
			last = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

type fileSetting struct {
	value string
	line  int
}

func readSettings(fs *pflag.FlagSet, path string) (map[string]fileSetting, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("settings file: %w", err)
	}
	doc, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, fmt.Errorf("settings file %s: %w", path, err)
	}
	out := map[string]fileSetting{}
	for _, d := range doc.Docs {
		var pairs []*ast.MappingValueNode
		switch body := d.Body.(type) {
		case nil:
		case *ast.MappingNode:
			pairs = body.Values
		case *ast.MappingValueNode:
			pairs = []*ast.MappingValueNode{body}
		default:
			return nil, fmt.Errorf("settings file %s: must be a list of `name: value` lines", path)
		}
		for _, p := range pairs {
			name, line := p.Key.GetToken().Value, p.Key.GetToken().Position.Line
			if fs.Lookup(name) == nil || name == "config" || name == "help" {
				return nil, fmt.Errorf("settings file %s line %d: there is no setting %q; see cairn server --help", path, line, name)
			}
			value, err := settingText(p.Value)
			if err != nil {
				return nil, fmt.Errorf("settings file %s line %d: %s: %w", path, line, name, err)
			}
			out[name] = fileSetting{value, line}
		}
	}
	return out, nil
}

// settingText returns a YAML value as a flag would be given it: a list is joined
// by commas.
func settingText(n ast.Node) (string, error) {
	var v any
	if err := yaml.NodeToValue(n, &v); err != nil {
		return "", err
	}
	switch v := v.(type) {
	case []any:
		items := make([]string, len(v))
		for i, e := range v {
			items[i] = fmt.Sprint(e)
		}
		return strings.Join(items, ","), nil
	case map[string]any:
		return "", errors.New("must be a value or a list")
	case nil:
		return "", nil
	default:
		return fmt.Sprint(v), nil
	}
}

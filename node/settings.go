package node

import (
	"errors"
	"fmt"
	"os"
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

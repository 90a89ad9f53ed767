package metapb

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

var rewrite = flag.Bool("rewrite", false, "write the golden file anew")

// TestNumbersStay proves that no field and no value of an enum has another number or
// type than in the last release: the metadata hold what was written under the old one.
// What came since then is not in the golden file until the next release writes it anew.
func TestNumbersStay(t *testing.T) {
	const file = "testdata/numbers.golden"
	now := numbers()
	if *rewrite {
		require.NoError(t, os.WriteFile(file, []byte(strings.Join(now, "\n")+"\n"), 0o644))
	}
	released, err := os.ReadFile(file)
	require.NoError(t, err)
	for line := range strings.Lines(string(released)) {
		line = strings.TrimSuffix(line, "\n")
		assert.True(t, slices.Contains(now, line), "%s: released, and gone or changed; a new field has a new number", line)
	}
}

// numbers returns a line for each field and each value of an enum, sorted.
func numbers() (out []string) {
	protoregistry.GlobalFiles.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		if f.Package() == File_records_proto.Package() {
			out = append(out, ofMessages(f.Messages())...)
			out = append(out, ofEnums(f.Enums())...)
		}
		return true
	})
	slices.Sort(out)
	return out
}

func ofMessages(all protoreflect.MessageDescriptors) (out []string) {
	for i := range all.Len() {
		m := all.Get(i)
		for j := range m.Fields().Len() {
			f := m.Fields().Get(j)
			of := f.Kind().String()
			if f.Message() != nil {
				of = string(f.Message().Name())
			}
			out = append(out, fmt.Sprintf("%s.%s = %d %s %s", m.Name(), f.Name(), f.Number(), f.Cardinality(), of))
		}
		out = append(append(out, ofMessages(m.Messages())...), ofEnums(m.Enums())...)
	}
	return out
}

func ofEnums(all protoreflect.EnumDescriptors) (out []string) {
	for i := range all.Len() {
		values := all.Get(i).Values()
		for j := range values.Len() {
			out = append(out, fmt.Sprintf("%s = %d", values.Get(j).Name(), values.Get(j).Number()))
		}
	}
	return out
}

package form

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/cairnstore/cairn/s3api/s3err"
)

// MaxConditions bounds a policy.
const MaxConditions = 256

// Policy is what may be posted.
type Policy struct {
	expires    time.Time
	conditions []condition
	ranged     bool
	least      int64
	most       int64
}

// condition is one about a field.
type condition struct {
	text   string // As the error shows it.
	field  string // In lower case.
	prefix bool   // The value begins with it.
	value  string
}

func badPolicy(why string) error {
	return s3err.InvalidPolicyDocument.Say("Invalid Policy: " + why)
}

// ParsePolicy parses the policy of a form, base64 of JSON.
func ParsePolicy(text string) (*Policy, error) {
	raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		return nil, badPolicy("it is not base64.")
	}
	expiration, conditions, err := splitPolicy(raw)
	if err != nil {
		return nil, err
	}
	p := &Policy{}
	if p.expires, err = time.Parse(time.RFC3339Nano, expiration); err != nil {
		return nil, badPolicy("Invalid 'expiration' value: '" + short(expiration) + "'")
	}
	if conditions == nil || len(conditions) > MaxConditions {
		return nil, badPolicy("it must have a list 'conditions' of at most " + strconv.Itoa(MaxConditions) + ".")
	}
	for _, c := range conditions {
		if err := p.add(c); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// splitPolicy returns what the two keys of a policy hold. It does not fill a struct, because
// encoding/json would then ignore the case of the keys, and here it counts.
func splitPolicy(raw []byte) (expiration string, conditions []json.RawMessage, err error) {
	var doc map[string]json.RawMessage
	d := json.NewDecoder(bytes.NewReader(raw))
	if err := d.Decode(&doc); err != nil {
		return "", nil, badPolicy("Invalid JSON.")
	}
	if _, err := d.Token(); err != io.EOF {
		return "", nil, badPolicy("Invalid JSON.")
	}
	for key, value := range doc {
		switch key {
		case "expiration":
			err = json.Unmarshal(value, &expiration)
		case "conditions":
			err = json.Unmarshal(value, &conditions)
		default:
			return "", nil, badPolicy("Unexpected: '" + short(key) + "'")
		}
		if err != nil {
			return "", nil, badPolicy("Invalid JSON.")
		}
	}
	return expiration, conditions, nil
}

// add parses one condition: {"field": "value"}, ["eq", "$field", "value"],
// ["starts-with", "$field", "prefix"] or ["content-length-range", least, most].
func (p *Policy) add(raw json.RawMessage) error {
	var exact map[string]string
	if json.Unmarshal(raw, &exact) == nil && len(exact) == 1 {
		for field, value := range exact {
			p.conditions = append(p.conditions, condition{text: compact(raw), field: strings.ToLower(field), value: value})
		}
		return nil
	}
	var list []any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if d.Decode(&list) != nil || len(list) != 3 {
		return badPolicy("Invalid Condition: " + short(compact(raw)))
	}
	operator, _ := list[0].(string)
	if strings.EqualFold(operator, "content-length-range") {
		return p.addRange(raw, list[1], list[2])
	}
	name, named := list[1].(string)
	value, text := list[2].(string)
	field, dollar := strings.CutPrefix(name, "$")
	c := condition{text: compact(raw), field: strings.ToLower(field), value: value, prefix: strings.EqualFold(operator, "starts-with")}
	if !named || !text || !dollar || field == "" || !c.prefix && !strings.EqualFold(operator, "eq") {
		return badPolicy("Invalid Condition: " + short(c.text))
	}
	p.conditions = append(p.conditions, c)
	return nil
}

func (p *Policy) addRange(raw json.RawMessage, from, to any) error {
	least, ok1 := bound(from)
	most, ok2 := bound(to)
	if !ok1 || !ok2 || least > most || p.ranged {
		return badPolicy("Invalid content-length-range: " + short(compact(raw)))
	}
	p.ranged, p.least, p.most = true, least, most
	return nil
}

// bound reads a length: a number, or its digits in quotes.
func bound(v any) (int64, bool) {
	var text string
	switch v := v.(type) {
	case json.Number:
		text = v.String()
	case string:
		text = v
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil && n >= 0
}

// Range returns which length the file may have; most is -1 if any.
func (p *Policy) Range() (least, most int64) {
	if !p.ranged {
		return 0, -1
	}
	return p.least, p.most
}

func refused(why string) error {
	return s3err.AccessDenied.Say("Invalid according to Policy: " + why)
}

// Check checks a form, expanded, to a bucket against its policy.
func (p *Policy) Check(f *Form, bucket string, now time.Time) error {
	if now.After(p.expires) {
		return refused("Policy expired.")
	}
	covered := make(map[string]bool, len(p.conditions))
	for i := range p.conditions {
		c := &p.conditions[i]
		covered[c.field] = true
		value, there := f.Lookup(c.field)
		if c.field == "bucket" && !there {
			value = bucket
		}
		if c.field == "bucket" && value != bucket || !c.holds(value) {
			return refused("Policy Condition failed: " + c.text)
		}
	}
	for _, field := range f.fields {
		if !covered[field.Name] && !exempt[field.Name] && !strings.HasPrefix(field.Name, "x-ignore-") {
			return refused("Extra input fields: " + short(field.Name))
		}
	}
	return nil
}

// exempt are the fields that need no condition. Check refuses a form with any other field that no
// condition covers, unless its name begins with x-ignore-.
var exempt = map[string]bool{"policy": true, "x-amz-signature": true, "signature": true, "awsaccesskeyid": true, "accesskeyid": true}

func (c *condition) holds(value string) bool {
	if !c.prefix {
		return value == c.value
	}
	if c.field != "content-type" || !strings.Contains(value, ",") {
		return strings.HasPrefix(value, c.value)
	}
	for each := range strings.SplitSeq(value, ",") { // A list: each of them.
		if !strings.HasPrefix(strings.TrimSpace(each), c.value) {
			return false
		}
	}
	return true
}

// compact returns JSON on one line.
func compact(raw json.RawMessage) string {
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return ""
	}
	return b.String()
}

// maxShownBytes bounds what of a client's text a message repeats.
const maxShownBytes = 256

func short(s string) string { return strings.ToValidUTF8(s[:min(len(s), maxShownBytes)], "") }

func sizes(proposed int64, name string, allowed int64) []s3err.Field {
	return []s3err.Field{{Name: "ProposedSize", Value: strconv.FormatInt(proposed, 10)}, {Name: name, Value: strconv.FormatInt(allowed, 10)}}
}

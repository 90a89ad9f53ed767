package policy

import (
	"encoding/base64"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// parseOperand reads a value of a policy for the class of the operator. If variables is false, ${
// is plain text.
func (x operator) parseOperand(text string, variables bool) (operand, error) {
	o := operand{text: text}
	ok := true
	want := ""
	switch x.class {
	case textClass:
		var err error
		o.pattern, err = syntax{wildcards: x.wildcards, variables: variables, fold: x.fold}.compile(text)
		return o, err
	case arnClass:
		return o, o.parseARN(syntax{wildcards: true, variables: variables})
	case numberClass:
		o.number, ok = parseNumber(text)
		want = "a decimal number"
	case dateClass:
		o.millis, ok = parseDate(text)
		want = "a date such as 2026-01-31 or 2026-01-31T12:00:00Z, or seconds since 1970"
	case boolClass, nullClass:
		o.truth, ok = parseBool(text)
		want = "true or false"
	case binaryClass:
		var b []byte
		b, err := base64.StdEncoding.DecodeString(text)
		o.bytes, ok = string(b), err == nil
		want = "base64"
	case addressClass:
		o.prefix, ok = parsePrefix(text)
		want = "an address or a range such as 192.0.2.0/24 or 2001:db8::/32"
	}
	if !ok {
		return o, fmt.Errorf("%q is not %s", text, want)
	}
	return o, nil
}

// parseARN compiles the six parts of o.text.
func (o *operand) parseARN(x syntax) error {
	parts := splitARN(o.text, x.variables)
	if len(parts) != len(o.arn) || parts[0] != "arn" {
		return fmt.Errorf("%q is not an ARN: six parts separated by colons, such as arn:aws:iam::ID:user/NAME", o.text)
	}
	for i, part := range parts {
		var err error
		if o.arn[i], err = x.compile(part); err != nil {
			return err
		}
	}
	return nil
}

// splitARN splits text at its first five colons. Colons inside variables do not count.
func splitARN(text string, variables bool) []string {
	var parts []string
	from := 0
	for i := 0; i < len(text) && len(parts) < 5; i++ {
		if variables && strings.HasPrefix(text[i:], "${") {
			if end := variableEnd(text[i:]); end > 0 {
				i += end
			}
		} else if text[i] == ':' {
			parts = append(parts, text[from:i])
			from = i + 1
		}
	}
	return append(parts, text[from:])
}

// parseNumber reads a decimal number. It refuses infinities, NaN and numbers in other bases, all of
// which ParseFloat takes.
func parseNumber(text string) (float64, bool) {
	if strings.Trim(text, "0123456789.+-eE") != "" {
		return 0, false
	}
	n, err := strconv.ParseFloat(text, 64)
	return n, err == nil
}

// dateLayouts are the forms of ISO 8601 in the W3C's note on dates. A year alone is left out,
// because it reads as a number of seconds.
var dateLayouts = [...]string{time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02", "2006-01"}

// maxEpochSeconds is the end of the year 9999, the last one that RFC 3339 can write.
const maxEpochSeconds = 253402300799

// parseDate reads a date, or seconds since 1970, and returns milliseconds since 1970.
func parseDate(text string) (int64, bool) {
	if strings.Trim(strings.TrimPrefix(text, "-"), "0123456789") == "" {
		n, err := strconv.ParseInt(text, 10, 64)
		return n * 1000, err == nil && n >= -maxEpochSeconds && n <= maxEpochSeconds
	}
	for _, layout := range dateLayouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UnixMilli(), true
		}
	}
	return 0, false
}

func parseBool(text string) (truth, ok bool) {
	switch {
	case strings.EqualFold(text, "true"):
		return true, true
	case strings.EqualFold(text, "false"):
		return false, true
	}
	return false, false
}

// parsePrefix reads an address or a range of addresses. Bits beyond the length of the range do not
// matter. An IPv4 address written as IPv6 is taken as IPv4.
func parsePrefix(text string) (netip.Prefix, bool) {
	p, err := netip.ParsePrefix(text)
	if err != nil {
		a, err := netip.ParseAddr(text)
		if err != nil || a.Zone() != "" {
			return netip.Prefix{}, false
		}
		p = netip.PrefixFrom(a, a.BitLen())
	}
	const mapped = 96 // Bits before the IPv4 address.
	if p.Addr().Is4In6() && p.Bits() >= mapped {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-mapped)
	}
	return p.Masked(), true
}

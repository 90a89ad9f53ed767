package wirexml

import (
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/s3err"
)

// MaxLogPrefixBytes bounds the prefix of the keys of logs. It leaves room in a key for what follows
// the prefix.
const MaxLogPrefixBytes = 768

// LogKeys says what follows the prefix in the keys of logs.
type LogKeys uint8

// The ways.
const (
	LogKeysUnsaid     LogKeys = iota // The document does not say; it means LogKeysSimple.
	LogKeysSimple                    // The time of delivery.
	LogKeysByEvent                   // Account, region, bucket and the day of the requests.
	LogKeysByDelivery                // The same, with the day of delivery.
)

// partitionSources are the names of the two ways that have the day in keys. The document may leave
// the name out.
var partitionSources = map[string]LogKeys{"EventTime": LogKeysByEvent, "DeliveryTime": LogKeysByDelivery, "": LogKeysByDelivery}

// Logging is the document that says where the log of the requests to a bucket goes.
type Logging struct {
	Agency               string // At OBS: a role that may write to the target; may be empty.
	TargetBucket, Prefix string // Without a target bucket nothing is logged.
	Keys                 LogKeys
	Grants               []*metapb.Grant // Others who may read or write the logs.
	Names                Grantees        // The names of those in Grants.
}

// AppendXML implements Document.
func (d *Logging) AppendXML(dst []byte, ns string) []byte {
	dst = appendRoot(dst, "BucketLoggingStatus", ns)
	dst = appendOptional(dst, "Agency", d.Agency)
	if d.TargetBucket != "" {
		dst = append(dst, "<LoggingEnabled>"...)
		dst = appendText(dst, "TargetBucket", d.TargetBucket)
		dst = appendText(dst, "TargetPrefix", d.Prefix)
		if len(d.Grants) > 0 {
			dst = append(dst, "<TargetGrants>"...)
			for _, g := range d.Grants {
				dst = appendGrant(dst, g, d.Names)
			}
			dst = append(dst, "</TargetGrants>"...)
		}
		switch d.Keys {
		case LogKeysUnsaid:
		case LogKeysSimple:
			dst = append(dst, "<TargetObjectKeyFormat><SimplePrefix></SimplePrefix></TargetObjectKeyFormat>"...)
		case LogKeysByEvent, LogKeysByDelivery:
			source := "DeliveryTime"
			if d.Keys == LogKeysByEvent {
				source = "EventTime"
			}
			dst = append(dst, "<TargetObjectKeyFormat><PartitionedPrefix>"...)
			dst = appendText(dst, "PartitionDateSource", source)
			dst = append(dst, "</PartitionedPrefix></TargetObjectKeyFormat>"...)
		}
		dst = append(dst, "</LoggingEnabled>"...)
	}
	return append(dst, "</BucketLoggingStatus>"...)
}

// ParseLogging parses a BucketLoggingStatus. Without LoggingEnabled nothing is logged.
func ParseLogging(body []byte, names Grantees) (*Logging, error) {
	s, d, got := newScanner(body), &Logging{Names: names}, leaves{}
	enabled := false
	err := s.document("BucketLoggingStatus", func(name string) error {
		if name != "LoggingEnabled" || enabled {
			return s.leaf(got, name, "Agency")
		}
		enabled = true
		return d.parseEnabled(s)
	})
	if err != nil {
		return nil, err
	}
	d.Agency = got.word("Agency")
	if enabled && d.TargetBucket == "" {
		return nil, s3err.MalformedLoggingStatus.Say("LoggingEnabled needs a TargetBucket.")
	}
	return d, nil
}

func (d *Logging) parseEnabled(s *scanner) error {
	got, granted := leaves{}, false
	err := s.children(func(name string) error {
		switch {
		case name == "TargetGrants" && !granted:
			granted = true
			return d.parseGrants(s)
		case name == "TargetObjectKeyFormat" && d.Keys == LogKeysUnsaid:
			return d.parseKeys(s)
		}
		return s.leaf(got, name, "TargetBucket", "TargetPrefix")
	})
	d.TargetBucket, d.Prefix = got.word("TargetBucket"), got["TargetPrefix"]
	if err == nil && len(d.Prefix) > MaxLogPrefixBytes {
		err = s3err.BadArgument("TargetPrefix", "",
			"The TargetPrefix is longer than 768 bytes: with what is appended to it, it would be no key.")
	}
	return err
}

func (d *Logging) parseGrants(s *scanner) error {
	return s.children(func(name string) error {
		switch {
		case name != "Grant":
			return s.unknown(name)
		case len(d.Grants) == maxGrants:
			return s3err.MalformedLoggingStatus.Say("TargetGrants has at most 100 grants.")
		}
		g, err := parseGrant(s, d.Names)
		if err == nil && (g.Permission == metapb.Permission_PERMISSION_READ_ACP || g.Permission == metapb.Permission_PERMISSION_WRITE_ACP) {
			err = s3err.MalformedLoggingStatus.Say("The Permission of a target grant must be READ, WRITE or FULL_CONTROL.")
		}
		d.Grants = append(d.Grants, g)
		return err
	})
}

// parseKeys parses a TargetObjectKeyFormat, which has one of two elements.
func (d *Logging) parseKeys(s *scanner) error {
	err := s.children(func(name string) error {
		if d.Keys != LogKeysUnsaid {
			return s.unknown(name)
		}
		switch name {
		case "SimplePrefix":
			d.Keys = LogKeysSimple
			_, err := s.leaves()
			return err
		case "PartitionedPrefix":
			got, err := s.leaves("PartitionDateSource")
			if err != nil {
				return err
			}
			var ok bool
			if d.Keys, ok = partitionSources[got.word("PartitionDateSource")]; !ok {
				return s3err.MalformedLoggingStatus.Say("The PartitionDateSource must be EventTime or DeliveryTime.")
			}
			return nil
		}
		return s.unknown(name)
	})
	if err == nil && d.Keys == LogKeysUnsaid {
		err = s3err.MalformedLoggingStatus.Say("A TargetObjectKeyFormat needs a SimplePrefix or a PartitionedPrefix.")
	}
	return err
}

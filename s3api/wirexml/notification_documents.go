package wirexml

import (
	"strings"

	"github.com/cairnstore/cairn/s3api/s3err"
)

// MaxNotificationRules bounds how many rules a bucket may have.
const MaxNotificationRules = 100

// Notification is the document that says which events of a bucket are sent to whom.
type Notification struct{ Rules []NotificationRule }

// NotificationRule is a queue, a topic or a function, and the events that are sent to it.
type NotificationRule struct {
	Form           NotificationForm
	ID, Target     string
	Events         []string
	Prefix, Suffix string
}

// NotificationForm is the element by which a rule is written.
type NotificationForm uint8

// The forms.
const (
	QueueForm NotificationForm = iota
	TopicForm
	FunctionForm
)

// notificationForms are the names of the element of each form, and of the element of its target.
var notificationForms = [...]struct{ rule, target string }{
	QueueForm: {"QueueConfiguration", "Queue"}, TopicForm: {"TopicConfiguration", "Topic"},
	FunctionForm: {"CloudFunctionConfiguration", "CloudFunction"},
}

// AppendXML implements Document.
func (d *Notification) AppendXML(dst []byte, ns string) []byte {
	dst = appendRoot(dst, "NotificationConfiguration", ns)
	for form, names := range notificationForms {
		for i := range d.Rules {
			if r := &d.Rules[i]; r.Form == NotificationForm(form) {
				dst = r.append(append(append(append(dst, '<'), names.rule...), '>'), names.target)
				dst = append(append(append(dst, "</"...), names.rule...), '>')
			}
		}
	}
	return append(dst, "</NotificationConfiguration>"...)
}

func (r *NotificationRule) append(dst []byte, target string) []byte {
	dst = appendOptional(dst, "Id", r.ID)
	dst = appendText(dst, target, r.Target)
	for _, e := range r.Events {
		dst = appendText(dst, "Event", e)
	}
	if r.Prefix == "" && r.Suffix == "" {
		return dst
	}
	dst = append(dst, "<Filter><S3Key>"...)
	for _, f := range []struct{ name, value string }{{"prefix", r.Prefix}, {"suffix", r.Suffix}} {
		if f.value != "" {
			dst = appendText(append(dst, "<FilterRule>"...), "Name", f.name)
			dst = append(appendText(dst, "Value", f.value), "</FilterRule>"...)
		}
	}
	return append(dst, "</S3Key></Filter>"...)
}

// ParseNotification parses a NotificationConfiguration. One without rules turns notifications off.
func ParseNotification(body []byte) (*Notification, error) {
	s, d := newScanner(body), &Notification{}
	err := s.document("NotificationConfiguration", func(name string) error {
		if name == "EventBridgeConfiguration" {
			return s3err.NotImplemented.Say("There is no EventBridge: name a queue, a topic or a function.")
		}
		for form, names := range notificationForms {
			if names.rule != name {
				continue
			}
			if len(d.Rules) == MaxNotificationRules {
				return tooMany("configurations", MaxNotificationRules)
			}
			r, err := parseNotificationRule(s, NotificationForm(form))
			d.Rules = append(d.Rules, r)
			return err
		}
		return s.unknown(name)
	})
	if err != nil {
		return nil, err
	}
	return d, nil
}

func parseNotificationRule(s *scanner, form NotificationForm) (NotificationRule, error) {
	r := NotificationRule{Form: form}
	got := leaves{}
	target := notificationForms[form].target
	err := s.children(func(name string) error {
		switch name {
		case "Event":
			text, err := s.text()
			r.Events = append(r.Events, strings.TrimSpace(text))
			return err
		case "Filter":
			return r.parseFilter(s)
		}
		return s.leaf(got, name, "Id", target)
	})
	if err != nil {
		return r, err
	}
	r.ID, r.Target = got["Id"], got.word(target)
	switch {
	case r.Target == "":
		return r, s3err.MalformedXML.Say("A " + notificationForms[form].rule + " needs a " + target + ".")
	case len(r.Events) == 0:
		return r, s3err.MalformedXML.Say("A " + notificationForms[form].rule + " needs an Event.")
	case len([]rune(r.ID)) > maxRuleIDRunes:
		return r, s3err.BadArgument("Id", "", "ID length should not exceed allowed limit of 255")
	}
	return r, nil
}

// parseFilter parses a Filter. Its S3Key has at most one prefix and one suffix.
func (r *NotificationRule) parseFilter(s *scanner) error {
	set := map[string]bool{}
	return s.children(func(name string) error {
		if name != "S3Key" {
			return s.unknown(name)
		}
		return s.children(func(name string) error {
			if name != "FilterRule" {
				return s.unknown(name)
			}
			got, err := s.leaves("Name", "Value")
			if err != nil {
				return err
			}
			which := strings.ToLower(got.word("Name"))
			switch {
			case which != "prefix" && which != "suffix":
				return s3err.BadArgument("FilterRule.Name", "", "filter rule name must be either prefix or suffix")
			case set[which]:
				return s3err.BadArgument("FilterRule.Name", "",
					"Cannot specify more than one "+which+" rule in a filter.")
			case which == "prefix":
				r.Prefix = got["Value"]
			default:
				r.Suffix = got["Value"]
			}
			set[which] = true
			return nil
		})
	})
}

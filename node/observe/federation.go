package observe

import (
	"net/http"

	"github.com/cairnstore/cairn/s3api/federate"
	"github.com/cairnstore/cairn/s3api/iam"
)

// STSDone counts a request to STS.
func (o *Observer) STSDone(d *iam.STSDone) {
	action, outcome := d.Action, "done"
	if action == "" {
		action = "none"
	}
	switch {
	case d.Status >= http.StatusInternalServerError:
		outcome = "failed"
	case d.Status >= http.StatusBadRequest:
		outcome = "refused"
	}
	o.m.sts.WithLabelValues(action, outcome).Inc()
}

// Federation returns the events of identity providers.
func (o *Observer) Federation() federate.Events {
	return federate.Events{Asked: func(provider string, err error) {
		outcome := "answered"
		if err != nil {
			outcome = "failed"
			o.Log.Warn("an identity provider does not tell its keys", "provider", provider, "cause", err)
		}
		o.m.providersAsked.WithLabelValues("oidc", outcome).Inc()
	}}
}

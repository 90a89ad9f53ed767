package observe

import (
	"sync"
	"time"

	"github.com/cairnstore/cairn/s3api/limit"
)

// limitAccountsMax bounds how many accounts metrics name.
const limitAccountsMax = 256

// accountNames are the accounts that metrics name: the first ones to be told of.
type accountNames struct {
	mu    sync.Mutex
	known map[string]bool
}

// label returns what metrics call an account.
func (a *accountNames) label(account string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.known[account]:
		return account
	case len(a.known) >= limitAccountsMax:
		return limit.Others
	case a.known == nil:
		a.known = map[string]bool{}
	}
	a.known[account] = true
	return account
}

// Limited counts a request that a limit refused.
func (o *Observer) Limited(account, measure string) {
	o.m.limited.WithLabelValues(o.limitAccounts.label(account), measure).Inc()
}

// Paced counts how long bytes of a request have waited for what limits allow.
func (o *Observer) Paced(account string, d time.Duration) {
	o.m.paced.WithLabelValues(o.limitAccounts.label(account)).Add(d.Seconds())
}

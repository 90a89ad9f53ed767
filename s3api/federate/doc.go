// Package federate asks identity providers who somebody is: it verifies tokens of OpenID Connect.
//
// In: a provider, as an administrator has described it, and a token that a stranger sends. Out: the
// claims of the token, if the provider has signed it for this cluster and its time is not over.
//
// What a stranger may cost is bounded. A token is looked at only if it is short and names a known
// provider. The keys of a provider are remembered. They are asked for anew when they are old, or
// when a token names a key that is not among them, but not more often than RefreshInterval, and
// less often while the provider fails. Documents of a provider are bounded in size, and answers in
// time.
//
// This package knows nothing of accounts, roles and policies. Everything is safe for concurrent use.
package federate

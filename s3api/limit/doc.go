// Package limit says how much callers may take: requests and bytes per second, and requests at once,
// of an account, a user, an access key or a bucket.
//
// A limit holds for the whole cluster. Each node has a share of it, and counts against its share
// alone: no request asks another node or the metadata. Once a second the nodes tell each other what
// was asked of them, and each computes its share from that (see split). All compute from the same
// numbers, so the shares together are the limit.
//
// A Meter is a token bucket. Requests beyond it are refused; bytes that are under way wait. Time is
// that of package time, which a synctest bubble replaces.
package limit

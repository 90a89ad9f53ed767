package s3api

// HostBucket returns a function that returns the bucket that a Host header names, as a virtual host
// of one of the domains; empty: none. sigauth needs it, because V2 and OBS sign the bucket.
func HostBucket(domains []string) func(host string) string {
	return (&server{cfg: Config{Domains: domains}}).hostBucket
}

package s3api

// HostBucket returns the function that says which bucket a Host header names as a
// virtual host of one of the domains; empty if none. sigauth needs it, for V2 and OBS
// sign the bucket.
func HostBucket(domains []string) func(host string) string {
	return (&server{cfg: Config{Domains: domains}}).hostBucket
}

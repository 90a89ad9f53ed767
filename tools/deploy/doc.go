// Package deploy checks the files of deploy/ with the parsers of the programs that will read them. It
// decodes the manifests into the types of Kubernetes and refuses unknown fields. It parses the queries
// of the alerts and of the dashboard with Prometheus' own parser.
//
// It is a module of its own, since these parsers bring more modules than all of Cairn, and nothing that
// is shipped needs them. It imports nothing of Cairn: it reads in docs/metrics.md which metrics there
// are, and a test of node/observe keeps that document true. What needs no parser of others (are these
// settings? is this metric shown?) is tested in node and node/observe.
//
//	make test-deploy
package deploy

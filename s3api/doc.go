// Package s3api is HTTP in, XML out: it turns S3 requests into calls of
// object.Service and their answers into responses.
//
// # Shape
//
// A request is addressed (address.go), found in the table of operations
// (operations.go), refused if it asks for a feature that Cairn does not have
// (features.go), authenticated (sigauth), and handed to its handler. A handler
// parses, calls the object service and returns a *response or an error; it never
// writes to the socket. One place writes headers, bodies and errors (answer.go).
// Work that may be long (copies, Complete) is a response with later set, and
// keeps its connection alive with white space (later.go).
//
// # What it is not
//
// It holds no state and decides nothing about objects: permissions, conditions
// that must hold at a commit, checksums of bytes and encryption are
// object.Service's. It logs nothing: Events tells what happened.
//
// # Concurrency and memory
//
// The handler is safe for concurrent use. Bodies are streamed; XML bodies are
// bounded by Limits. A request starts at most one goroutine, for later work, and
// waits for it.
package s3api

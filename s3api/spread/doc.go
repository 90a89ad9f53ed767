// Package spread carries tasks of copies (object.Task) between nodes: a Client
// that is an object.Workers, and the handler of the nodes that do them.
//
//	POST /copy/task   body: spreadpb.Task
//	200               body: beat*, done, cairn.meta.v1.Extent to the end
//
// A beat is a byte 0, sent while the work goes on, so that the asking node can tell
// a slow task from a node that is gone; done is a byte 1. A task that fails before
// the first beat is answered with its error (package rpc), later by cutting the
// connection: the asking node does it itself either way. A node that goes away ends
// the task it asked for.
//
// # Keys
//
// A task holds data keys. The listener takes it over mutual TLS alone, both ends
// clear the bytes that they own when they are done with them, and no error or event
// here holds any of a task.
//
// # What it is not
//
// It chooses no node and admits nothing; package object does.
//
// Client and handler are safe for concurrent use.
package spread

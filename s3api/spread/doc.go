// Package spread sends tasks of copies (object.Task) from node to node. Its Client is
// an object.Workers, and its handler is for the nodes that do the tasks.
//
//	POST /copy/task   body: spreadpb.Task
//	200               body: beat*, done, cairn.meta.v1.Extent to the end
//
// A beat is a byte 0. Beats are sent while the work goes on, so that the asking node
// can tell a slow task from a node that is gone. done is a byte 1. If a task fails
// before the first beat, the answer is its error (package rpc); if it fails later, the
// connection is cut. In both cases the asking node does the task itself. If the asking
// node goes away, the task ends.
//
// # Keys
//
// A task has data keys. The listener takes it only over mutual TLS, both ends clear
// the bytes that they own when they are done, and no error or event here has anything
// of a task.
//
// # What it is not
//
// It does not choose nodes and does not decide how much a node takes on; package object
// does.
//
// Client and handler are safe for concurrent use.
package spread

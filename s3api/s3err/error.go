package s3err

// Error is a failure as S3 tells it: a code of the table, its message or a more precise one, and
// elements that some codes carry besides.
type Error struct {
	Code    Code
	Message string  // Empty: the table's.
	Extra   []Field // Further child elements of <Error>, in order.
	Cause   error   // Logged, never sent.
}

// Field is one further element of an error document.
type Field struct{ Name, Value string }

// Code is an S3 error code. Table (table.go) gives each its status and
// message.
type Code string

// Telling is how a code is told.
type Telling struct {
	Code   Code // The code whose name goes out.
	Status int
}

// Error implements error.
func (e *Error) Error() string {
	s := string(e.Code)
	if e.Message != "" {
		s += ": " + e.Message
	}
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Err returns the error of a code with the table's message.
func (c Code) Err() *Error { return &Error{Code: c} }

// Because returns the error of a code with the table's message, and a cause for
// the log.
func (c Code) Because(cause error) *Error { return &Error{Code: c, Cause: cause} }

// Say returns the error of a code with a message of its own.
func (c Code) Say(message string, extra ...Field) *Error {
	return &Error{Code: c, Message: message, Extra: extra}
}

// BadArgument returns InvalidArgument with a message that says why, and with the name and the value of
// the parameter, header, field or element that is refused. An empty value is left out. Callers give one
// if there is no value, or if it must not be repeated.
func BadArgument(name, value, why string) *Error {
	e := InvalidArgument.Say(why, Field{Name: "ArgumentName", Value: name})
	if value != "" {
		e.Extra = append(e.Extra, Field{Name: "ArgumentValue", Value: value})
	}
	return e
}

// Text returns the message that is told: that of the error, else the table's.
func (e *Error) Text() string {
	if e.Message != "" {
		return e.Message
	}
	return Table[e.Code].Message
}

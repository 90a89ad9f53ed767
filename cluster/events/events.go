// Package events fills in the events that nobody wants to hear of.
//
// A room that knows neither log nor metrics tells what happens by a struct of functions,
// its Events. Whoever makes the room sets those that it wants to hear. The room fills in
// the rest once, when it is made, and then calls them all without asking.
package events

import "reflect"

// Filled returns e, a struct of functions that return nothing, with a function that does
// nothing in the place of each that is nil. Structs in it are filled in likewise, and other
// fields are kept. So an event that is added later cannot be forgotten.
func Filled[E any](e E) E {
	fill(reflect.ValueOf(&e).Elem())
	return e
}

func fill(v reflect.Value) {
	for i := range v.NumField() {
		switch f := v.Field(i); f.Kind() {
		case reflect.Struct:
			fill(f)
		case reflect.Func:
			if f.IsNil() {
				f.Set(reflect.MakeFunc(f.Type(), func([]reflect.Value) []reflect.Value { return nil }))
			}
		}
	}
}

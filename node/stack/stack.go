// Package stack keeps the stacks of those who wait small.
package stack

// Fresh returns what f returns, which it calls on a goroutine of its own. It is
// for what goes deep on behalf of somebody who waits afterwards, for minutes: a
// stack that JSON has grown to 8 KiB, or cryptography and SQLite to 32 KiB, stays
// so large below the wait, and of all that a guest costs that was the most.
// A panic of f is the caller's.
func Fresh(f func() error) error {
	var err error
	var panicked any
	ended := make(chan struct{})
	go func() { // ends with f
		defer close(ended)
		defer func() { panicked = recover() }()
		err = f()
	}()
	<-ended
	if panicked != nil {
		panic(panicked)
	}
	return err
}

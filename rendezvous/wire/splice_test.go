package wire_test

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/synctest"

	"anteroom/rendezvous/wire"
	"anteroom/rendezvous/wire/wiretest"
)

// TestSplicedPair runs the contract of Conn through a gateway: two ends that
// cannot tell that somebody stands between them.
func TestSplicedPair(t *testing.T) {
	wiretest.TestConn(t, func() (a, b wire.Conn) {
		a, near := wire.Pipe()
		far, b := wire.Pipe()
		go wire.Splice(context.Background(), near, far) // ends with the pair
		return a, b
	})
}

// splice runs Splice between two pipes and returns their outer ends and what
// Splice will return. In a synctest bubble, anything it leaves behind fails
// the test.
func splice(ctx context.Context) (a, b wire.Conn, done <-chan error) {
	a, near := wire.Pipe()
	far, b := wire.Pipe()
	returned := make(chan error, 1)
	go func() { returned <- wire.Splice(ctx, near, far) }() // ends when Splice does
	return a, b, returned
}

func TestSpliceEndsWithEitherSide(t *testing.T) {
	for name, row := range map[string]struct{ with, want error }{
		"normally":       {nil, io.EOF},
		"with a reason":  {wire.ErrEnded, wire.ErrEnded},
		"with a failure": {errors.New("read socket: connection reset"), wire.ErrInternal},
	} {
		for _, first := range []string{"first", "second"} {
			t.Run(first+" "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					a, b, done := splice(context.Background())
					if first == "second" {
						a, b = b, a
					}
					a.Close(row.with)
					if err := <-done; !errors.Is(err, row.want) {
						t.Errorf("Splice: %v, want %v", err, row.want)
					}
					if _, err := b.Recv(); !errors.Is(err, row.want) {
						t.Errorf("the other side: %v, want %v", err, row.want)
					}
				})
			})
		}
	}
}

func TestSpliceEndsWithItsContext(t *testing.T) {
	for name, row := range map[string]struct{ cause, want, heard error }{
		"with a cause": {wire.ErrGoingAway, wire.ErrGoingAway, wire.ErrGoingAway},
		"without":      {nil, context.Canceled, wire.ErrInternal},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(context.Background())
				a, b, done := splice(ctx)
				if err := a.Send([]byte("x")); err != nil {
					t.Fatal(err)
				}
				if got, err := b.Recv(); err != nil || string(got) != "x" {
					t.Fatalf("%q, %v", got, err)
				}
				cancel(row.cause)
				if err := <-done; !errors.Is(err, row.want) {
					t.Errorf("Splice: %v, want %v", err, row.want)
				}
				for _, c := range []wire.Conn{a, b} {
					if _, err := c.Recv(); !errors.Is(err, row.heard) {
						t.Errorf("a side heard %v, want %v", err, row.heard)
					}
				}
			})
		})
	}
}

func TestSpliceOfAnEndedContextClosesBoth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(context.Background())
		cancel(wire.ErrGoingAway)
		a, b, done := splice(ctx)
		if err := <-done; !errors.Is(err, wire.ErrGoingAway) {
			t.Errorf("Splice: %v", err)
		}
		for _, c := range []wire.Conn{a, b} {
			if err := c.Send(nil); !errors.Is(err, wire.ErrGoingAway) {
				t.Errorf("a side can still send: %v", err)
			}
		}
	})
}

// A side that gives up in Send ends the other as well.
func TestSpliceEndsWhenASideTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, near := wire.Pipe()
		far := &deaf{full: make(chan struct{})}
		done := make(chan error, 1)
		go func() { done <- wire.Splice(context.Background(), near, far) }() // ends when Splice does
		if err := a.Send([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if err := <-done; !errors.Is(err, wire.ErrTooSlow) {
			t.Errorf("Splice: %v, want too-slow", err)
		}
		if _, err := a.Recv(); !errors.Is(err, wire.ErrTooSlow) {
			t.Errorf("the other side: %v, want too-slow", err)
		}
	})
}

// deaf takes no frame and sends none.
type deaf struct{ full chan struct{} }

func (d *deaf) Send([]byte) error {
	close(d.full)
	return wire.ErrTooSlow
}

func (d *deaf) Recv() ([]byte, error) {
	<-d.full
	return nil, wire.ErrTooSlow
}

func (d *deaf) Close(error) {}

// Whoever called Splice may count on both being closed when it returns.
func TestSpliceWaitsForClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := &gone{closing: make(chan struct{})}, &gone{closing: make(chan struct{})}
		done := make(chan error, 1)
		go func() { done <- wire.Splice(context.Background(), near, far) }() // ends when Splice does
		for _, c := range []*gone{near, far} {
			synctest.Wait()
			select {
			case <-done:
				t.Error("Splice returned before Close did")
			default:
			}
			close(c.closing)
		}
		if err := <-done; !errors.Is(err, wire.ErrTimeout) {
			t.Errorf("Splice: %v", err)
		}
	})
}

// gone has failed already, and takes its time to close.
type gone struct{ closing chan struct{} }

func (g *gone) Send([]byte) error     { return wire.ErrTimeout }
func (g *gone) Recv() ([]byte, error) { return nil, wire.ErrTimeout }
func (g *gone) Close(error)           { <-g.closing }

func TestPipeHoldsBackAFastSender(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := wire.Pipe()
		sent := 0
		go func() { // ends with the pipe
			for a.Send([]byte{byte(sent)}) == nil {
				sent++
			}
		}()
		synctest.Wait()
		held := sent
		if held == 0 || held > 1000 {
			t.Errorf("%d frames are held", held)
		}
		if _, err := b.Recv(); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if sent != held+1 {
			t.Errorf("after one was read, %d frames were sent, want %d", sent, held+1)
		}
		b.Close(nil)
	})
}

// What a side said before it closed reaches the other, though it can be sent
// nothing any more.
func TestSpliceCarriesLastWords(t *testing.T) {
	for _, first := range []string{"first", "second"} {
		t.Run(first, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, near := wire.Pipe()
				one, other := wire.Conn(near), wire.Conn(&parting{failed: make(chan struct{}), words: []string{"bye"}, reason: wire.ErrDenied})
				if first == "second" {
					one, other = other, one
				}
				done := make(chan error, 1)
				go func() { done <- wire.Splice(context.Background(), one, other) }() // ends when Splice does
				if err := a.Send([]byte("x")); err != nil {
					t.Fatal(err)
				}
				if got, err := a.Recv(); err != nil || string(got) != "bye" {
					t.Errorf("the last words: %q, %v", got, err)
				}
				if _, err := a.Recv(); !errors.Is(err, wire.ErrDenied) {
					t.Errorf("the reason: %v, want denied", err)
				}
				if err := <-done; !errors.Is(err, wire.ErrDenied) {
					t.Errorf("Splice: %v, want denied", err)
				}
			})
		})
	}
}

// parting is closed by the other end. Send finds out first, and what was said
// is read when everybody else has done what they do about that.
type parting struct {
	failed chan struct{}
	once   sync.Once
	words  []string
	reason error
}

func (p *parting) Send([]byte) error {
	p.once.Do(func() { close(p.failed) })
	return io.ErrUnexpectedEOF
}

func (p *parting) Recv() ([]byte, error) {
	<-p.failed
	synctest.Wait()
	if len(p.words) == 0 {
		return nil, p.reason
	}
	word := p.words[0]
	p.words = p.words[1:]
	return []byte(word), nil
}

func (p *parting) Close(error) {}

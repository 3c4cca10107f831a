package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

// crowd is writers that wait while another one has the turn.
type crowd struct {
	t       *testing.T
	s       *Store
	free    chan struct{}
	first   chan error
	results []chan error
}

func newCrowd(t *testing.T) *crowd {
	c := &crowd{t: t, s: mustOpen(t, newDir(t)), free: make(chan struct{}), first: make(chan error, 1)}
	inside := make(chan struct{})
	go func() { // ends with release
		c.first <- c.s.Write(context.Background(), func(*sql.Tx) error {
			close(inside)
			<-c.free
			return nil
		})
	}()
	<-inside
	return c
}

// wait makes one more writer wait, behind those that wait already.
func (c *crowd) wait(ctx context.Context, fn func(*sql.Tx) error) {
	c.t.Helper()
	result := make(chan error, 1)
	c.results = append(c.results, result)
	go func() { result <- c.s.Write(ctx, fn) }() // ends after release
	c.until(func(waiting int) bool { return waiting == len(c.results) })
}

func (c *crowd) until(ok func(waiting int) bool) {
	c.t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) { // polls: nothing tells
		c.s.queue.mu.Lock()
		n := len(c.s.queue.waiting)
		c.s.queue.mu.Unlock()
		if ok(n) {
			return
		}
		if time.Now().After(end) {
			c.t.Fatalf("%d writers wait", n)
		}
	}
}

// release lets all of them write and returns what each was told.
func (c *crowd) release() (told []error) {
	c.t.Helper()
	close(c.free)
	if err := <-c.first; err != nil {
		c.t.Error(err)
	}
	for _, result := range c.results {
		told = append(told, <-result)
	}
	return told
}

func TestWritersThatWaitShareACommit(t *testing.T) {
	c := newCrowd(t)
	var order []int
	const n = 5
	for i := range n {
		c.wait(t.Context(), func(tx *sql.Tx) error {
			order = append(order, i)
			if i == n-1 {
				var mine int
				if err := tx.QueryRow("SELECT count(*) FROM session").Scan(&mine); err != nil || mine != n-1 {
					t.Errorf("the last sees %d of the %d before it: %v", mine, n-1, err)
				}
				if value := get(t, c.s, "0"); value != nil {
					t.Error("the first was committed by itself")
				}
			}
			return put(tx, fmt.Sprint(i), []byte("here"))
		})
	}
	for i, err := range c.release() {
		if err != nil {
			t.Errorf("writer %d: %v", i, err)
		}
		if get(t, c.s, fmt.Sprint(i)) == nil {
			t.Errorf("what writer %d was told is written is not there", i)
		}
	}
	if !slices.IsSorted(order) {
		t.Errorf("written in the order %v", order)
	}
}

// TestWriterFailsAlone has one writer fail between two others, after it has
// written something.
func TestWriterFailsAlone(t *testing.T) {
	own := errors.New("own")
	for name, test := range map[string]struct {
		do   func(ctx context.Context, end func(), tx *sql.Tx) error
		want error // nil: any
	}{
		"by itself": {
			func(context.Context, func(), *sql.Tx) error { return own }, own,
		},
		"by what the database refuses": {
			func(_ context.Context, _ func(), tx *sql.Tx) error {
				_, err := tx.Exec("INSERT INTO session (token, data) VALUES ('first', x'00')")
				return err
			}, nil,
		},
		// The next two make SQLite roll the whole transaction back.
		"by a context that ends while it writes": {
			func(ctx context.Context, end func(), tx *sql.Tx) error {
				time.AfterFunc(10*time.Millisecond, end)
				_, err := tx.ExecContext(ctx, `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
					INSERT INTO session (token, data) SELECT 'more ' || i, x'00' FROM n LIMIT 1000000000`)
				return err
			}, context.Canceled,
		},
		"by a transaction that is over": {
			func(_ context.Context, _ func(), tx *sql.Tx) error {
				_, err := tx.Exec("ROLLBACK")
				return errors.Join(own, err)
			}, own,
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCrowd(t)
			ctx, end := context.WithCancel(t.Context())
			defer end()
			c.wait(t.Context(), func(tx *sql.Tx) error { return put(tx, "first", []byte("here")) })
			c.wait(ctx, func(tx *sql.Tx) error {
				if err := put(tx, "failed", []byte("here")); err != nil {
					return err
				}
				return test.do(ctx, end, tx)
			})
			c.wait(t.Context(), func(tx *sql.Tx) error { // refused if it is done twice
				_, err := tx.Exec("INSERT INTO session (token, data) VALUES ('last', x'00')")
				return err
			})
			told := c.release()
			if told[0] != nil || told[2] != nil {
				t.Errorf("the others were told %v and %v", told[0], told[2])
			}
			if told[1] == nil || test.want != nil && !errors.Is(told[1], test.want) {
				t.Errorf("who failed was told %v", told[1])
			}
			for key, want := range map[string]bool{"first": true, "failed": false, "last": true} {
				if got := get(t, c.s, key) != nil; got != want {
					t.Errorf("%s is there: %v", key, got)
				}
			}
		})
	}
}

// TestEndedContextWritesNothing ends one context while its writer waits, and
// another after it has been taken along.
func TestEndedContextWritesNothing(t *testing.T) {
	c := newCrowd(t)
	waiting, endWaiting := context.WithCancel(t.Context())
	taken, endTaken := context.WithCancel(t.Context())
	run := func(*sql.Tx) error { t.Error("was run"); return nil }
	c.wait(waiting, run)
	c.wait(t.Context(), func(*sql.Tx) error { endTaken(); return nil })
	c.wait(taken, run)
	endWaiting()
	c.until(func(waiting int) bool { return waiting == 2 })
	told := c.release()
	if !errors.Is(told[0], context.Canceled) || told[1] != nil || !errors.Is(told[2], context.Canceled) {
		t.Errorf("told %v", told)
	}
}

// TestPanicKeepsNobodyWaiting has a writer panic on the goroutine of whoever
// has the turn.
func TestPanicKeepsNobodyWaiting(t *testing.T) {
	s := mustOpen(t, newDir(t))
	others := []*write{}
	for range 2 {
		w := &write{t.Context(), func(tx *sql.Tx) error { return put(tx, "other", nil) }, make(chan error, 1)}
		others = append(others, w)
		s.queue.add(w)
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		s.Write(t.Context(), func(*sql.Tx) error { panic("a bug") })
	}()
	for _, w := range others {
		select {
		case err := <-w.done:
			if !errors.Is(err, errLost) {
				t.Errorf("told %v", err)
			}
		default:
			t.Error("not told")
		}
	}
	if get(t, s, "other") != nil {
		t.Error("what was told to be lost is there")
	}
	mustPut(t, s, "after", []byte("here"))
}

// TestLogIsBoundedWhileOthersRead has somebody read all the time: each
// reader begins before the one before it ends.
func TestLogIsBoundedWhileOthersRead(t *testing.T) {
	s := mustOpen(t, newDir(t))
	mustPut(t, s, "old", []byte("here"))
	ctx, stop := context.WithCancel(t.Context())
	var reading sync.WaitGroup
	reading.Go(func() { // ends with ctx
		var last *sql.Tx
		for ctx.Err() == nil {
			tx, err := s.reader.Begin()
			if err == nil {
				var n int
				err = tx.QueryRow("SELECT count(*) FROM session").Scan(&n)
			}
			if err != nil {
				t.Error(err)
				return
			}
			if last != nil {
				last.Rollback()
			}
			last = tx
		}
		last.Rollback()
	})
	longest := int64(0)
	for i := range 200 {
		mustPut(t, s, fmt.Sprint(i%10), bytes.Repeat([]byte{byte(i)}, 100<<10)) // 20 MB in all
		longest = max(longest, s.logSize())
	}
	stop()
	reading.Wait()
	if longest > 2*logLimit {
		t.Errorf("the log grew to %d bytes", longest)
	}
}

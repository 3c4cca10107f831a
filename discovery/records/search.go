package records

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	dht "github.com/libp2p/go-libp2p-kad-dht"
	"github.com/libp2p/go-libp2p/core/network"
)

// searchTime bounds a whole search. A DHT that has the record finds it within a
// second even when half of its nodes have just died.
const searchTime = 8 * time.Second

// ErrNotFound means that nobody has what was looked for, or nobody says so.
var ErrNotFound = errors.New("not found")

// A Query is one name under which a record may be found.
type Query struct {
	Name  ed25519.PublicKey
	After time.Duration // since the search began; sooner if all before it have failed
}

// Search looks queries up in the DHT and calls open with each record found,
// one call at a time, i being the index of its query, until open returns
// true. Records have passed the validator; one that open refuses counts as
// absent. It fails with ErrNotFound if none opens before time is up.
//
// kad-dht's GetValue would wait for the end of the walk; the first record that
// opens is as good as any.
func (d *DHT) Search(ctx context.Context, queries []Query, open func(i int, record []byte) bool) error {
	if d.RoutingTable().Size() == 0 && !d.server {
		return ErrNotFound
	}
	ctx, cancel := context.WithTimeout(network.WithDialPeerTimeout(ctx, dialTime), searchTime)
	type found struct {
		query  int
		record []byte // nil: this query is done
	}
	results := make(chan found)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel() // before the wait

	order := make([]int, len(queries))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(queries[a].After, queries[b].After) })

	begun := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for running := 0; ; {
		if running == 0 {
			if len(order) == 0 {
				return ErrNotFound
			}
			timer.Reset(0)
		}
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return ErrNotFound
			}
			return fmt.Errorf("search: %w", context.Cause(ctx))
		case <-timer.C:
			if len(order) == 0 {
				continue
			}
			i := order[0]
			order = order[1:]
			if len(order) > 0 {
				timer.Reset(time.Until(begun.Add(queries[order[0]].After)))
			}
			running++
			wg.Go(func() { // ends with its walk, or with ctx
				d.lookUp(ctx, queries[i].Name, func(record []byte) {
					select {
					case results <- found{i, record}:
					case <-ctx.Done():
					}
				})
				select {
				case results <- found{i, nil}:
				case <-ctx.Done():
				}
			})
		case r := <-results:
			if r.record == nil {
				running--
			} else if open(r.query, r.record) {
				return nil
			}
		}
	}
}

// lookUp calls yield with every record of name that is better than those
// before it, until the walk ends or ctx does.
func (d *DHT) lookUp(ctx context.Context, name ed25519.PublicKey, yield func([]byte)) {
	records, err := d.SearchValue(ctx, routingKey(name), dht.Quorum(0))
	if err != nil {
		return
	}
	for record := range records {
		yield(record)
	}
}

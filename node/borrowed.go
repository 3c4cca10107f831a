package node

import (
	"context"
	"time"
)

// BorrowedURLs returns where browsers would find the relays that other nodes
// lend to this one now. It asks each lender, for nobody's call.
func (n *Node) BorrowedURLs(ctx context.Context) (urls []string) {
	for _, server := range n.borrow(ctx, n.Lenders, n.callName("nobody's"), n.seatName("nobody's", ""), n.Practice.Now().Add(time.Minute)) {
		urls = append(urls, server.URLs...)
	}
	return urls
}

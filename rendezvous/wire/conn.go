// Package wire is the vocabulary that browsers and nodes share: connections,
// messages, errors and limits. It imports the standard library only.
//
// PROTOCOL.md, beside this package, says what travels when. httpui/static/link/wire.js
// is this package's twin in the browser.
package wire

// A Conn carries frames to and from one counterpart: a browser, another node,
// the inside of a sealed channel, or the other end of a Pipe. A frame is at
// most MaxFrame bytes.
//
// Send may be called concurrently and gives up after the transport's write
// timeout; it does not keep b. Recv may not be called concurrently, and
// what it returns is the caller's. Close
// tells the counterpart why, as far as the transport can, and makes both
// return; only the first reason counts. What was sent before still arrives; then
// Recv and Send on a closed Conn return Reason of what it was closed with, on
// either side: a *Error, or io.EOF if it was closed with nil or io.EOF. A
// transport that failed without a reason returns what it knows, wrapped.
//
// Send may be the first to find out that the other end has closed, or that the
// transport has failed. Then it fails for good, and with no more than it knows;
// Recv still returns what has come, and soon why. So whoever cannot send learns
// from Recv what the other end had to say about that: Why does.
//
// There are no contexts: both transports kill the connection when a context
// ends, so cancelling a Conn is closing it.
type Conn interface {
	Send(b []byte) error
	Recv() ([]byte, error)
	Close(reason error)
}

// Why returns why c has ended, which a Send has found out. It passes over what
// came before.
func Why(c Conn) error {
	for {
		if _, err := c.Recv(); err != nil {
			return err
		}
	}
}

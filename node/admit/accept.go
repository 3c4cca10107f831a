package admit

import (
	"errors"
	"net"
	"time"
)

// pause is how long Accept waits after a temporary error: long enough for
// somebody else to close a file, and shorter than anybody notices.
const pause = 20 * time.Millisecond

// Accept calls serve with each connection that l accepts; the next one waits
// until serve has returned. It returns why l accepts no more.
func Accept(l net.Listener, serve func(net.Conn)) error {
	for {
		conn, err := l.Accept()
		switch {
		case err == nil:
			serve(conn)
		case temporary(err):
			time.Sleep(pause)
		default:
			return err
		}
	}
}

// temporary reports whether a listener may work again, such as after too many
// open files.
func temporary(err error) bool {
	t, ok := errors.AsType[interface {
		error
		Temporary() bool
	}](err)
	return ok && t.Temporary()
}

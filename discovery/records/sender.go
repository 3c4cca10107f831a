package records

import (
	"context"
	"errors"
	"fmt"
	"time"

	kadpb "github.com/libp2p/go-libp2p-kad-dht/pb"
	corehost "github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-msgio/pbio"

	"anteroom/discovery/host"
)

const (
	// requestTime bounds one question to one DHT node, dialling included.
	requestTime = 5 * time.Second

	// dialTime bounds dialling a node that a walk came across. Without it a
	// walk that is cut short never learns which nodes are dead, and its
	// repetition asks the same ones again.
	dialTime = 2 * time.Second

	// maxReply is room for 20 closer nodes with a dozen addresses each.
	maxReply = 256 << 10
)

// sender asks DHT nodes, one stream for each question, so that a node which
// hangs holds up one question and no queue behind it.
//
// It lets only Publish write. At the end of a search kad-dht would put the
// best record to the nodes that lacked it, which a node that reads must not
// do; and it would dereference the record in their replies, so that any node
// of the DHT could end this process by sending none.
type sender struct {
	host      corehost.Host
	protocols []protocol.ID
}

var _ kadpb.MessageSenderWithDisconnect = (*sender)(nil)

// writing marks the context of a PUT that Publish makes.
type writing struct{}

var (
	errMayNotWrite = errors.New("only a publisher puts records")

	// errRefused means that a node was there and did not do what it was asked.
	errRefused = errors.New("DHT node refused")
)

// SendRequest implements kadpb.MessageSender.
func (s *sender) SendRequest(ctx context.Context, p peer.ID, request *kadpb.Message) (*kadpb.Message, error) {
	if request.GetType() == kadpb.Message_PUT_VALUE && ctx.Value(writing{}) == nil {
		return nil, errMayNotWrite
	}
	start := time.Now()
	reply := new(kadpb.Message)
	err := s.exchange(ctx, p, func(stream network.Stream) error {
		if err := pbio.NewDelimitedWriter(stream).WriteMsg(request); err != nil {
			return err
		}
		if err := stream.CloseWrite(); err != nil {
			return err
		}
		return pbio.NewDelimitedReader(stream, maxReply).ReadMsg(reply)
	})
	if err != nil {
		return nil, fmt.Errorf("ask DHT node: %w", err)
	}
	s.host.Peerstore().RecordLatency(p, time.Since(start))
	return reply, nil
}

// SendMessage implements kadpb.MessageSender.
func (s *sender) SendMessage(ctx context.Context, p peer.ID, m *kadpb.Message) error {
	return s.exchange(ctx, p, func(stream network.Stream) error {
		return pbio.NewDelimitedWriter(stream).WriteMsg(m)
	})
}

// OnDisconnect implements kadpb.MessageSenderWithDisconnect.
func (s *sender) OnDisconnect(context.Context, peer.ID) {}

// exchange runs f with a stream to p.
func (s *sender) exchange(ctx context.Context, p peer.ID, f func(network.Stream) error) error {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	ctx = network.WithAllowLimitedConn(ctx, "dht") // or it would wait for a direct one until its time is up
	stream, err := s.host.NewStream(ctx, p, s.protocols...)
	if err != nil {
		return err
	}
	err = host.Converse(ctx, stream, func() error { return f(stream) })
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("%w: %w", errRefused, err)
	}
	return err
}

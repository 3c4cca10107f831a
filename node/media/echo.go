package media

import (
	"errors"
	"sync/atomic"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v3"
)

// packetSize holds any packet that arrives in one datagram.
const packetSize = 1500

// A lane is one kind of media of one peer, on its way back to where it came
// from.
type lane struct {
	out    *webrtc.TrackLocalStaticRTP
	sender *webrtc.RTPSender
	frames *atomic.Int64 // of the call
	source atomic.Uint32 // SSRC of what comes in; 0 before anything has
}

func newLane(p *peer, kind webrtc.RTPCodecType, codec webrtc.RTPCodecCapability) (*lane, error) {
	out, err := webrtc.NewTrackLocalStaticRTP(codec, kind.String(), "echo")
	if err != nil {
		return nil, err
	}
	transceiver, err := p.pc.AddTransceiverFromTrack(out)
	if err != nil {
		return nil, err
	}
	frames := &p.call.audio
	if kind == webrtc.RTPCodecTypeVideo {
		frames = &p.call.video
	}
	return &lane{out: out, sender: transceiver.Sender(), frames: frames}, nil
}

// attach begins to send back a track whose first packet has arrived. Until the
// other side is verified its packets are read and dropped.
func (p *peer) attach(track *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
	l := p.lanes[track.Kind()]
	if l == nil {
		return
	}
	l.source.Store(uint32(track.SSRC()))
	p.workers.Go(func() { l.forward(track, &p.flowing) })
	p.workers.Go(func() { drain(receiver) })
	p.askKeyFrame()
}

// flow opens the way back, or closes it. A picture starts with a key frame.
func (p *peer) flow(open bool) {
	if p.flowing.Swap(open) != open && open {
		p.askKeyFrame()
	}
}

// askKeyFrame asks the other side for a picture that needs no earlier one.
func (p *peer) askKeyFrame() {
	source := p.lanes[webrtc.RTPCodecTypeVideo].source.Load()
	if source == 0 || !p.flowing.Load() {
		return
	}
	p.pc.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: source}}) // lost with the connection
}

// forward sends packets back until the track ends.
func (l *lane) forward(track *webrtc.TrackRemote, open *atomic.Bool) {
	buf := make([]byte, packetSize)
	for {
		n, _, err := track.Read(buf)
		if errors.Is(err, webrtc.ErrCodecNotFound) {
			continue // a format that was not agreed upon, such as comfort noise
		}
		if err != nil {
			return
		}
		var in rtp.Packet
		if !open.Load() || in.Unmarshal(buf[:n]) != nil {
			continue
		}
		// Number and time stay, so that what was lost on the way here is
		// missed on the way back. Extensions and contributors were meant for
		// us, and the padding is gone with Unmarshal.
		out := rtp.Packet{
			Header: rtp.Header{
				Version: 2, Marker: in.Marker, SequenceNumber: in.SequenceNumber, Timestamp: in.Timestamp,
			},
			Payload: in.Payload,
		}
		if l.out.WriteRTP(&out) == nil && (in.Marker || track.Kind() == webrtc.RTPCodecTypeAudio) {
			l.frames.Add(1)
		}
	}
}

// listen reads the other's reports on what we send back, so that lost packets
// are sent again, and passes on that it needs a key frame: only the sender can
// make one. It ends when the connection closes.
func (l *lane) listen(askKeyFrame func()) {
	buf := make([]byte, packetSize)
	for {
		n, _, err := l.sender.Read(buf)
		if err != nil {
			return
		}
		packets, err := rtcp.Unmarshal(buf[:n])
		if err != nil {
			continue
		}
		for _, packet := range packets {
			switch packet.(type) {
			case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
				askKeyFrame()
			}
		}
	}
}

// drain reads the other's reports on what it sends, which the library needs to
// time ours. It ends when the connection closes.
func drain(receiver *webrtc.RTPReceiver) {
	buf := make([]byte, packetSize)
	for {
		if _, _, err := receiver.Read(buf); err != nil {
			return
		}
	}
}

package mediatest

import (
	"bytes"
	"encoding/binary"
	"slices"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v3"
)

// The pattern is a packet of silence and a picture of two packets every
// interval. Every packet says who sent it and is numbered, so that one that
// comes back is known.
const interval = 20 * time.Millisecond

var (
	silence   = []byte{0xf8, 0xff, 0xfe} // Opus, 20 ms
	beginning = []byte{0x10,             // VP8 payload descriptor: a picture starts
		0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x10, 0x00, 0x10, 0x00} // key frame, 16 × 16
	rest = []byte{0x00} // VP8 payload descriptor: a picture goes on
)

// ticks is how far a clock of so many Hz goes in an interval.
func ticks(clock uint32) uint32 { return clock * uint32(interval/time.Millisecond) / 1000 }

// play sends the pattern until the link is closed.
func (l *link) play() {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for n := uint32(0); ; n++ {
		select {
		case <-l.gone:
			return
		case <-tick.C:
		}
		write := func(track *webrtc.TrackLocalStaticRTP, number, clock uint32, marker bool, head []byte) {
			track.WriteRTP(&rtp.Packet{ // nothing is sent before there is a path
				Header: rtp.Header{
					Version: 2, Marker: marker, SequenceNumber: uint16(number),
					Timestamp: n * ticks(clock),
				},
				Payload: slices.Concat(head, l.tag, binary.BigEndian.AppendUint32(nil, number)),
			})
		}
		write(l.sound, n, 48000, false, silence)
		write(l.video, 2*n, 90000, false, beginning)
		write(l.video, 2*n+1, 90000, true, rest)
		l.locked(func() { l.guestLocked(l.guest, func(g *Guest) { g.Sent += 3 }) })
	}
}

// count counts what comes back until the track ends.
func (l *link) count(track *webrtc.TrackRemote) {
	sound := track.Kind() == webrtc.RTPCodecTypeAudio
	if !sound {
		l.locked(func() { l.picture = track.SSRC() })
	}
	for {
		packet, _, err := track.ReadRTP()
		if err != nil {
			return
		}
		l.mu.Lock()
		l.view.Returned++ // even on a connection that was given up
		l.mu.Unlock()
		l.locked(func() {
			l.guestLocked(l.guest, func(g *Guest) {
				switch {
				case !l.ours(packet, sound):
					g.Strange++
				case sound:
					g.Audio++
				default:
					g.Video++
				}
			})
		})
	}
}

// ours reports whether the packet is one of the pattern, as it was sent.
func (l *link) ours(packet *rtp.Packet, sound bool) bool {
	number := uint32(packet.SequenceNumber) // calls are short
	head, last, at := silence, false, number*ticks(48000)
	if !sound {
		head, last, at = beginning, number%2 == 1, number/2*ticks(90000)
		if last {
			head = rest
		}
	}
	want := slices.Concat(head, l.tag, binary.BigEndian.AppendUint32(nil, number))
	return bytes.Equal(packet.Payload, want) && packet.Marker == last && packet.Timestamp == at && !packet.Padding
}

// reports counts how often the guest asks for a key frame, until the connection
// closes.
func (l *link) reports(sender *webrtc.RTPSender) {
	for {
		packets, _, err := sender.ReadRTCP()
		if err != nil {
			return
		}
		for _, p := range packets {
			if _, ok := p.(*rtcp.PictureLossIndication); ok {
				l.locked(func() { l.guestLocked(l.guest, func(g *Guest) { g.KeyFrames++ }) })
			}
		}
	}
}

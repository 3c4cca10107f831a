// Package media is everything that speaks WebRTC in Go: for now the echo
// guest, a guest without a browser. It opens an invite like anyone (key frame,
// sealed channel, waiting room, media binding) and sends sound and picture
// back to whoever sent them. It is how a practitioner makes a test call alone.
//
// It is the only package that imports pion/webrtc/v3, whose dtls/v2 and stun
// v0.6 have advisories without a fix on that line. So a Guest of the daemon
// runs in a child process of the same binary (Start, Child), which is given a
// link and a name and nothing else: no key of the node, no environment, no
// file. Whatever happens to that process ends one call. And no chat and no
// secret travels over a Guest's data channels.
//
//	guest.go     Guest: from a link to the waiting room
//	call.go      one guest's view of a room, and its loop
//	peer.go      one RTCPeerConnection of it
//	binding.go   who is at its other end
//	echo.go      RTP in, RTP out
//	sdp.go       what of a received description reaches the library
//	engine.go    how the library is set up; log.go, what it may log
//	dial.go      the way to a gateway; socket.go, its WebSocket as a wire.Conn
//	child.go     a Guest behind stdin and stdout; process.go, its supervisor
package media

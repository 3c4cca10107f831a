package media

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/pion/ice/v2"
	"github.com/pion/interceptor"
	"github.com/pion/webrtc/v3"

	"anteroom/rendezvous/wire"
)

// codecs are what a Guest can echo. Every browser has both. Without a codec
// for repairs, lost packets come again in their own stream, under their own
// numbers, so they can be sent on as they are.
var codecs = []struct {
	kind webrtc.RTPCodecType
	webrtc.RTPCodecParameters
}{
	{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecParameters{
		PayloadType: 111,
		RTPCodecCapability: webrtc.RTPCodecCapability{
			MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2,
			SDPFmtpLine: "minptime=10;useinbandfec=1",
		},
	}},
	{webrtc.RTPCodecTypeVideo, webrtc.RTPCodecParameters{
		PayloadType: 96,
		RTPCodecCapability: webrtc.RTPCodecCapability{
			MimeType: webrtc.MimeTypeVP8, ClockRate: 90000,
			RTCPFeedback: []webrtc.RTCPFeedback{{Type: "ccm", Parameter: "fir"}},
		},
	}},
}

// helloTime is how soon a DTLS flight without an answer is sent again. The
// first often comes before the other side listens; the library's default, 1 s,
// would be a second of black at the start of such a call.
const helloTime = 100 * time.Millisecond

// An engine makes the connections of one call. All of them present the same
// certificate, which is made for the call and never stored.
type engine struct {
	api         *webrtc.API
	config      webrtc.Configuration
	fingerprint []byte // SHA-256 of the certificate, as in wire.Join
	logs        *libraryLogs
}

// newEngine sets the library up for a call whose home node gave the servers
// and the policy in w. Nothing else is ever asked for an address.
func newEngine(w *wire.Welcome, log *slog.Logger) (*engine, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make certificate key: %w", err)
	}
	certificate, err := webrtc.GenerateCertificate(key)
	if err != nil {
		return nil, fmt.Errorf("make certificate: %w", err)
	}
	fingerprint, err := fingerprintOf(certificate)
	if err != nil {
		return nil, fmt.Errorf("make certificate: %w", err)
	}
	logs := &libraryLogs{log: log}
	api, err := newAPI(logs)
	if err != nil {
		return nil, fmt.Errorf("set up media: %w", err)
	}
	config := webrtc.Configuration{
		Certificates:  []webrtc.Certificate{*certificate},
		BundlePolicy:  webrtc.BundlePolicyMaxBundle,
		RTCPMuxPolicy: webrtc.RTCPMuxPolicyRequire,
	}
	if w.RelayOnly {
		config.ICETransportPolicy = webrtc.ICETransportPolicyRelay
	}
	for _, s := range w.ICEServers {
		config.ICEServers = append(config.ICEServers, webrtc.ICEServer{
			URLs: s.URLs, Username: s.Username, Credential: s.Credential,
		})
	}
	return &engine{api: api, config: config, fingerprint: fingerprint, logs: logs}, nil
}

func newAPI(logs *libraryLogs) (*webrtc.API, error) {
	codecsOnly := &webrtc.MediaEngine{}
	for _, c := range codecs {
		if err := codecsOnly.RegisterCodec(c.RTPCodecParameters, c.kind); err != nil {
			return nil, err
		}
	}
	// Lost packets are asked for and sent again, reports and congestion
	// feedback flow: a sender that heard none of it would stay at its lowest
	// rate.
	registry := &interceptor.Registry{}
	if err := webrtc.RegisterDefaultInterceptors(codecsOnly, registry); err != nil {
		return nil, err
	}
	settings := webrtc.SettingEngine{LoggerFactory: logs}
	settings.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled) // asks nobody on the LAN, tells nobody
	settings.DisableActiveTCP(true)                               // a candidate cannot make us connect anywhere
	settings.SetIncludeLoopbackCandidate(loopbackOnly())
	settings.SetDTLSRetransmissionInterval(helloTime)
	return webrtc.NewAPI(
		webrtc.WithMediaEngine(codecsOnly),
		webrtc.WithInterceptorRegistry(registry),
		webrtc.WithSettingEngine(settings),
	), nil
}

// fingerprintOf returns the SHA-256 of a certificate, 32 bytes.
func fingerprintOf(c *webrtc.Certificate) ([]byte, error) {
	list, err := c.GetFingerprints()
	if err != nil {
		return nil, err
	}
	for _, f := range list {
		if f.Algorithm == "sha-256" {
			return hex.DecodeString(strings.ReplaceAll(f.Value, ":", ""))
		}
	}
	return nil, errors.New("no SHA-256 fingerprint")
}

// loopbackOnly reports whether this machine has no address but its loopback
// ones. Then they are candidates, so that a call on an unplugged computer
// works; otherwise they would only be noise in every offer.
func loopbackOnly() bool {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, a := range addresses {
		ip, ok := a.(*net.IPNet)
		if ok && !ip.IP.IsLoopback() && !ip.IP.IsLinkLocalUnicast() {
			return false
		}
	}
	return true
}

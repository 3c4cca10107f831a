package media

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v3"

	"anteroom/rendezvous/wire"
)

// A description is an offer or answer that was held against an introduction
// and written anew.
type description struct {
	webrtc.SessionDescription

	// session is the number in the origin line. It stays the same as long as
	// the other's connection does, so another number is another connection.
	session uint64

	// version, with the session, names this description; answers is the name
	// of the offer that an answer is to, or empty where it is not said.
	version uint64
	answers string

	// active is whether the other insists on the client's part in the DTLS
	// handshake.
	active bool
}

// errForeign refuses a description that does not name the certificate of the
// member who was introduced.
var errForeign = errors.New("description names another certificate")

// readDescription parses d, checks that it names the introduced certificate
// and no other, and writes it anew from what an echo call needs: the library
// parses nothing else. Descriptions with keys or identities of their own are
// refused.
func readDescription(d *wire.Description, fingerprint []byte) (description, error) {
	var in sdp.SessionDescription
	if !areLines(d.SDP) || in.UnmarshalString(d.SDP) != nil { // the library's error quotes it
		return description{}, errors.New("parse description: malformed")
	}
	out := sdp.SessionDescription{
		Origin: sdp.Origin{
			Username: "-", SessionID: in.Origin.SessionID, SessionVersion: in.Origin.SessionVersion,
			NetworkType: "IN", AddressType: "IP4", UnicastAddress: "0.0.0.0",
		},
		SessionName:      "-",
		TimeDescriptions: []sdp.TimeDescription{{}},
		Attributes:       keep(in.Attributes, sessionAttributes),
	}
	attributes := slices.Clone(in.Attributes)
	var kinds []string
	for _, m := range in.MediaDescriptions {
		if !slices.Contains(mediaKinds, m.MediaName.Media) || slices.Contains(kinds, m.MediaName.Media) {
			return description{}, errors.New("read description: more than one sound, one picture and one data section")
		}
		kinds = append(kinds, m.MediaName.Media)
		attributes = append(attributes, m.Attributes...)
		out.MediaDescriptions = append(out.MediaDescriptions, &sdp.MediaDescription{
			MediaName: m.MediaName, Attributes: keep(m.Attributes, mediaAttributes),
		})
	}
	if err := checkFingerprints(attributes, fingerprint); err != nil {
		return description{}, err
	}
	answers, _ := in.Attribute(answersKey)
	text, err := out.Marshal()
	if err != nil {
		return description{}, fmt.Errorf("write description: %w", err)
	}
	return description{
		SessionDescription: webrtc.SessionDescription{Type: webrtc.NewSDPType(d.Kind), SDP: string(text)},
		session:            in.Origin.SessionID,
		version:            in.Origin.SessionVersion,
		answers:            answers,
		active:             slices.Contains(attributes, sdp.NewAttribute("setup", setupActive)),
	}, nil
}

// line is one line of a description without its end. The library's parser is
// content with less, so that what it writes again could be read differently.
var line = regexp.MustCompile(`^[a-z]=[\x20-\x7e]*$`)

func areLines(text string) bool {
	for l := range strings.Lines(text) {
		if !line.MatchString(strings.TrimSuffix(strings.TrimSuffix(l, "\n"), "\r")) {
			return false
		}
	}
	return true
}

var (
	mediaKinds = []string{"audio", "video", "application"}

	sessionAttributes = []string{
		"group", "extmap-allow-mixed", "fingerprint", "setup", "ice-ufrag", "ice-pwd", "ice-options",
	}
	mediaAttributes = []string{
		"mid", "fingerprint", "setup", "ice-ufrag", "ice-pwd", "ice-options", "candidate", "end-of-candidates",
		"rtcp-mux", "rtcp-rsize", "rtpmap", "fmtp", "rtcp-fb", "extmap", "msid", "ssrc", "ssrc-group",
		"sendrecv", "sendonly", "recvonly", "inactive", "sctp-port", "max-message-size",
	}
)

func keep(list []sdp.Attribute, keys []string) (kept []sdp.Attribute) {
	for _, a := range list {
		if slices.Contains(keys, a.Key) {
			kept = append(kept, a)
		}
	}
	return kept
}

// checkFingerprints returns nil if there is a fingerprint, and every one is
// the given SHA-256, and nothing else claims to say who this is.
func checkFingerprints(list []sdp.Attribute, want []byte) error {
	found := false
	for _, a := range list {
		switch a.Key {
		case "crypto", "identity":
			return errors.New("read description: it brings a key or an identity")
		case "fingerprint":
			algorithm, value, _ := strings.Cut(a.Value, " ")
			got, err := hex.DecodeString(strings.ReplaceAll(value, ":", ""))
			if !strings.EqualFold(algorithm, "sha-256") || err != nil || !bytes.Equal(got, want) {
				return errForeign
			}
			found = true
		}
	}
	if !found {
		return errForeign
	}
	return nil
}

// A Guest is the DTLS client where it has the choice. The library drops what
// comes before its ICE agent has settled on a path, so a browser that is the
// client has its first hello lost, and Firefox takes a second to send another;
// as the client the library begins when it is ready and repeats itself soon. Its
// own offers leave the part open and its answers always claim the client's, so
// what it wrote is corrected on the way out; it acts by what the other side
// wrote.
const (
	setupActive  = "active"
	setupPassive = "passive"
)

var anySetup = regexp.MustCompile(`(?m)^a=setup:\w+`)

// corrected returns a description of the library's with the given part in the
// DTLS handshake, and without the blank that it leaves behind feedback that has
// no parameter: who reads strictly would not know "nack ".
func corrected(text, setup string) string {
	text = strings.ReplaceAll(text, " \r\n", "\r\n")
	return anySetup.ReplaceAllLiteralString(text, "a=setup:"+setup)
}

// answersKey is the attribute in which an answer names its offer, so that one
// that comes late is known to be late. PROTOCOL.md, "Descriptions".
const answersKey = "x-answers"

// name returns what an answer to d calls it.
func (d description) name() string { return fmt.Sprintf("%d %d", d.session, d.version) }

// withAnswers returns a description of the library's that says which offer it
// answers.
func withAnswers(text, name string) string {
	return strings.Replace(text, "\r\nm=", "\r\na="+answersKey+":"+name+"\r\nm=", 1)
}

// ownDescription reads a description that the library wrote: what an answer
// calls it, and the name of its first media section, which carries the transport
// of all of them.
func ownDescription(text string) (name, mid string) {
	var own sdp.SessionDescription
	if own.UnmarshalString(text) != nil || len(own.MediaDescriptions) == 0 {
		return "", ""
	}
	mid, _ = own.MediaDescriptions[0].Attribute("mid")
	d := description{session: own.Origin.SessionID, version: own.Origin.SessionVersion}
	return d.name(), mid
}

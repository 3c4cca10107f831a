package media

import (
	"encoding/hex"
	"strings"
	"testing"

	"anteroom/node/media/mediatest"
	"anteroom/rendezvous/wire"
)

// upper returns a fingerprint as descriptions have it.
func upper(fingerprint []byte) string {
	digits := strings.ToUpper(hex.EncodeToString(fingerprint))
	pairs := make([]string, 0, 32)
	for i := 0; i < len(digits); i += 2 {
		pairs = append(pairs, digits[i:i+2])
	}
	return strings.Join(pairs, ":")
}

// renamed returns a description whose every fingerprint is another.
func renamed(sdp string, fingerprint []byte) string {
	var out strings.Builder
	for line := range strings.Lines(sdp) {
		if strings.HasPrefix(line, "a=fingerprint:") {
			line = "a=fingerprint:sha-256 " + upper(fingerprint) + "\r\n"
		}
		out.WriteString(line)
	}
	return out.String()
}

func TestNothingComesBackToALiar(t *testing.T) {
	t.Parallel()
	foreign := random()
	for _, row := range []struct {
		name   string
		lies   mediatest.Lies
		attend wire.Attend
		home   func(*home)
	}{
		{name: "certificate other than announced", attend: wire.Attend{Fingerprint: foreign}},
		{
			name: "certificate other than announced and described", attend: wire.Attend{Fingerprint: foreign},
			lies: mediatest.Lies{Describe: func(sdp string) string { return renamed(sdp, foreign) }},
		},
		{
			name: "two certificates described",
			lies: mediatest.Lies{Describe: func(sdp string) string {
				return strings.Replace(sdp, "m=audio", "a=fingerprint:sha-256 "+upper(foreign)+"\r\nm=audio", 1)
			}},
		},
		{name: "proof of another key", lies: mediatest.Lies{Proof: func(mac []byte) []byte { mac[0] ^= 1; return mac }}},
		{name: "no proof", lies: mediatest.Lies{Proof: func([]byte) []byte { return nil }}},
		{name: "home node vouches for another key", home: func(h *home) { h.lieKey = true }},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			h := newHome(t)
			if row.home != nil {
				row.home(h)
			}
			row.attend.Tab = random()[:16]
			dr, guest := h.attendWith(row.attend, row.lies), h.guest("Echo")
			dr.admit(guest.member)
			guest.endsWith(ErrUnverified)
			if view := dr.now(); view.Returned > 0 {
				t.Errorf("%d packets came back", view.Returned)
			}
			for len(guest.events) > 0 {
				if e := <-guest.events; e.Kind == EventVerified {
					t.Error("the liar was verified")
				}
			}
		})
	}
}

func TestLieBetweenGuestsEndsOnlyTheirConnection(t *testing.T) {
	t.Parallel()
	for name, lie := range map[string]func(*wire.Introduce){
		"key":         func(in *wire.Introduce) { in.Key = random() },
		"fingerprint": func(in *wire.Introduce) { in.Fingerprint = random() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHome(t)
			h.lieAbout = lie
			dr := h.attend(mediatest.Lies{})
			first, second := h.guest("First"), h.guest("Second")
			for _, guest := range []*running{first, second} {
				dr.admit(guest.member)
				guest.expect(EventJoined)
				guest.expect(EventAdmitted)
				guest.expect(EventVerified) // the practitioner
			}
			first.loses()
			dr.echoed(first.member, 3)
			dr.echoed(second.member, 3)
			if len(first.events)+len(second.events) > 0 {
				t.Error("the guests verified each other")
			}
		})
	}
}

package media

import (
	"bytes"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/pion/webrtc/v3"

	"anteroom/rendezvous/wire"
)

// aDescription returns a real offer and the fingerprint it names.
func aDescription(t testing.TB) (string, []byte) {
	t.Helper()
	e, err := newEngine(&wire.Welcome{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	pc, err := e.api.NewPeerConnection(e.config)
	if err != nil {
		t.Fatal(err)
	}
	defer pc.GracefulClose()
	for _, c := range codecs {
		if _, err := pc.AddTransceiverFromKind(c.kind); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := pc.CreateDataChannel("c0", nil); err != nil {
		t.Fatal(err)
	}
	offer, err := pc.CreateOffer(nil)
	if err != nil {
		t.Fatal(err)
	}
	return offer.SDP, e.fingerprint
}

func TestDescriptionIsHeldAgainstTheIntroduction(t *testing.T) {
	text, fingerprint := aDescription(t)
	other := random()
	with := func(before, line string) string { return strings.Replace(text, before, line+"\r\n"+before, 1) }
	media := text[strings.Index(text, "m=audio"):strings.Index(text, "m=video")]
	for _, row := range []struct {
		name, text string
		want       []byte
		foreign    bool
	}{
		{"another was introduced", text, other, true},
		{"a second for the session", with("m=audio", "a=fingerprint:sha-256 "+upper(other)), fingerprint, true},
		{"a second for a section", with("m=video", "a=fingerprint:sha-256 "+upper(other)), fingerprint, true},
		{"the same under a weaker hash", with("m=audio", "a=fingerprint:sha-1 "+upper(fingerprint)), fingerprint, true},
		{"none", strings.ReplaceAll(text, "a=fingerprint:", "a=fingerprints:"), fingerprint, true},
		{"a key", with("m=video", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x"), fingerprint, false},
		{"an identity", with("m=audio", "a=identity:x"), fingerprint, false},
		{"a fourth section", text + media, fingerprint, false},
		{"an unknown section", strings.Replace(text, "m=video", "m=text", 1), fingerprint, false},
		{"no description", "hello", fingerprint, false},
		{"a line in a line", strings.Replace(text, "a=mid:0", "a=mid:0\ra=fingerprint:sha-256 x", 1), fingerprint, false},
		{"an empty line", text + "\r\n", fingerprint, false},
	} {
		_, err := readDescription(&wire.Description{Kind: "offer", SDP: row.text}, row.want)
		if err == nil || errors.Is(err, errForeign) != row.foreign {
			t.Errorf("%s: %v", row.name, err)
		}
	}
}

func TestDescriptionIsWrittenAnew(t *testing.T) {
	text, fingerprint := aDescription(t)
	dirty := strings.Replace(text, "m=video", "a=rid:1 send\r\na=simulcast:send 1;;\r\na=x-canary:CANARY\r\nb=AS:1\r\nm=video", 1)
	dirty = strings.Replace(dirty, "s=-", "s=CANARY\r\ni=CANARY", 1)
	d, err := readDescription(&wire.Description{Kind: "offer", SDP: dirty}, fingerprint)
	if err != nil {
		t.Fatal(err)
	}
	for _, gone := range []string{"CANARY", "a=rid", "a=simulcast", "b=AS"} {
		if strings.Contains(d.SDP, gone) {
			t.Errorf("%s is still there", gone)
		}
	}
	want, err := readDescription(&wire.Description{Kind: "offer", SDP: text}, fingerprint)
	if err != nil {
		t.Fatal(err)
	}
	if d != want || d.Type != webrtc.SDPTypeOffer || d.session == 0 {
		t.Errorf("got %+v, want %+v", d, want)
	}
	for line := range strings.Lines(text) {
		if dropped := []string{"a=msid-semantic", "c="}; !strings.Contains(d.SDP, line) &&
			!slices.ContainsFunc(dropped, func(p string) bool { return strings.HasPrefix(line, p) }) {
			t.Errorf("lost %q", line)
		}
	}
}

func TestAnswersNameTheirOffer(t *testing.T) {
	text, fingerprint := aDescription(t)
	name, mid := ownDescription(text)
	if mid != "0" {
		t.Errorf("first section is %q", mid)
	}
	d, err := readDescription(&wire.Description{Kind: "answer", SDP: withAnswers(corrected(text, setupActive), name)}, fingerprint)
	if err != nil || d.answers != name || d.name() != name || !d.active {
		t.Errorf("read %+v, %v; want answers %q, active", d, err, name)
	}
	if strings.Contains(d.SDP, " \r\n") || !strings.Contains(d.SDP, "a=rtcp-fb:96 nack\r\n") {
		t.Errorf("feedback is spelled wrong: %q", d.SDP)
	}
	if d, err = readDescription(&wire.Description{Kind: "answer", SDP: corrected(text, setupPassive)}, fingerprint); err != nil || d.answers != "" || d.active {
		t.Errorf("read %+v, %v; want no answers, passive", d, err)
	}
}

func FuzzDescription(f *testing.F) {
	text, _ := aDescription(f)
	fingerprint := bytes.Repeat([]byte{0xab}, 32) // the same in every worker
	text = renamed(text, fingerprint)
	f.Add(text)
	f.Add(strings.ReplaceAll(text, "\r\n", "\n"))
	f.Add("v=0\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		d, err := readDescription(&wire.Description{Kind: "answer", SDP: text}, fingerprint)
		if err != nil {
			return
		}
		again, err := readDescription(&wire.Description{Kind: "answer", SDP: d.SDP}, fingerprint)
		if err != nil || again != d {
			t.Errorf("written anew twice: %v\n%q\n%q", err, d.SDP, again.SDP)
		}
	})
}

package invite

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"anteroom/rendezvous/internal/vectors"
)

func TestLinkIsFoundInWhatPeoplePaste(t *testing.T) {
	want := vectors.Load(t)[0].Link
	for _, s := range []string{
		want,
		"#" + want,
		"https://practice.example/j#" + want,
		"http://localhost:8080/j#" + want,
	} {
		l, err := ParseLink(s)
		if err != nil || l.Payload() != want {
			t.Errorf("a way to write the link: %v", err)
		}
	}
	l, err := ParseLink(want)
	if err != nil {
		t.Fatal(err)
	}
	for _, base := range []string{"https://practice.example", "https://practice.example/"} {
		if got := l.URL(base); got != "https://practice.example/j#"+want {
			t.Errorf("URL(%q) = %q", base, got)
		}
	}
}

func TestLinkDecodingIsStrict(t *testing.T) {
	good := vectors.Load(t)[0].Link
	raw, err := base64.RawURLEncoding.DecodeString(good)
	if err != nil {
		t.Fatal(err)
	}
	version2 := append([]byte{2}, raw[1:]...)
	for name, s := range map[string]string{
		"nothing":                 "",
		"only a fragment sign":    "#",
		"one character short":     good[:67],
		"one character long":      good + "A",
		"four characters short":   good[:64],
		"four characters long":    good + "AAAA",
		"padding":                 good[:64] + "====",
		"space before":            " " + good,
		"space after":             good + " ",
		"line end inside":         good[:30] + "\n" + good[30:],
		"line end for a letter":   good[:30] + "\n" + good[31:],
		"line ends for letters":   good[:30] + "\r\n\r\n" + good[34:],
		"standard alphabet":       strings.NewReplacer("-", "+", "_", "/").Replace("-_" + good[2:]),
		"percent encoding":        "%41" + good[1:],
		"twice":                   good + good,
		"second fragment":         good + "#" + good[:20],
		"fragment in fragment":    "https://a.example/#/j#" + good,
		"version 0":               base64.RawURLEncoding.EncodeToString(append([]byte{0}, raw[1:]...)),
		"version 2":               base64.RawURLEncoding.EncodeToString(version2),
		"halves swapped":          good[34:] + good[:34],
		"upper case":              strings.ToUpper(good),
		"URL without a fragment":  "https://practice.example/j?" + good,
		"letters of other script": strings.Repeat("а", 34),
	} {
		if _, err := ParseLink(s); !errors.Is(err, ErrBadLink) {
			t.Errorf("%s: err = %v, want ErrBadLink", name, err)
		}
	}
}

// TestDamagedLinksAreRefused tries every single wrong character of every vector,
// every neighbouring pair swapped and every length cut. The checksum is 16 bits,
// so of 171,000 damaged links two or three pass for another invite's; such a
// link opens nothing, and it must never be a second spelling of the good one.
func TestDamagedLinksAreRefused(t *testing.T) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	const tolerated = 8
	var passed int
	refused := func(damaged, good string) {
		if damaged == good {
			return
		}
		l, err := ParseLink(damaged)
		if err == nil {
			passed++
			if l.Payload() == good {
				t.Errorf("%q is a second spelling of a link", damaged)
			}
		} else if !errors.Is(err, ErrBadLink) {
			t.Errorf("err = %v", err)
		}
	}
	for _, v := range vectors.Load(t) {
		for i := range len(v.Link) {
			for _, c := range alphabet {
				refused(v.Link[:i]+string(c)+v.Link[i+1:], v.Link)
			}
			refused(v.Link[:i], v.Link)
			if i > 0 {
				refused(v.Link[:i-1]+v.Link[i:i+1]+v.Link[i-1:i]+v.Link[i+1:], v.Link)
			}
		}
	}
	if passed > tolerated {
		t.Errorf("%d damaged links were accepted", passed)
	}
}

// TestInvitesDoNotRepeat makes 10,000 invites. Of a fair bit, the count of ones
// is off by more than seven standard deviations once in 4·10¹¹.
func TestInvitesDoNotRepeat(t *testing.T) {
	const n, tolerance = 10_000, 350 // σ = √n/2 = 50
	secrets, rids, names := map[string]bool{}, map[[32]byte]bool{}, map[[65]byte]bool{}
	var ones [secretSize * 8]int
	for range n {
		inv, err := New()
		if err != nil {
			t.Fatal(err)
		}
		s := inv.Link.secret.Reveal()
		secrets[string(s)] = true
		rids[inv.Host.Rendezvous.RID()] = true
		names[inv.Host.Public()] = true
		for i := range ones {
			ones[i] += int(s[i/8]>>(i%8)) & 1
		}
	}
	if len(secrets) != n || len(rids) != n || len(names) != n {
		t.Errorf("of %d invites %d secrets, %d rids, %d host keys differ", n, len(secrets), len(rids), len(names))
	}
	for i, got := range ones {
		if got < n/2-tolerance || got > n/2+tolerance {
			t.Errorf("bit %d is set in %d of %d", i, got, n)
		}
	}
}

func FuzzLink(f *testing.F) {
	for _, v := range vectors.Load(f)[:4] {
		f.Add(v.Link)
		f.Add("https://practice.example/j#" + v.Link)
		f.Add(v.Link[:67] + "\n")
		f.Add(v.Link[:66] + "==")
	}
	f.Add("")
	f.Add("#")
	f.Fuzz(func(t *testing.T, s string) {
		l, err := ParseLink(s)
		if err != nil {
			if !errors.Is(err, ErrBadLink) {
				t.Fatalf("err = %v", err)
			}
			return
		}
		if got := l.Payload(); got != s && !strings.HasSuffix(s, "#"+got) {
			t.Fatalf("a second spelling of a link was accepted")
		}
	})
}

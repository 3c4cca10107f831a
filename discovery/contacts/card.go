package contacts

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"anteroom/discovery/address"
)

// A peer card is one line of text by which an operator tells another where a
// node is: cardPrefix, then base64url without padding of
//
//	u16be n | signed peer record[n] | name, UTF-8 | signature[64]
//
// The signature is the node's over cardDomain and all before it, so name and
// addresses are the node's own words and a damaged card is recognised.
const (
	cardPrefix = "anteroom-peer:1:"
	cardFamily = "anteroom-peer:"
	cardDomain = "anteroom peer card 1\x00"

	maxCardRecord = 1000 // bytes of signed peer record in a card
	maxCardText   = 4096 // what ParseCard looks at, white space included
	maxName       = 64   // code points
	signatureSize = 64
)

// ErrBadCard is what every refusal of a card wraps; the text says why, for the
// person who pasted it.
var ErrBadCard = errors.New("peer card")

func badCard(why string) error { return fmt.Errorf("%w: %s", ErrBadCard, why) }

// Info is what an operator knows of another node.
type Info struct {
	ID    peer.ID        `json:"id"`
	Addrs []ma.Multiaddr `json:"addrs"` // none: it is only asked while it is connected to us
	Name  string         `json:"name,omitempty"`
}

// CheckName fails if no card can have this name.
func CheckName(name string) error {
	if !validName(name) {
		return badCard("the name must be at most 64 printable characters")
	}
	return nil
}

func MakeCard(key crypto.PrivKey, addrs []ma.Multiaddr, name string) (string, error) {
	if err := CheckName(name); err != nil {
		return "", err
	}
	signed, err := address.Seal(key, addrs, maxCardRecord)
	if err != nil {
		return "", err
	}
	body := binary.BigEndian.AppendUint16(nil, uint16(len(signed)))
	body = append(body, signed...)
	body = append(body, name...)
	signature, err := key.Sign(append([]byte(cardDomain), body...))
	if err != nil {
		return "", fmt.Errorf("sign peer card: %w", err)
	}
	return cardPrefix + base64.RawURLEncoding.EncodeToString(append(body, signature...)), nil
}

// ParseCard reads a card. White space is ignored wherever a mail program may
// have put it; all else must be as Card wrote it. Addresses of a kind that this
// program cannot dial are left out; private ones stay, and whoever adds the peer decides.
func ParseCard(text string) (Info, error) {
	if len(text) > maxCardText {
		return Info{}, badCard("too long to be one")
	}
	text = strings.Map(func(r rune) rune {
		if strings.ContainsRune(" \t\r\n", r) {
			return -1
		}
		return r
	}, text)
	payload, ok := strings.CutPrefix(text, cardPrefix)
	switch {
	case ok:
	case strings.HasPrefix(text, cardFamily):
		return Info{}, badCard("made by another version of this program")
	default:
		return Info{}, badCard("must begin with " + cardPrefix)
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(payload)
	if err != nil || len(raw) < 2+signatureSize {
		return Info{}, badCard("incomplete or damaged; copy it again")
	}
	body, signature := raw[:len(raw)-signatureSize], raw[len(raw)-signatureSize:]
	n := int(binary.BigEndian.Uint16(body))
	if n > maxCardRecord || n > len(body)-2 {
		return Info{}, badCard("incomplete or damaged; copy it again")
	}
	info, err := address.Open(body[2 : 2+n])
	if err != nil {
		return Info{}, badCard("incomplete or damaged; copy it again")
	}
	key, err := info.ID.ExtractPublicKey()
	if err != nil {
		return Info{}, badCard("has no usable key")
	}
	if ok, err := key.Verify(append([]byte(cardDomain), body...), signature); err != nil || !ok {
		return Info{}, badCard("incomplete or damaged; copy it again")
	}
	name := string(body[2+n:])
	if !validName(name) {
		return Info{}, badCard("has a name that cannot be shown")
	}
	addrs := address.Pick(info.Addrs, true, address.Max)
	if len(addrs) == 0 && len(info.Addrs) > 0 {
		return Info{}, badCard("has no address that this program can dial")
	}
	return Info{ID: info.ID, Addrs: addrs, Name: name}, nil
}

// ParsePeer reads a card, or a multiaddr that ends in /p2p/ and a peer ID.
func ParsePeer(text string) (Info, error) {
	text = strings.TrimSpace(text)
	if !strings.HasPrefix(text, "/") {
		return ParseCard(text)
	}
	info, err := peer.AddrInfoFromString(text)
	if err != nil {
		return Info{}, errors.New("parse peer: not a multiaddr that ends in /p2p/<peer id>")
	}
	for _, a := range info.Addrs {
		if address.ReachOf(a) == address.Nowhere {
			return Info{}, errors.New("parse peer: want host/tcp/port or host/udp/port/quic-v1 before /p2p/")
		}
	}
	return Info{ID: info.ID, Addrs: info.Addrs}, nil
}

// validName reports whether s can be printed on one line of a terminal or page
// without disturbing its neighbours.
func validName(s string) bool {
	if !utf8.ValidString(s) || utf8.RuneCountInString(s) > maxName {
		return false
	}
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

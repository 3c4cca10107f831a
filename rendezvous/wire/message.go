package wire

// A Type names a message. PROTOCOL.md, "Messages", says who sends which.
type Type string

const (
	TypeWelcome     Type = "welcome"
	TypeJoin        Type = "join"
	TypeAttend      Type = "attend"
	TypeSeat        Type = "seat"
	TypeRoster      Type = "roster"
	TypeIntroduce   Type = "introduce"
	TypeDescription Type = "description"
	TypeCandidate   Type = "candidate"
	TypeAdmit       Type = "admit"
	TypeDeny        Type = "deny"
	TypeRemove      Type = "remove"
	TypeHold        Type = "hold"
	TypeLock        Type = "lock"
	TypeAlarm       Type = "alarm"
	TypeTested      Type = "tested"
	TypeRelays      Type = "relays"
	TypeLeave       Type = "leave"
	TypeEnd         Type = "end"
	TypePing        Type = "ping"
	TypePong        Type = "pong"
	TypeError       Type = "error"
	TypeBye         Type = "bye"
)

// A MemberID names a seat of one room: 16 hex digits, the same for as long as
// the invite lives; HostID for the practitioner.
type MemberID string

// HostID is the practitioner's member id in every room.
const HostID MemberID = "host"

// Role is what a member is in the room.
type Role string

const (
	RoleHost  Role = "host"
	RoleGuest Role = "guest"
)

// SeatState is where a guest stands. Only SeatAdmitted has media.
type SeatState string

const (
	SeatWaiting  SeatState = "waiting"
	SeatAdmitted SeatState = "admitted"
	SeatHeld     SeatState = "held"         // admitted, but nobody hears or sees them for now
	SeatAway     SeatState = "disconnected" // was admitted; the seat is kept for a while
)

// WindowState says whether an appointment can be entered.
type WindowState string

const (
	WindowOpen  WindowState = "open"
	WindowEarly WindowState = "early"
	WindowEnded WindowState = "ended"
	WindowFull  WindowState = "full" // a device holds this seat

	// What became of a link, or of its appointment, whatever the time. Each is
	// the Code that whoever knocks all the same is told.
	WindowCancelled WindowState = "cancelled"
	WindowRevoked   WindowState = "revoked"
	WindowRotated   WindowState = "rotated" // a newer link took its place
)

// A Body is the content of one message. Its fields, in order, are the
// canonical form that Decode insists on.
type Body interface {
	Type() Type
	// valid reports whether every field is within the limits of PROTOCOL.md.
	valid() bool
}

// Welcome is the home node's first word: the payload of Noise message 2 to a
// guest, the first message to a practitioner.
type Welcome struct {
	State        WindowState `json:"state"`
	Now          int64       `json:"now"`    // home node's clock, Unix seconds
	Opens        int64       `json:"opens"`  // when guests may knock
	Starts       int64       `json:"starts"` // when the appointment begins
	Ends         int64       `json:"ends"`   // when it is planned to be over
	Closes       int64       `json:"closes"` // when nobody may knock any more
	Practice     string      `json:"practice"`
	Practitioner string      `json:"practitioner"`
	SID          Bytes       `json:"sid"`         // 32 bytes, names this connection
	Confirm      Bytes       `json:"k_confirm"`   // 32 bytes, keys the media binding
	Resume       Bytes       `json:"resume"`      // 32 bytes, takes this seat again
	ICEServers   []ICEServer `json:"ice_servers"` // never null
	RelayOnly    bool        `json:"relay_only"`  // policy: hide addresses
	Demo         bool        `json:"demo"`        // this is a try-out, not an appointment
}

// ICEServer is one RTCIceServer.
type ICEServer struct {
	URLs       []string `json:"urls"`
	Username   string   `json:"username"`
	Credential string   `json:"credential"`
}

// Join is a guest's first sealed message, sent when a person presses Join.
type Join struct {
	Name        string `json:"name"`
	Fingerprint Bytes  `json:"fp"`               // SHA-256 of the browser's DTLS certificate
	Resume      Bytes  `json:"resume,omitempty"` // from the Welcome with which this seat was taken
}

// Attend is a practitioner's first message.
type Attend struct {
	Appointment string `json:"appointment"`
	Tab         Bytes  `json:"tab"`   // 16 bytes, random per browser tab
	Token       string `json:"token"` // the tab's header token
	Fingerprint Bytes  `json:"fp"`
	Take        bool   `json:"take"` // take the room over from another tab
}

// Seat tells a member where they stand.
type Seat struct {
	Member MemberID  `json:"member"`
	State  SeatState `json:"state"`
}

// Roster is everyone the receiver may know of, in the order they came.
type Roster struct {
	Members []RosterEntry `json:"members"` // never null
	Locked  bool          `json:"locked"`
}

// RosterEntry is one member. A guest is told labels, the practitioner names too.
type RosterEntry struct {
	Member MemberID  `json:"member"`
	Role   Role      `json:"role"`
	State  SeatState `json:"state"`
	Name   string    `json:"name,omitempty"`
	Label  string    `json:"label,omitempty"`
	Since  int64     `json:"since"` // Unix seconds
	Alarm  bool      `json:"alarm"` // another device tried this seat
}

// Introduce gives two members what they need to recognise each other.
type Introduce struct {
	Member      MemberID `json:"member"` // the other one
	Role        string   `json:"role"`   // the receiver's role in the binding MAC: "H" or "P"
	Polite      bool     `json:"polite"` // the receiver's part in perfect negotiation
	Fingerprint Bytes    `json:"fp"`     // of the other's DTLS certificate
	Key         Bytes    `json:"key"`    // 32 bytes, keys the binding MAC
	Hash        Bytes    `json:"h"`      // 32 bytes, the handshake that vouches for the key
}

// Description is an SDP offer or answer. Peer is the other member: the
// receiver when sent, the sender (stamped by the room) when received.
type Description struct {
	Peer MemberID `json:"peer"`
	Kind string   `json:"kind"` // "offer" or "answer"
	SDP  string   `json:"sdp"`
}

// Candidate is one ICE candidate; empty text ends them. Peer as in Description.
type Candidate struct {
	Peer      MemberID `json:"peer"`
	Candidate string   `json:"candidate"`
	MID       string   `json:"mid"`
}

// Admit lets a guest in. SDP is the answer to the offer that the guest left
// while waiting; empty if none had come.
type Admit struct {
	Member MemberID `json:"member"`
	SDP    string   `json:"sdp,omitempty"`
}

type Deny struct {
	Member MemberID `json:"member"`
}

type Remove struct {
	Member MemberID `json:"member"`
}

// Hold puts an admitted guest where nobody hears or sees them, or back.
type Hold struct {
	Member MemberID `json:"member"`
	On     bool     `json:"on"`
}

// Lock keeps further guests from knocking.
type Lock struct {
	On bool `json:"on"`
}

// Alarm says that another device tried to take the member's seat.
type Alarm struct {
	Member MemberID `json:"member"`
}

// Tested says, before anybody joins, how a call would go from where the guest
// is. The practitioner sees it in the diary.
type Tested struct {
	Path PathResult `json:"path"`
}

// A PathResult is what the guest's browser found out about its way to others.
type PathResult string

const (
	PathGood    PathResult = "good"    // the relay, if need be, over UDP
	PathSlow    PathResult = "slow"    // the relay over TCP or TLS only
	PathBlocked PathResult = "blocked" // not even the relay
)

// Relays takes the place of what the Welcome said of them: a relay was lent since.
type Relays struct {
	ICEServers []ICEServer `json:"ice_servers"` // never null
}

type (
	Leave struct{}
	End   struct{}
	Ping  struct{}
	Pong  struct{}
)

// ErrorBody answers one message that could not be acted upon; the connection lives.
type ErrorBody struct {
	Code Code `json:"code"`
}

// Bye is the last message; Code says why.
type Bye struct {
	Code Code `json:"code"`
}

func (*Welcome) Type() Type     { return TypeWelcome }
func (*Join) Type() Type        { return TypeJoin }
func (*Attend) Type() Type      { return TypeAttend }
func (*Seat) Type() Type        { return TypeSeat }
func (*Roster) Type() Type      { return TypeRoster }
func (*Introduce) Type() Type   { return TypeIntroduce }
func (*Description) Type() Type { return TypeDescription }
func (*Candidate) Type() Type   { return TypeCandidate }
func (*Admit) Type() Type       { return TypeAdmit }
func (*Deny) Type() Type        { return TypeDeny }
func (*Remove) Type() Type      { return TypeRemove }
func (*Hold) Type() Type        { return TypeHold }
func (*Lock) Type() Type        { return TypeLock }
func (*Alarm) Type() Type       { return TypeAlarm }
func (*Tested) Type() Type      { return TypeTested }
func (*Relays) Type() Type      { return TypeRelays }
func (*Leave) Type() Type       { return TypeLeave }
func (*End) Type() Type         { return TypeEnd }
func (*Ping) Type() Type        { return TypePing }
func (*Pong) Type() Type        { return TypePong }
func (*ErrorBody) Type() Type   { return TypeError }
func (*Bye) Type() Type         { return TypeBye }

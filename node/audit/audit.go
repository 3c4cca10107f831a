// Package audit is the trail of what was done at a practice: a chain of entries
// that only grows, in the transactions of what they tell of.
package audit

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"anteroom/node/store"
	"anteroom/rendezvous/wire"
)

// The audit trail is a chain of entries that only grows:
//
//	hash(n) = SHA-256("anteroom audit" | hash(n-1) | be64(n) | entry(n))     hash(0) = 32 zeros
//	mac(n)  = HMAC-SHA256(audit key, hash(n))
//
// where entry(n) is sealed, so that a hash gives nothing away. The head, sealed
// too, says how long the chain is. So without the key nothing can be changed,
// moved, inserted, taken out or cut off unnoticed. With an older copy of the
// whole database the trail can be set back to then; only a witness elsewhere
// would notice.

// Events of the audit trail. The room adds its own by Note.
const (
	EventSetUp        = "set-up"
	EventSignIn       = "sign-in"
	EventSignInFailed = "sign-in-failed"
	EventShowLink     = "show-link" // a guest's link was shown again
	EventCreate       = "create"
	EventCancel       = "cancel"
	EventRevoke       = "revoke"
	EventRotate       = "rotate"
	EventAdmit        = "admit"
	EventLoss         = "records-lost" // somebody went on without the write-ahead log
	EventTrailBroken  = "trail-broken" // the trail goes on, but not from where its head said
)

// An Entry says what happened, and to which pseudonyms: no names, addresses or
// secrets.
type Entry struct {
	Seq         int64     // 1, 2, 3 …; set when it is recorded
	Time        time.Time // to the second; set when it is recorded
	Event       string    // 1 to 32 lower-case letters and hyphens
	By          string    // practitioner's id, if one is known
	Appointment string    // id, if it was about one
	Member      wire.MemberID
	Code        wire.Code
}

// An Error names the first entry that is not as it was recorded.
type Error = store.TrailError

// A Trail is safe for concurrent use. It starts no goroutines.
type Trail struct {
	store *store.Store
	clock func() time.Time
	key   func() []byte
	good  verified
}

// New returns the trail that is kept in s.
func New(s *store.Store, clock func() time.Time) (*Trail, error) {
	key, err := s.Subkey("audit-mac")
	if err != nil {
		return nil, err
	}
	return &Trail{store: s, clock: clock, key: func() []byte { return key }}, nil
}

// Record adds e to the trail.
func (t *Trail) Record(ctx context.Context, e Entry) error {
	err := t.store.WriteFromReserve(ctx, func(tx *sql.Tx) error { return t.Add(ctx, tx, e) })
	if err != nil {
		return fmt.Errorf("write audit entry: %w", err)
	}
	return nil
}

// Note records what happened to a member of an appointment's room.
func (t *Trail) Note(ctx context.Context, event, appointment string, m wire.MemberID) error {
	return t.Record(ctx, Entry{Event: event, Appointment: appointment, Member: m})
}

// head is the end of the chain.
type head struct {
	seq  int64
	hash [sha256.Size]byte
}

// Add records e within the transaction of what it tells of, so that neither is
// there without the other.
func (t *Trail) Add(ctx context.Context, tx *sql.Tx, e Entry) error {
	last, broken, err := t.end(ctx, tx)
	if err != nil {
		return err
	}
	if broken {
		if last, err = t.append(ctx, tx, last, Entry{Event: EventTrailBroken}); err != nil {
			return err
		}
	}
	last, err = t.append(ctx, tx, last, e)
	if err != nil {
		return err
	}
	return t.setHead(ctx, tx, last)
}

// end returns where the chain goes on. If the head is lost, or does not know of
// the last entry, that is behind whatever is there; broken says so.
func (t *Trail) end(ctx context.Context, tx *sql.Tx) (last head, broken bool, err error) {
	last, err = t.head(ctx, tx)
	if _, lost := errors.AsType[*Error](err); err != nil && !lost {
		return head{}, false, err
	}
	broken = err != nil
	err = t.entries(ctx, tx, last.seq, -1, func(row sealedEntry) error {
		last.seq, broken = row.seq, true
		copy(last.hash[:], row.hash)
		return nil
	})
	return last, broken, err
}

// append writes e behind last.
func (t *Trail) append(ctx context.Context, tx *sql.Tx, last head, e Entry) (head, error) {
	e.Seq, e.Time = last.seq+1, t.clock()
	plain, err := e.encode()
	if err != nil {
		return head{}, err
	}
	sealed := t.store.Seal(entryCell(e.Seq), plain)
	next := last.next(sealed)
	_, err = tx.ExecContext(ctx, "INSERT INTO audit (seq, entry, hash, mac) VALUES (?, ?, ?, ?)",
		next.seq, sealed, next.hash[:], t.mac(next.hash[:]))
	return next, err
}

func (h head) next(sealed []byte) head {
	sum := sha256.New()
	sum.Write([]byte("anteroom audit"))
	sum.Write(h.hash[:])
	sum.Write(binary.BigEndian.AppendUint64(nil, uint64(h.seq+1)))
	sum.Write(sealed)
	return head{h.seq + 1, [sha256.Size]byte(sum.Sum(nil))}
}

func (t *Trail) mac(hash []byte) []byte {
	mac := hmac.New(sha256.New, t.key())
	mac.Write(hash)
	return mac.Sum(nil)
}

var headCell = store.Cell{Table: "audit_head", Column: "head", Row: "1"}

func entryCell(seq int64) store.Cell {
	return store.Cell{Table: "audit", Column: "entry", Row: strconv.FormatInt(seq, 10)}
}

// Begin writes the head of an empty chain, in a new database only: in one
// that is in use, a missing head is an entry that was taken out.
func (t *Trail) Begin(ctx context.Context, tx *sql.Tx) error {
	var used bool
	err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM audit_head) OR EXISTS (SELECT 1 FROM audit)
		OR EXISTS (SELECT 1 FROM practice)`).Scan(&used)
	if err != nil || used {
		return err
	}
	return t.setHead(ctx, tx, head{})
}

func (t *Trail) setHead(ctx context.Context, tx *sql.Tx, h head) error {
	plain := append(binary.BigEndian.AppendUint64(nil, uint64(h.seq)), h.hash[:]...)
	_, err := tx.ExecContext(ctx, "INSERT INTO audit_head (id, head) VALUES (1, ?) ON CONFLICT DO UPDATE SET head = excluded.head",
		t.store.Seal(headCell, plain))
	return err
}

func (t *Trail) head(ctx context.Context, tx *sql.Tx) (h head, err error) {
	var sealed []byte
	err = tx.QueryRowContext(ctx, "SELECT head FROM audit_head").Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return head{}, &Error{Seq: 0, Was: "is missing"}
	}
	if err != nil {
		return head{}, err
	}
	plain, err := t.store.Unseal(headCell, sealed)
	if err != nil || len(plain) != 8+len(h.hash) {
		return head{}, &Error{Seq: 0, Was: "was changed"}
	}
	return head{int64(binary.BigEndian.Uint64(plain)), [sha256.Size]byte(plain[8:])}, nil
}

// Verify checks the whole trail and returns how many entries are good from the
// first on. The error is an *Error if one is not.
func (t *Trail) Verify(ctx context.Context) (good int64, err error) {
	last, err := t.verify(ctx, head{})
	return last.seq, err
}

const (
	// shortTrail is how many entries are always verified all, which takes about
	// a second; of a longer trail, those before the last look once a day.
	shortTrail = 100_000
	trailEvery = 24 * time.Hour
)

// verified is what of the trail was found good when the whole was last looked at.
type verified struct {
	mu  sync.Mutex
	end head
	at  time.Time
}

// Check is Verify for who asks often.
func (t *Trail) Check(ctx context.Context) error {
	t.good.mu.Lock()
	defer t.good.mu.Unlock()
	from := t.good.end
	whole := from.seq <= shortTrail || time.Since(t.good.at) >= trailEvery
	if whole {
		from = head{}
	}
	end, err := t.verify(ctx, from)
	switch {
	case err != nil:
		t.good.end = head{}
	case whole:
		t.good.end, t.good.at = end, time.Now()
	}
	return err
}

// verify checks the trail behind from, and returns the last entry that is good.
func (t *Trail) verify(ctx context.Context, from head) (last head, err error) {
	last = from
	err = t.store.Read(ctx, func(tx *sql.Tx) error {
		end, err := t.head(ctx, tx)
		if err != nil {
			return err
		}
		err = t.entries(ctx, tx, from.seq, -1, func(row sealedEntry) error {
			if row.seq != last.seq+1 {
				return &Error{Seq: last.seq + 1, Was: "is missing"}
			}
			if row.seq > end.seq {
				return &Error{Seq: row.seq, Was: "was added by someone else"}
			}
			next := last.next(row.entry)
			if !hmac.Equal(next.hash[:], row.hash) || !hmac.Equal(t.mac(row.hash), row.mac) {
				return &Error{Seq: row.seq, Was: "was changed"}
			}
			e, err := t.openEntry(row)
			if err != nil {
				return err
			}
			if e.Event == EventTrailBroken {
				return &Error{Seq: row.seq, Was: "says that the record of how long the trail was had been damaged"}
			}
			last = next
			return nil
		})
		if err != nil {
			return err
		}
		if last.seq < end.seq {
			return &Error{Seq: last.seq + 1, Was: "is missing"}
		}
		if last.hash != end.hash {
			return &Error{Seq: last.seq, Was: "was changed"}
		}
		return nil
	})
	if err != nil {
		return last, fmt.Errorf("verify audit: %w", err)
	}
	return last, nil
}

// Entries returns up to limit entries of the trail behind entry after, oldest
// first. It does not verify the chain.
func (t *Trail) Entries(ctx context.Context, after int64, limit int) (list []Entry, err error) {
	err = t.store.Read(ctx, func(tx *sql.Tx) error {
		return t.entries(ctx, tx, after, limit, func(row sealedEntry) error {
			e, err := t.openEntry(row)
			list = append(list, e)
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("read audit: %w", err)
	}
	return list, nil
}

// Last returns the newest entry; ok is false if there is none that can be read.
func (t *Trail) Last(ctx context.Context, tx *sql.Tx) (e Entry, ok bool, err error) {
	var row sealedEntry
	err = tx.QueryRowContext(ctx, "SELECT seq, entry FROM audit ORDER BY seq DESC LIMIT 1").Scan(&row.seq, &row.entry)
	if errors.Is(err, sql.ErrNoRows) {
		return Entry{}, false, nil
	}
	if err != nil {
		return Entry{}, false, err
	}
	e, err = t.openEntry(row)
	return e, err == nil, nil
}

type sealedEntry struct {
	seq              int64
	entry, hash, mac []byte
}

// entries calls fn for up to limit rows behind after; all, if limit is negative.
func (t *Trail) entries(ctx context.Context, tx *sql.Tx, after int64, limit int, fn func(sealedEntry) error) error {
	rows, err := tx.QueryContext(ctx, "SELECT seq, entry, hash, mac FROM audit WHERE seq > ? ORDER BY seq LIMIT ?", after, limit)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var row sealedEntry
		if err := rows.Scan(&row.seq, &row.entry, &row.hash, &row.mac); err != nil {
			return err
		}
		if err := fn(row); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (t *Trail) openEntry(row sealedEntry) (Entry, error) {
	plain, err := t.store.Unseal(entryCell(row.seq), row.entry)
	if err != nil {
		return Entry{}, &Error{Seq: row.seq, Was: "was changed"}
	}
	e, err := decodeEntry(plain)
	if err != nil {
		return Entry{}, &Error{Seq: row.seq, Was: "cannot be read"}
	}
	e.Seq = row.seq
	return e, nil
}

const entryVersion = 1

// encode returns version | be64 Unix time | five texts, each behind its length
// in one byte. It refuses what is no pseudonym, so that no name gets in.
func (e Entry) encode() ([]byte, error) {
	if e.Event == "" {
		return nil, errors.New("audit entry without event")
	}
	out := binary.BigEndian.AppendUint64([]byte{entryVersion}, uint64(e.Time.Unix()))
	for _, text := range []string{e.Event, e.By, e.Appointment, string(e.Member), string(e.Code)} {
		if len(text) > 32 || strings.Trim(text, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return nil, errors.New("audit entry with something that is no pseudonym")
		}
		out = append(out, byte(len(text)))
		out = append(out, text...)
	}
	return out, nil
}

func decodeEntry(b []byte) (Entry, error) {
	bad := errors.New("decode audit entry: not one of ours")
	if len(b) < 9 || b[0] != entryVersion {
		return Entry{}, bad
	}
	e := Entry{Time: time.Unix(int64(binary.BigEndian.Uint64(b[1:])), 0)}
	b = b[9:]
	for _, text := range []*string{&e.Event, &e.By, &e.Appointment, (*string)(&e.Member), (*string)(&e.Code)} {
		if len(b) == 0 || len(b) < 1+int(b[0]) {
			return Entry{}, bad
		}
		*text, b = string(b[1:1+int(b[0])]), b[1+int(b[0]):]
	}
	if len(b) != 0 {
		return Entry{}, bad
	}
	return e, nil
}

package people

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"anteroom/node/store"
)

// Sessions keeps sign-ins across restarts. It is a SessionStore.
type Sessions struct{ p *People }

var _ SessionStore = Sessions{}

// Sessions returns the sessions that are kept.
func (p *People) Sessions() Sessions { return Sessions{p} }

func sessionCell(token string) store.Cell {
	return store.Cell{Table: "session", Column: "data", Row: token}
}

// Find returns the data of a session that has not expired.
func (s Sessions) Find(token string) (data []byte, ok bool, err error) {
	ctx := context.Background()
	err = s.p.store.Read(ctx, func(tx *sql.Tx) error {
		var sealed []byte
		err := tx.QueryRowContext(ctx, "SELECT data FROM session WHERE token = ?", token).Scan(&sealed)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		data, ok = s.open(token, sealed, s.p.clock())
		return nil
	})
	if err != nil {
		return nil, false, fmt.Errorf("find session: %w", err)
	}
	return data, ok, nil
}

// open returns the data of a session, unless it has expired or was tampered
// with, which is as if it were not there.
func (s Sessions) open(token string, sealed []byte, now time.Time) (data []byte, ok bool) {
	plain, err := s.p.store.Unseal(sessionCell(token), sealed)
	if err != nil || len(plain) < 8 {
		return nil, false
	}
	expiry := time.Unix(0, int64(binary.BigEndian.Uint64(plain)))
	if !now.Before(expiry) {
		return nil, false
	}
	return plain[8:], true
}

// Commit stores a session, or replaces it.
func (s Sessions) Commit(token string, data []byte, expiry time.Time) error {
	ctx := context.Background()
	plain := binary.BigEndian.AppendUint64(nil, uint64(expiry.UnixNano()))
	sealed := s.p.store.Seal(sessionCell(token), append(plain, data...))
	err := s.p.store.WriteFromReserve(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO session (token, data) VALUES (?, ?) ON CONFLICT DO UPDATE SET data = excluded.data", token, sealed)
		return err
	})
	if err != nil {
		return fmt.Errorf("commit session: %w", err)
	}
	return nil
}

// Delete removes a session, if there is one.
func (s Sessions) Delete(token string) error {
	ctx := context.Background()
	err := s.p.store.WriteFromReserve(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM session WHERE token = ?", token)
		return err
	})
	if err != nil {
		return fmt.Errorf("delete session: %w", err)
	}
	return nil
}

// All returns the data of all sessions that have not expired, by token.
func (s Sessions) All() (map[string][]byte, error) {
	ctx := context.Background()
	all := make(map[string][]byte)
	err := s.p.store.Read(ctx, func(tx *sql.Tx) error {
		return s.each(ctx, tx, func(token string, sealed []byte) {
			if data, ok := s.open(token, sealed, s.p.clock()); ok {
				all[token] = data
			}
		})
	})
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	return all, nil
}

func (s Sessions) each(ctx context.Context, tx *sql.Tx, fn func(token string, sealed []byte)) error {
	rows, err := tx.QueryContext(ctx, "SELECT CAST(ifnull(token, '') AS TEXT), data FROM session")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var token string
		var sealed []byte
		if err := rows.Scan(&token, &sealed); err != nil {
			return err
		}
		fn(token, sealed)
	}
	return rows.Err()
}

// Expired returns the tokens of sessions that Find would not find at now.
func (s Sessions) Expired(ctx context.Context, tx *sql.Tx, now time.Time) (tokens []string, err error) {
	err = s.each(ctx, tx, func(token string, sealed []byte) {
		if _, ok := s.open(token, sealed, now); !ok {
			tokens = append(tokens, token)
		}
	})
	return tokens, err
}

// Forget removes the sessions of tokens.
func (s Sessions) Forget(ctx context.Context, tx *sql.Tx, tokens []string) error {
	for _, token := range tokens {
		if _, err := tx.ExecContext(ctx, "DELETE FROM session WHERE token = ?", token); err != nil {
			return err
		}
	}
	return nil
}

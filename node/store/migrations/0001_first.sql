-- What a practice keeps. Names, labels, times, secrets, keys, the state of
-- appointments and seats and the content of the audit are sealed: whoever has
-- this file without the key can count rows and delete them, and no more.
-- Ids are random. Each sealed column is bound to its table, column and row.

PRAGMA application_id = 0x416e7465; -- "Ante"

-- A known text, sealed: it opens with this database's key and no other.
CREATE TABLE canary (
	id     INTEGER PRIMARY KEY CHECK (id = 1),
	sealed BLOB NOT NULL
) STRICT;

CREATE TABLE practice (
	id   INTEGER PRIMARY KEY CHECK (id = 1),
	name BLOB NOT NULL -- sealed
) STRICT;

CREATE TABLE practitioner (
	id         TEXT PRIMARY KEY,
	name_index BLOB NOT NULL UNIQUE, -- blind index of the folded name
	name       BLOB NOT NULL,        -- sealed
	password   BLOB NOT NULL         -- sealed PHC string
) STRICT;

CREATE TABLE appointment (
	id           TEXT PRIMARY KEY,
	practitioner TEXT NOT NULL REFERENCES practitioner (id),
	label        BLOB NOT NULL, -- sealed
	plan         BLOB NOT NULL  -- sealed: start, length, flags
) STRICT;

CREATE INDEX appointment_by_practitioner ON appointment (practitioner);

-- An invite's link and host keys are sealed under a key of its own, so that
-- forgetting 32 bytes forgets them; the row stays for the diary.
CREATE TABLE invite (
	seq         INTEGER PRIMARY KEY, -- the latest in a position counts
	member      TEXT NOT NULL UNIQUE,
	appointment TEXT NOT NULL REFERENCES appointment (id) ON DELETE CASCADE,
	position    INTEGER NOT NULL CHECK (position >= 0),
	label       BLOB NOT NULL, -- sealed
	seat        BLOB NOT NULL, -- sealed: flags, hash of the resume token
	rid         BLOB UNIQUE,   -- blind index; NULL once shredded
	key         BLOB,          -- sealed; NULL once shredded
	link        BLOB,          -- sealed under key; NULL once revoked or shredded
	host        BLOB,          -- sealed under key; NULL once shredded
	CHECK ((key IS NULL) = (rid IS NULL) AND (key IS NULL) = (host IS NULL)),
	CHECK (key IS NOT NULL OR link IS NULL)
) STRICT;

CREATE INDEX invite_by_appointment ON invite (appointment, position, seq);

CREATE TABLE session (
	token TEXT PRIMARY KEY, -- hashed before it comes here
	data  BLOB NOT NULL     -- sealed: expiry, content
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
	seq   INTEGER PRIMARY KEY, -- 1, 2, 3 without a gap
	entry BLOB NOT NULL,       -- sealed
	hash  BLOB NOT NULL CHECK (length(hash) = 32), -- of the hash before, seq and entry
	mac   BLOB NOT NULL CHECK (length(mac) = 32)   -- of hash
) STRICT;

-- How long the audit is, so that a cut tail is missed.
CREATE TABLE audit_head (
	id   INTEGER PRIMARY KEY CHECK (id = 1),
	head BLOB NOT NULL -- sealed: seq, hash
) STRICT;

CREATE TRIGGER audit_keeps BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;

CREATE TRIGGER audit_stays BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;

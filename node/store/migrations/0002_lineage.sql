-- Which write-ahead log belongs to this database, and whether it is complete
-- without one. Neither tells anything of a practice.
CREATE TABLE lineage (
	id   INTEGER PRIMARY KEY CHECK (id = 1),
	own  BLOB NOT NULL, -- random; changes with the first that is written to each new log
	base BLOB NOT NULL, -- what own was in the database when that log was begun; empty: there was none
	open INTEGER NOT NULL CHECK (open IN (0, 1)) -- a node has it open, or did not get to closing it
) STRICT;

INSERT INTO lineage (id, own, base, open) VALUES (1, randomblob(16), x'', 0);

-- What time this node has seen pass.
CREATE TABLE clock (
	id   INTEGER PRIMARY KEY CHECK (id = 1),
	seen BLOB NOT NULL -- sealed
) STRICT;

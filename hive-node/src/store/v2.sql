-- Where the audit log begins: the last row that was cut off, and its hash. The chain goes on from it.
CREATE TABLE audit_anchor (
    one  INTEGER PRIMARY KEY CHECK (one = 1),
    seq  INTEGER NOT NULL,
    hash BLOB NOT NULL
) STRICT;

INSERT INTO audit_anchor (one, seq, hash) VALUES (1, 0, zeroblob(32));

-- Rows go only behind the anchor, and the anchor goes only forward, to a row that is there.
DROP TRIGGER audit_keeps_rows;

CREATE TRIGGER audit_keeps_rows BEFORE DELETE ON audit
WHEN OLD.seq > (SELECT seq FROM audit_anchor)
BEGIN
    SELECT RAISE(ABORT, 'the audit log only grows');
END;

CREATE TRIGGER audit_anchor_goes_forward BEFORE UPDATE ON audit_anchor
WHEN NEW.seq <= OLD.seq
  OR NOT EXISTS (SELECT 1 FROM audit WHERE seq = NEW.seq AND hash = NEW.hash)
BEGIN
    SELECT RAISE(ABORT, 'the audit log is cut at a row of it only');
END;

CREATE TRIGGER audit_anchor_stays BEFORE DELETE ON audit_anchor
BEGIN
    SELECT RAISE(ABORT, 'the audit log keeps its anchor');
END;

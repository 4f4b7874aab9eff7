-- What version 2 had beyond version 1.
CREATE TABLE review_edits (
    review_id VARCHAR NOT NULL,
    position INTEGER NOT NULL,
    at DOUBLE NOT NULL,
    "by" TEXT NOT NULL,
    former_digest VARCHAR NOT NULL,
    digest VARCHAR NOT NULL,
    CONSTRAINT pk_review_edits PRIMARY KEY (review_id, position),
    CONSTRAINT fk_review_edits_review_id FOREIGN KEY(review_id) REFERENCES reviews (id) ON DELETE CASCADE
);
CREATE TABLE review_notes (
    review_id VARCHAR NOT NULL,
    path TEXT NOT NULL,
    sha256 VARCHAR NOT NULL,
    CONSTRAINT pk_review_notes PRIMARY KEY (review_id),
    CONSTRAINT fk_review_notes_review_id FOREIGN KEY(review_id) REFERENCES reviews (id) ON DELETE CASCADE
);
UPDATE meta SET value = '2' WHERE key = 'schema_version';
INSERT INTO review_edits VALUES ('r1', 0, 1.75, 'ann', 'd', 'd0');
INSERT INTO review_notes VALUES ('r1', 'Needs_Action/r1.md', 'ff');

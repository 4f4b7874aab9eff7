-- What the first release left: its tables as SQLite dumped them, and a few rows.
CREATE TABLE change_sets (
    run_id VARCHAR NOT NULL,
    skill TEXT NOT NULL,
    code_sha256 VARCHAR NOT NULL,
    manifest_digest VARCHAR NOT NULL,
    level VARCHAR NOT NULL,
    vault TEXT NOT NULL,
    state VARCHAR NOT NULL,
    digest VARCHAR NOT NULL,
    created_at DOUBLE NOT NULL,
    note TEXT NOT NULL,
    undoes VARCHAR NOT NULL,
    CONSTRAINT pk_change_sets PRIMARY KEY (run_id)
);
CREATE TABLE changes (
    run_id VARCHAR NOT NULL,
    position INTEGER NOT NULL,
    kind VARCHAR NOT NULL,
    path TEXT NOT NULL,
    moved_from TEXT NOT NULL,
    directory BOOLEAN NOT NULL,
    size BIGINT NOT NULL,
    sha256 VARCHAR NOT NULL,
    before_sha256 VARCHAR NOT NULL,
    before_mode INTEGER,
    before_uid BIGINT,
    before_gid BIGINT,
    before_mtime_ns BIGINT,
    CONSTRAINT pk_changes PRIMARY KEY (run_id, position),
    CONSTRAINT fk_changes_run_id FOREIGN KEY(run_id) REFERENCES change_sets (run_id) ON DELETE CASCADE
);
CREATE TABLE meta (
    "key" VARCHAR NOT NULL,
    value TEXT NOT NULL,
    CONSTRAINT pk_meta PRIMARY KEY ("key")
);
INSERT INTO "meta" VALUES('schema_version','1');
CREATE TABLE reviews (
    id VARCHAR NOT NULL,
    run_id VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    reasons JSON NOT NULL,
    state VARCHAR NOT NULL,
    digest VARCHAR NOT NULL,
    code_sha256 VARCHAR NOT NULL,
    manifest_digest VARCHAR NOT NULL,
    manifest JSON NOT NULL,
    created_at DOUBLE NOT NULL,
    expires_at DOUBLE NOT NULL,
    decided_at DOUBLE,
    decided_by TEXT NOT NULL,
    comment TEXT NOT NULL,
    vault TEXT NOT NULL,
    CONSTRAINT pk_reviews PRIMARY KEY (id)
);
CREATE TABLE snapshot_entries (
    snapshot_id VARCHAR NOT NULL,
    path TEXT NOT NULL,
    directory BOOLEAN NOT NULL,
    size BIGINT NOT NULL,
    sha256 VARCHAR NOT NULL,
    mode INTEGER NOT NULL,
    mtime_ns BIGINT NOT NULL,
    CONSTRAINT pk_snapshot_entries PRIMARY KEY (snapshot_id, path),
    CONSTRAINT fk_snapshot_entries_snapshot_id FOREIGN KEY(snapshot_id) REFERENCES snapshots (id) ON DELETE CASCADE
);
CREATE TABLE snapshots (
    id VARCHAR NOT NULL,
    created_at DOUBLE NOT NULL,
    roots JSON NOT NULL,
    label TEXT NOT NULL,
    vault TEXT NOT NULL,
    CONSTRAINT pk_snapshots PRIMARY KEY (id)
);
CREATE INDEX ix_change_sets_created_at ON change_sets (created_at);
CREATE INDEX ix_reviews_run_id ON reviews (run_id);
CREATE INDEX ix_changes_moved_from ON changes (moved_from);
CREATE INDEX ix_changes_path ON changes (path);
INSERT INTO change_sets VALUES
    ('run', 'tidy@1.0.0', 'c0', 'm0', 'standard', '/notes', 'held', 'd0', 1.5, 'why', '');
INSERT INTO changes VALUES
    ('run', 0, 'modified', 'Inbox/a.md', '', 0, 3, 'aa', 'bb', 420, 1000, 1000, 1700000000123456789);
INSERT INTO reviews VALUES
    ('r1', 'run', 'changes', '["why"]', 'pending', 'd0', 'c0', 'm0', '{"name": "tidy"}', 1.5, 61.5, NULL, '', '', '/notes');
INSERT INTO snapshots VALUES ('s1', 2.5, '["."]', 'before', '/notes');
INSERT INTO snapshot_entries VALUES ('s1', 'Inbox/a.md', 0, 3, 'aa', 420, 7);

-- Who may do what. Run by the owner after every migration, in one transaction, as often as you like.
-- The apps get rights on rows, table by table, and none to create, change or empty a table. The web consumer
-- has no role: it never needs the database. Passwords are set by migrate.py; without one a role cannot log in
-- over the network.

DO $$
DECLARE
    name text;
BEGIN
    -- Roles belong to the server, not to this database: two migrators of two databases may meet here.
    FOREACH name IN ARRAY ARRAY['producer', 'relay'] LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION', name);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
        END;
    END LOOP;
    -- Nobody connects who is not named here; nobody but the owner makes tables, temporary ones included.
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO producer, relay', current_database());
END
$$;

REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO producer, relay;
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM producer, relay;

-- An order is placed and changed, never deleted; its event is stored beside it and never touched again.
GRANT SELECT, INSERT, UPDATE ON orders TO producer;
GRANT SELECT, INSERT ON outbox TO producer;
GRANT SELECT, INSERT, UPDATE ON idempotency_keys TO producer;

-- Events are claimed, parked and, once read back, deleted. The relay sees no order but in its events.
GRANT SELECT, UPDATE, DELETE ON outbox TO relay;
GRANT SELECT, INSERT ON outbox_discarded TO relay;
-- It clears away what has expired: FOR UPDATE wants UPDATE on one column at least.
GRANT SELECT (key, expires_at), UPDATE (expires_at), DELETE ON idempotency_keys TO relay;

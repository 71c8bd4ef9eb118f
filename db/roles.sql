-- The rights of each role. migrate.py runs this as the owner after every migration, in one transaction; it can
-- be repeated. The apps get rights on rows, table by table, but may not create, alter or truncate a table. The
-- consumer has no role, because it never uses the database. migrate.py also sets the passwords; a role without
-- one cannot log in over the network. The roles are those of roles.py.

DO $$
DECLARE
    name text;
BEGIN
    -- Roles belong to the server, not to one database, so the migrator of another database may create them now.
    FOREACH name IN ARRAY ARRAY['producer', 'relay', 'projector', 'connect'] LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION', name);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
        END;
    END LOOP;
    -- Debezium reads the outbox's new rows from PostgreSQL's log, by replication.
    ALTER ROLE connect REPLICATION;
    -- Only these roles and the owner may connect; only the owner may create tables, temporary ones included.
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO producer, relay, projector, connect', current_database());
END
$$;

REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO producer, relay, connect;
REVOKE ALL ON ALL TABLES IN SCHEMA public, projection FROM producer, relay, projector, connect;

-- The producer places and changes orders and never deletes one. It stores their events and never changes those.
GRANT SELECT, INSERT, UPDATE ON orders TO producer;
GRANT SELECT, INSERT ON outbox TO producer;
GRANT SELECT, INSERT, UPDATE ON idempotency_keys TO producer;
GRANT SELECT ON layout TO producer;
-- The ledger runs as the producer, which alone reads orders and stores events: it counts what was discarded.
GRANT SELECT (id, aggregateid, version, parked_reason, discarded_at) ON outbox_discarded TO producer;

-- The relay claims and parks events, and deletes them once they are read back. It cannot read the orders.
GRANT SELECT, UPDATE, DELETE ON outbox TO relay;
GRANT SELECT, INSERT ON outbox_discarded TO relay;
-- Whoever grows the topic does so as the relay.
GRANT SELECT, UPDATE ON layout TO relay;
-- It also deletes expired idempotency keys; its FOR UPDATE needs UPDATE on at least one column.
GRANT SELECT (key, expires_at), UPDATE (expires_at), DELETE ON idempotency_keys TO relay;

-- Kafka Connect's Debezium gets the rows of the publication from the log. It reads nothing of the tables themselves but
-- the outbox's columns.
GRANT SELECT ON outbox TO connect;

-- The projector keeps the read models, and reads nothing else: what it knows of orders is in their events.
REVOKE ALL ON SCHEMA projection FROM PUBLIC;
GRANT USAGE ON SCHEMA projection TO projector;
GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA projection TO projector;
GRANT DELETE ON projection.dead_letters TO projector;
-- A rebuild makes them anew in a schema beside this one, which functions create, drop and swap for it: they run as the
-- owner, and take no names but those of such copies. It sees of the orders what is in their events, and of no customer.
REVOKE ALL ON SCHEMA rebuild FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA rebuild FROM PUBLIC, projector;
REVOKE ALL ON ALL TABLES IN SCHEMA rebuild FROM producer, relay, projector, connect;
GRANT USAGE ON SCHEMA rebuild TO projector;
GRANT SELECT ON rebuild.orders TO projector;
GRANT EXECUTE ON FUNCTION rebuild.create_copy(text), rebuild.drop_copy(text), rebuild.swap(text), rebuild.finish(text)
    TO projector;

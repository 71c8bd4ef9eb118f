"""Let the projector build its read models anew beside the present ones, and swap the two (ADR 16).

The projector's role owns nothing and may create nothing. These functions do it for that role, as their owner, and take
no names but those of copies: `projection_next_…`, which is to take the place of `projection`, and
`projection_replay_…`, which is for somebody to look at.
"""

from alembic import op

revision = "0008"
down_revision = "0007"

# As in env.py and migrate.py: nobody changes the schema or the rights while they are being copied or swapped.
MIGRATIONS_LOCK, ROLES_LOCK = 6_001_002, 6_001_003

# What the read models know of an order by its latest event. An order with a row in the outbox has an event that is
# not in Kafka yet, or not for certain: that event is still to come.
ORDERS = """
CREATE VIEW rebuild.orders AS
    SELECT id, version, status, item, quantity, total FROM public.orders
    WHERE NOT EXISTS (SELECT FROM public.outbox WHERE aggregateid = orders.id)
"""

CHECK_NAME = """
CREATE FUNCTION rebuild.check_name(name text, pattern text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF name IS NULL OR name !~ pattern THEN
        RAISE 'no copy of the read models is called %', name USING ERRCODE = 'invalid_parameter_value';
    END IF;
END
$$
"""

# Tables, keys, constraints, indexes, storage parameters and rights, under the names that they have in `projection`.
# The comment says which migration the copy is of.
CREATE_COPY = f"""
CREATE FUNCTION rebuild.create_copy(name text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    statement text;
BEGIN
    PERFORM rebuild.check_name(name, '^projection_(next|replay)_[a-z0-9_]{{1,40}}$');
    PERFORM pg_advisory_xact_lock_shared({MIGRATIONS_LOCK}), pg_advisory_xact_lock_shared({ROLES_LOCK});
    EXECUTE format('CREATE SCHEMA %I', name);
    EXECUTE format('COMMENT ON SCHEMA %I IS %L', name, (SELECT version_num FROM public.alembic_version));
    FOR statement IN
        SELECT format('CREATE TABLE %I.%I (LIKE projection.%2$I INCLUDING ALL EXCLUDING INDEXES)', name, relname)
        FROM pg_class WHERE relnamespace = 'projection'::regnamespace AND relkind = 'r' ORDER BY relname
    LOOP
        EXECUTE statement;
    END LOOP;
    FOR statement IN
        SELECT format('ALTER TABLE %I.%I SET (%s)', name, relname, array_to_string(reloptions, ', '))
        FROM pg_class
        WHERE relnamespace = 'projection'::regnamespace AND relkind = 'r' AND reloptions IS NOT NULL
        UNION ALL
        SELECT format('ALTER TABLE %I.%I ADD CONSTRAINT %I %s', name, relname, conname, pg_get_constraintdef(con.oid))
        FROM pg_constraint AS con JOIN pg_class ON pg_class.oid = conrelid
        WHERE relnamespace = 'projection'::regnamespace AND contype IN ('p', 'u', 'x')
        UNION ALL
        SELECT replace(pg_get_indexdef(indexrelid), ' ON projection.', format(' ON %I.', name))
        FROM pg_index JOIN pg_class ON pg_class.oid = indrelid
        WHERE relnamespace = 'projection'::regnamespace
            AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
        UNION ALL
        SELECT format('GRANT %s ON SCHEMA %I TO %s', privilege_type, name, rebuild.role_of(grantee))
        FROM pg_namespace, aclexplode(nspacl)
        WHERE pg_namespace.oid = 'projection'::regnamespace AND grantee <> nspowner
        UNION ALL
        SELECT format('GRANT %s ON %I.%I TO %s', privilege_type, name, relname, rebuild.role_of(grantee))
        FROM pg_class, aclexplode(relacl)
        WHERE relnamespace = 'projection'::regnamespace AND relkind = 'r' AND grantee <> relowner
        UNION ALL
        SELECT format(
            'GRANT %s (%I) ON %I.%I TO %s', privilege_type, attname, name, relname, rebuild.role_of(grantee)
        )
        FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid, aclexplode(attacl)
        WHERE relnamespace = 'projection'::regnamespace AND relkind = 'r'
    LOOP
        EXECUTE statement;
    END LOOP;
END
$$
"""

ROLE_OF = """
CREATE FUNCTION rebuild.role_of(grantee oid) RETURNS text
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE grantee::regrole::text END
$$
"""

DROP_COPY = """
CREATE FUNCTION rebuild.drop_copy(name text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM rebuild.check_name(name, '^projection_(next|replay)_[a-z0-9_]{1,40}$');
    EXECUTE format('DROP SCHEMA IF EXISTS %I CASCADE', name);
END
$$
"""

# Whoever has touched a table of `projection` holds a lock on it until its transaction ends, so once all of them are
# locked here, nobody is between the two models; and whoever waits for such a lock looks the name up again when it gets
# it. The copy gets the dead letters as they are known here: their numbers, whether they are published, what was
# decided. Those that only the copy has get numbers behind them. No CASCADE: what somebody else has built on these
# tables is not dropped. deadlock_timeout: after so long, whoever waits for autovacuum has it give way; the caller's
# lock_timeout is shorter than the default.
SWAP = f"""
CREATE FUNCTION rebuild.swap(name text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET deadlock_timeout = '50ms' AS $$
DECLARE
    tables text;
    last bigint;
BEGIN
    PERFORM rebuild.check_name(name, '^projection_next_[a-z0-9_]{{1,40}}$');
    IF NOT pg_try_advisory_xact_lock({MIGRATIONS_LOCK}) OR NOT pg_try_advisory_xact_lock({ROLES_LOCK}) THEN
        RAISE 'a migration is running' USING ERRCODE = 'lock_not_available';
    END IF;
    IF obj_description(to_regnamespace(name), 'pg_namespace') IS DISTINCT FROM
        (SELECT version_num FROM public.alembic_version)
    THEN
        RAISE 'the database was migrated meanwhile' USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    -- In the order in which statements read several of them, so that none holds one and waits for another.
    SELECT string_agg(format('projection.%I', relname), ', '
        ORDER BY array_position(ARRAY['totals', 'positions', 'dead_letters'], relname::text) NULLS FIRST, relname)
    INTO tables FROM pg_class WHERE relnamespace = 'projection'::regnamespace AND relkind = 'r';
    EXECUTE 'LOCK TABLE ' || tables || ' IN ACCESS EXCLUSIVE MODE';

    -- Where Kafka has lost the end of a log, another message is in the place of an old one (store/dead_letters.py).
    EXECUTE format(
        'UPDATE %I.dead_letters AS new SET topic_id = new.topic_id || ''+'' || md5(concat(new.key, new.value))
        FROM projection.dead_letters AS old
        WHERE (new.topic_id, new.partition, new."offset") = (old.topic_id, old.partition, old."offset")
            AND (old.key, old.value) IS DISTINCT FROM (new.key, new.value)',
        name
    );
    EXECUTE format(
        'DELETE FROM %I.dead_letters AS new USING projection.dead_letters AS old
        WHERE (new.topic_id, new.partition, new."offset") = (old.topic_id, old.partition, old."offset")',
        name
    );
    EXECUTE format(
        'SELECT greatest(
            (SELECT max(id) FROM %1$I.dead_letters), pg_sequence_last_value(%2$L), pg_sequence_last_value(%3$L)
        )',
        name, 'projection.dead_letters_id_seq', format('%I.dead_letters_id_seq', name)
    ) INTO last;
    IF last IS NOT NULL THEN
        PERFORM setval(format('%I.dead_letters_id_seq', name), last);
        EXECUTE format('UPDATE %I.dead_letters SET id = DEFAULT', name);
        EXECUTE format(
            'INSERT INTO %I.dead_letters OVERRIDING SYSTEM VALUE SELECT * FROM projection.dead_letters', name
        );
    END IF;

    EXECUTE 'DROP TABLE ' || tables;
    DROP SCHEMA projection;
    -- It locks the schema, which RENAME does not: a DROP that waits for that looks the name up again when it
    -- gets it. One that waited for the tables only would go on, with the live ones.
    EXECUTE format('COMMENT ON SCHEMA %I IS NULL', name);
    EXECUTE format('ALTER SCHEMA %I RENAME TO projection', name);
END
$$
"""


def upgrade() -> None:
    op.execute("CREATE SCHEMA rebuild")
    for statement in (ORDERS, CHECK_NAME, ROLE_OF, CREATE_COPY, DROP_COPY, SWAP):
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP SCHEMA rebuild CASCADE")

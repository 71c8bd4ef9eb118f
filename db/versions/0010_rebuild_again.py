"""Have unfinished copies say so by their names, and keep the table of dead letters through a swap (ADR 16).

A copy of a span of the topic is made as `projection_replay_…_partial`, and gets its own name once everything is in it:
whoever reads its tables has to write that name.

Letters were copied while everybody waited, which took longer than that is allowed to where there are hundreds of
thousands.
"""

from alembic import context, op

revision = "0010"
down_revision = "0009"

# As in 0008.
MIGRATIONS_LOCK, ROLES_LOCK = 6_001_002, 6_001_003

FINISH = """
CREATE FUNCTION rebuild.finish(name text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM rebuild.check_name(name, '^projection_replay_[a-z0-9_]{1,32}_partial$');
    EXECUTE format('ALTER SCHEMA %I RENAME TO %I', name, left(name, -length('_partial')));
END
$$
"""

# As in 0008, but the table of dead letters takes the place of the copy's: with its numbers, what is published and what
# was decided. It gets those that only the copy has, whose numbers are behind all others.
SWAP = f"""
CREATE OR REPLACE FUNCTION rebuild.swap(name text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET deadlock_timeout = '50ms' AS $$
DECLARE
    tables text;
    columns text;
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
    SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) INTO columns FROM pg_attribute
    WHERE attrelid = 'projection.dead_letters'::regclass AND attnum > 0 AND NOT attisdropped
        AND attname NOT IN ('id', 'topic_id');
    EXECUTE format(
        'INSERT INTO projection.dead_letters (topic_id, %1$s)
        SELECT topic_id || CASE WHEN is_another THEN ''+'' || md5(concat(key, value)) ELSE '''' END, %1$s FROM (
            SELECT new.*, old.id IS NOT NULL AS is_another
            FROM %2$I.dead_letters AS new LEFT JOIN projection.dead_letters AS old
                ON (new.topic_id, new.partition, new."offset") = (old.topic_id, old.partition, old."offset")
            WHERE old.id IS NULL OR (old.key, old.value) IS DISTINCT FROM (new.key, new.value)
        ) AS found ORDER BY id
        ON CONFLICT (topic_id, partition, "offset") DO NOTHING',
        columns, name
    );
    EXECUTE format('DROP TABLE %I.dead_letters', name);
    -- It locks the schema, which RENAME does not: a DROP that waits for that looks the name up again when it gets it.
    -- One that waited for the tables only would go on, with the live ones.
    EXECUTE format('ALTER TABLE projection.dead_letters SET SCHEMA %I', name);

    SELECT string_agg(format('projection.%I', relname), ', ')
    INTO tables FROM pg_class WHERE relnamespace = 'projection'::regnamespace AND relkind = 'r';
    EXECUTE 'DROP TABLE ' || tables;
    DROP SCHEMA projection;
    EXECUTE format('COMMENT ON SCHEMA %I IS NULL', name);
    EXECUTE format('ALTER SCHEMA %I RENAME TO projection', name);
END
$$
"""


def upgrade() -> None:
    op.execute(FINISH)
    op.execute(SWAP)


def downgrade() -> None:
    op.execute("DROP FUNCTION rebuild.finish(text)")
    before = context.script.get_revision("0008").module.SWAP
    op.execute(before.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"))

"""What PostgreSQL's catalogue says of a schema, without the schema's name: two that are alike give the same."""

from typing import Any

import sqlalchemy as sa

QUESTIONS = {
    "schema": """
        SELECT nspowner::regrole::text, obj_description(pg_namespace.oid, 'pg_namespace'),
               (SELECT array_agg(each::text ORDER BY each::text) FROM unnest(nspacl) AS each)
        FROM pg_namespace WHERE nspname = :schema
    """,
    "relations": """
        SELECT relname, relkind::text, relowner::regrole::text, relpersistence::text, reloptions, relreplident::text,
               relrowsecurity, reltablespace::bigint,
               (SELECT array_agg(each::text ORDER BY each::text) FROM unnest(relacl) AS each)
        FROM pg_class WHERE relnamespace = CAST(:schema AS regnamespace) ORDER BY 1
    """,
    "columns": """
        SELECT relname, attnum, attname, format_type(atttypid, atttypmod), attnotnull, attidentity::text,
               attgenerated::text, attstorage::text, attcompression::text, attstattarget, attoptions, attacl::text,
               attcollation::bigint, pg_get_expr(adbin, adrelid)
        FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
        LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        WHERE relnamespace = CAST(:schema AS regnamespace) AND relkind IN ('r', 'S') AND NOT attisdropped
        ORDER BY 1, 2
    """,
    "constraints": """
        SELECT relname, conname, contype::text, pg_get_constraintdef(pg_constraint.oid), convalidated, conenforced
        FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid
        WHERE relnamespace = CAST(:schema AS regnamespace) ORDER BY 1, 2
    """,
    "indexes": """
        SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid), indisunique, indisprimary, indisvalid
        FROM pg_index JOIN pg_class ON pg_class.oid = indrelid
        WHERE relnamespace = CAST(:schema AS regnamespace) ORDER BY 1
    """,
    "sequences": """
        SELECT relname, seqtypid::regtype::text, seqstart, seqincrement, seqmax, seqmin, seqcache, seqcycle,
               (SELECT refobjsubid FROM pg_depend WHERE objid = seqrelid AND deptype = 'i')
        FROM pg_sequence JOIN pg_class ON pg_class.oid = seqrelid
        WHERE relnamespace = CAST(:schema AS regnamespace) ORDER BY 1
    """,
    "triggers": """
        SELECT relname, tgname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
        WHERE relnamespace = CAST(:schema AS regnamespace) ORDER BY 1, 2
    """,
    "statistics": "SELECT stxname FROM pg_statistic_ext WHERE stxnamespace = CAST(:schema AS regnamespace)",
    "functions": "SELECT proname FROM pg_proc WHERE pronamespace = CAST(:schema AS regnamespace) ORDER BY 1",
    "types": """
        SELECT typname, typtype::text FROM pg_type WHERE typnamespace = CAST(:schema AS regnamespace) ORDER BY 1
    """,
    "publications": "SELECT pubname, tablename FROM pg_publication_tables WHERE schemaname = :schema ORDER BY 1, 2",
}


def describe(engine: sa.Engine, schema: str = "projection") -> dict[str, list[tuple[Any, ...]]]:
    """Return everything that a schema consists of."""
    with engine.connect() as connection:
        return {
            name: [
                tuple(_plain(value, schema) for value in row)
                for row in connection.execute(sa.text(question), {"schema": schema})
            ]
            for name, question in QUESTIONS.items()
        }


def _plain(value: Any, schema: str) -> Any:
    if isinstance(value, list):
        return tuple(value)
    return value.replace(f"{schema}.", "") if isinstance(value, str) else value

"""Reads an export of Parquet files as other programs do, and prints each row as a
JSON array of texts in which no bit is lost: the hex of texts, bytes and doubles,
numbers in decimal, times as microseconds or days since 1970. DuckDB counts the
rows once more, and says which column it takes for which type.
"""

import glob
import json
import struct
import sys

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq


def exact(value):
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return struct.pack(">d", value).hex()
    if isinstance(value, str):
        return value.encode().hex()
    return bytes(value).hex()


def plain(column):
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):  # JSON
        column = pa.chunked_array([chunk.storage for chunk in column.chunks], kind.storage_type)
    elif pa.types.is_timestamp(kind):
        assert kind.tz == "UTC" and kind.unit == "us", kind
        column = column.cast(pa.int64())
    elif pa.types.is_date32(kind):
        column = column.cast(pa.int32())
    return column.to_pylist()


parts = sorted(glob.glob(sys.argv[1] + "/part-*.parquet"))
rows = 0
for part in parts:
    table = pq.read_table(part)
    rows += table.num_rows
    for row in zip(*(plain(column) for column in table.columns)):
        print(json.dumps([exact(value) for value in row]))
counted = duckdb.execute("SELECT count(*) FROM read_parquet(?)", [parts]).fetchone()[0]
assert counted == rows, (counted, rows)
described = duckdb.execute("DESCRIBE SELECT * FROM read_parquet(?)", [parts]).fetchall()
print(json.dumps({column[0]: column[1] for column in described}))

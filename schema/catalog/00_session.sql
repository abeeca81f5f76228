-- With nothing on the search path every name in a definition comes out qualified,
-- whoever asks (pg_catalog itself is always searched). Ends with the transaction.
SELECT set_config('search_path', '', true);

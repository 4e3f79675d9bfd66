"""How the tables of the record came to be, one step after the other; run by `maskwatch.store.migrate`."""

//! What only Postgres can get wrong: poolers, roles, tables that the product made, and servers that go away.

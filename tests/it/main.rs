//! The integration tests, all in one binary: linking is what a test build waits for.

#![expect(clippy::unwrap_used, reason = "`unwrap` is for tests, and clippy does not know their helpers")]
#![expect(clippy::disallowed_methods, reason = "tests ask as anybody would")]

mod accept;
mod action;
mod addresses;
mod adopt;
mod against;
mod annotations;
mod architecture;
mod bad_input;
mod branches;
mod broken_world;
#[path = "../browser/mod.rs"]
mod browser;
mod browser_itself;
mod change_costs;
mod columns;
mod commands;
mod config_elsewhere;
mod crash;
mod creator;
mod desk;
mod docs;
mod drift;
mod echoes;
#[expect(dead_code, reason = "its `main` is for `cargo run --example`")]
#[path = "../../examples/embed.rs"]
mod embed;
mod embedded;
#[path = "../fake/mod.rs"]
mod fake;
mod fake_novita;
mod faults;
mod flow;
mod fuzz;
mod gallery;
mod gc;
mod golden;
mod hostile;
mod import_write;
mod laws;
mod money;
mod on_postgres;
mod one_way;
mod own_kind;
mod paid;
mod pick;
mod postgres;
mod preview;
mod product;
mod project;
mod proxy;
mod purchase;
mod renames;
mod repair;
mod reports;
mod roles;
mod rules;
mod schema;
mod secrets;
mod serve_api;
mod serve_clients;
mod serve_files;
mod serve_hostile;
mod serve_live;
mod serve_roles;
mod served;
mod shipped;
mod state_collect;
mod state_contract;
mod state_ledger;
mod state_postgres;
mod state_shown;
mod state_sqlite;
mod storage_apply;
mod storage_bucket;
mod storage_contract;
mod storage_file;
mod store_health;
#[path = "../stores/mod.rs"]
mod stores;
mod story;
mod together;
mod tour;
mod traps;
mod visitors;
mod words;

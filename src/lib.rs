//! pixform: Terraform for generated pictures.
//!
//! A manifest declares the images a product wants; a plan compares it with what the database and the object storage
//! hold; applying the plan generates only what has changed, stores it, and switches the rows that the product reads.
//!
//! # The map
//!
//! Dependencies point down. Rooms marked *pure* take values and return values: no file, clock, environment, randomness.
//!
//! | room | noun |
//! | --- | --- |
//! | [`cli`] | commands: the only room that prints |
//! | [`server`] | the API that the product reads, and pages to look at: only reads |
//! | [`engine`] | what commands, the server and embedders share: prepares a plan, carries it out; tells one listener |
//! | [`apply`] | carries a plan out, step by durable step |
//! | [`planner`] | gathers what a plan needs, in as few questions as there can be |
//! | [`world`] | an environment, opened |
//! | [`state`], [`storage`], [`generator`] | the ports: what is remembered, where files lie, who makes pictures |
//! | [`config`] | `pixform.yaml` (pure, but for reading files that it is handed) |
//! | [`render`] | plans, mistakes and the ledger in words (pure) |
//! | [`manifest`] | from text to assets (pure) |
//! | [`plan`] | what differs, decided (pure) |
//! | [`imaging`] | pictures as bytes (pure) |
//! | [`record`] | what is remembered of an asset (pure) |
//! | [`asset`] | one wanted image, fully decided (pure) |
//! | [`schema`], [`yaml`], [`template`], [`glob`], [`digest`] | JSON Schema, YAML with places, texts with holes, key patterns, digests (pure) |
//! | [`memory`] | how much of it pictures may take |
//! | [`process`] | this process, and whether another is alive |
//! | [`files`] | the door through which files of the user are read and written |
//! | [`web`], [`secret`] | HTTP as all ports speak it; texts that are never shown, and the words of strangers |
//!
//! # The words
//!
//! | word | meaning |
//! | --- | --- |
//! | **manifest** | a YAML file that declares one collection |
//! | **collection** | the assets of one manifest; its name is unique in an environment |
//! | **asset** | one wanted image, fully decided |
//! | **key** | the values of the key axes, `age/70+/anime`, which name an asset |
//! | **recipe** | everything that decides the pixels |
//! | **original** | the bytes that a generator made for a recipe |
//! | **rendition** | one published form of an original |
//! | **object** | a published file; its path holds its content digest, so it never changes |
//! | **row** | what the product reads |
//! | **record** | what is remembered of an asset |
//! | **ledger** | one line for each call of a generator |
//! | **observation** | what is really there |
//! | **plan** | the difference between what is declared and what is there, decided |
//! | **change** | what becomes of one asset: one action with all its reasons |
//! | **guard** | looks at a finished plan, and may refuse it |
//! | **generator** | a service that makes pictures, as an environment names it |
//! | **kind** | what a generator speaks and allows: a table and a wire format |
//! | **lease** | the right to write to a collection, for a while |
//! | **marker** | a file in a storage that names the state that owns it |
//! | **environment** | where things live: state, storage, generators |

pub mod apply;
pub mod asset;
pub mod cli;
pub mod config;
pub mod digest;
pub mod engine;
pub mod files;
pub mod generator;
pub mod glob;
pub mod imaging;
pub mod manifest;
pub mod memory;
pub mod plan;
pub mod planner;
pub mod process;
pub mod record;
pub mod render;
pub mod schema;
pub mod secret;
pub mod server;
pub mod state;
pub mod storage;
pub mod template;
pub mod web;
pub mod world;
pub mod yaml;

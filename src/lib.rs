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
//! An **asset** is one wanted image; its **key** is the values of the key axes, `age/70+/anime`. Its **recipe** is
//! everything that decides the pixels. The generator makes an **original** of it; a **rendition** is one published form of
//! the original, an **object** a published file, whose path holds its content digest, so it never changes. A **row** is
//! what the product reads, a **record** what is remembered, the **ledger** one line for each generator call. An
//! **observation** is what is really there; a **plan** is the difference, one **action** an asset with all its
//! **reasons**.

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

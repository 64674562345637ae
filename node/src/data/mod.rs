//! The content of databases: keys, objects, types, checkpoints. Knows no command and no network.

pub mod checkpoint;
pub mod keyspace;
pub mod lineage;
pub mod meta;
pub mod tree;
pub mod types;

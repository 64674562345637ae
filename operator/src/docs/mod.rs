//! Guides, compiled so that their links hold.

#[doc = include_str!("architecture.md")]
pub mod architecture {}
#[doc = include_str!("installing.md")]
pub mod installing {}
#[doc = include_str!("resource.md")]
pub mod resource {}
#[doc = include_str!("operations.md")]
pub mod operations {}
#[doc = include_str!("troubleshooting.md")]
pub mod troubleshooting {}
#[doc = include_str!("decisions.md")]
pub mod decisions {}

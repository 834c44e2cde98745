//! What authors of plugins use beside the host: a new project, a build that needs no tool but their own language's, and typings with the columns of
//! their own organisation.
//!
//! | | |
//! |---|---|
//! | [`template`] | a folder that builds and tests as it is |
//! | [`project`] | what a folder is: cargo, npm, pip, or files that an engine runs |
//! | [`build`] | from the folder to files that can be dropped into a plugin folder |
//! | [`component`] | a core module into a component, and what is stamped into one |
//! | [`typings`] | the contract in TypeScript, with an organisation's own tables |
#![forbid(unsafe_code)]

pub mod build;
pub mod component;
pub mod project;
mod shipped;
pub mod template;
pub mod typings;

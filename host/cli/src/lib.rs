//! What the binary and the stories share: a configuration that connects a host with a running simulator.
#![forbid(unsafe_code)]

pub mod simulated;

//! A world to try a client against: `cargo run -p cosell-simulator --example world`.
//!
//! Prints one line of JSON (addresses, the authority to trust, ids and secrets that are good here only) and runs until its
//! standard input ends.

use std::io::{Read as _, Write as _};

use cosell_simulator::{Simulator, SimulatorConfig};
use serde_json::json;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let running = Simulator::start(SimulatorConfig::demo()).await?;
    let told = json!({
        "urls": running.urls,
        "ca_pem": running.ca_pem,
        "organizations": running.organizations,
        "crm": running.crm,
    });
    let mut out = std::io::stdout();
    writeln!(out, "{told}")?;
    out.flush()?;
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    running.shutdown();
    Ok(())
}

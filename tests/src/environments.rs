//! A second CRM environment of the same partner tenant, with a connection of its own.

use anyhow::{Context as _, ensure};
use cosell::simulated::private;
use cosell_simulator::{Running, Simulator, SimulatorConfig};

use crate::fleet::patiently;
use crate::{STEPS, World};

const ID: &str = "id = \"simulated\"";

impl World {
    /// Starts a further CRM environment and connects the host with it, as connection `id`. `routes` are the lines of `[connection.route]` of the first
    /// connection and of this one.
    ///
    /// # Errors
    /// Anything that keeps it or the host from starting.
    pub async fn add_environment(
        &mut self,
        id: &str,
        routes: [&str; 2],
    ) -> anyhow::Result<Running> {
        let own = SimulatorConfig::demo();
        let second = SimulatorConfig {
            seed: own.seed + 1,
            assumptions: self.simulated.assumptions.clone(),
            ..own
        };
        let second = Simulator::start_beside(&self.running, second).await?;
        self.stop_host().await;
        let text = std::fs::read_to_string(&self.config)?;
        let (sections, connection) = text
            .split_once("[[connection]]")
            .context("a configuration with one connection")?;
        ensure!(connection.contains(ID), "{connection}");
        let partner = &self.running.organizations[0];
        let dir = self._dir.path();
        // Each connection renews its own.
        private(
            &dir.join("refresh-token-2"),
            &self.control().consent_again(&partner.user_mail)?,
        )?;
        private(&dir.join("dataverse-secret-2"), &second.crm.client_secret)?;
        let first = &self.running;
        let other = [
            (ID, &*format!("id = \"{id}\"")),
            (&first.urls.dataverse, &second.urls.dataverse),
            (&first.crm.client_id, &second.crm.client_id),
            ("/dataverse-secret", "/dataverse-secret-2"),
            ("/refresh-token", "/refresh-token-2"),
            // One tenant tells one address; the other connection hears from it what is its own.
            ("register_webhook = true", "register_webhook = false"),
        ]
        .into_iter()
        .fold(connection.to_owned(), |text, (from, to)| {
            text.replace(from, to)
        });
        let routed = |connection: &str, route: &str| {
            format!("[[connection]]{connection}\n[connection.route]\n{route}\n")
        };
        let connections = routed(connection, routes[0]) + &routed(&other, routes[1]);
        std::fs::write(&self.config, format!("{sections}{connections}"))?;
        self.start_host().await?;
        patiently("the second CRM to be subscribed to", async || {
            let steps = second.control().rows("sdkmessageprocessingstep");
            Ok(steps.len() >= STEPS)
        })
        .await?;
        Ok(second)
    }
}

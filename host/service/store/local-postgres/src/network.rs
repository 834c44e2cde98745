//! A cable to a machine of its own, which can fall silent: what a power cut, a dead switch and a firewall that forgets look like from here. No packet
//! comes back, and nobody says so.
//!
//! It is a namespace of the network and a pair of virtual interfaces, which Linux lets root make.

use std::net::Ipv4Addr;
use std::process::Command;

use crate::{LocalPostgresError, say};

/// The two ends. Dropping takes the far one away, and the cable with it.
#[derive(Debug)]
pub struct Network {
    name: String,
    interface: String,
    here: Ipv4Addr,
    there: Ipv4Addr,
}

impl Network {
    /// Lays the cable.
    ///
    /// # Errors
    /// [`LocalPostgresError::Failed`]: not root, or no `ip`.
    pub fn lay() -> Result<Self, LocalPostgresError> {
        let process = std::process::id();
        // Four addresses of the private range for each process.
        let [_, _, high, low] = (process << 2).to_be_bytes();
        let name = format!("cosell-{process}");
        let network = Self {
            // At most fifteen signs.
            interface: format!("csl{process}"),
            here: Ipv4Addr::new(10, 201, high, low | 1),
            there: Ipv4Addr::new(10, 201, high, low | 2),
            name,
        };
        let Self {
            name,
            interface,
            here,
            there,
        } = &network;
        ip(&format!("netns add {name}"))?;
        ip(&format!(
            "link add {interface} type veth peer name far netns {name}"
        ))?;
        ip(&format!("addr add {here}/30 dev {interface}"))?;
        ip(&format!("link set {interface} up"))?;
        ip(&format!("-n {name} addr add {there}/30 dev far"))?;
        ip(&format!("-n {name} link set far up"))?;
        Ok(network)
    }

    /// This machine's address on it.
    #[must_use]
    pub fn here(&self) -> Ipv4Addr {
        self.here
    }

    /// The other machine's.
    #[must_use]
    pub fn there(&self) -> Ipv4Addr {
        self.there
    }

    /// From now on nothing comes back. What is sent arrives.
    ///
    /// # Errors
    /// [`LocalPostgresError::Failed`].
    pub fn fall_silent(&self) -> Result<(), LocalPostgresError> {
        ip(&format!(
            "-n {} route add blackhole {}",
            self.name, self.here
        ))
    }

    /// As if nothing had been.
    ///
    /// # Errors
    /// [`LocalPostgresError::Failed`].
    pub fn speak_again(&self) -> Result<(), LocalPostgresError> {
        ip(&format!(
            "-n {} route del blackhole {}",
            self.name, self.here
        ))
    }

    /// The program, run at the far end.
    pub(crate) fn behind(&self, program: &Command) -> Command {
        let mut command = Command::new("ip");
        command
            .args(["netns", "exec", &self.name])
            .arg(program.get_program())
            .args(program.get_args());
        command
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // Nobody can do more about it than a person who reads `ip netns`.
        drop(ip(&format!("netns del {}", self.name)));
    }
}

fn ip(arguments: &str) -> Result<(), LocalPostgresError> {
    let step = format!("lay a cable, as root, by: ip {arguments}");
    say(Command::new("ip").args(arguments.split(' ')), &step)
}

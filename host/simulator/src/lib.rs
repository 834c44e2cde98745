//! Entra, Partner Center and Dataverse as local servers that speak real HTTP.
//!
//! Microsoft offers no sandbox for referrals and one webhook registration per tenant, so nobody can try a co-sell
//! integration safely. This crate is that sandbox, and it is the judge of the host's tests. It is an independent
//! reading of the public references: it shares no type with the host, and may not.
//!
//! ```no_run
//! # async fn story() -> Result<(), cosell_simulator::SimulatorError> {
//! use cosell_simulator::{Simulator, SimulatorConfig};
//! let running = Simulator::start(SimulatorConfig::demo()).await?;
//! let control = running.control();
//! let deal = control.seller_creates("opportunity", &serde_json::json!({ "name": "Northwind pilot" }));
//! println!("{:?} at {}", deal, running.urls.dataverse);
//! # Ok(())
//! # }
//! ```
//!
//! Reading order: [`config`] says what a world starts with, [`assumptions`] which reading of a doubtful fact it takes,
//! then one module per service, [`control`] to play the people, and [`ledger`] for what was accepted.
#![forbid(unsafe_code)]

pub mod assumptions;
mod audit;
pub mod clock;
pub mod config;
pub mod control;
mod dataverse;
mod deliveries;
mod entra;
mod faults;
mod html;
mod ids;
mod inside;
pub mod ledger;
mod odata;
mod pages;
mod referrals;
mod remote_control;
mod requests;
mod running;
mod saved;
mod server;
mod sight;
mod signing;
mod standing;
mod tls;
mod wire;
mod world;

pub use assumptions::{Assumptions, Reading};
pub use audit::{Audit, Counts};
pub use config::{
    ColumnConfig, ColumnKind, ManyConfig, OrganizationConfig, RowConfig, ServiceProtection,
    SimulatorConfig, StatusConfig, TableColumnConfig, TableConfig,
};
pub use control::{Arrival, Control, ControlError, Deal, Posted, SeedOrder, Seeded};
pub use deliveries::{DeliveryRecord, Undelivered};
pub use entra::{DeviceCode, ManagedIdentity, Trusted};
pub use faults::{Fault, FaultKind, FaultScript, Service, WebhookFault, WebhookFaultKind};
pub use inside::{Carried, Inside};
pub use jiff::Timestamp;
pub use remote_control::{
    DEEDS, Deed, Order, RemoteControl, RemoteError, Says, milliseconds, moment,
};
pub use requests::Requested;
pub use running::{CrmAccess, OrganizationAccess, Running, Simulator, SimulatorError, Urls};
pub use saved::SavedError;
pub use standing::{CrmAccount, Hidden, Role};

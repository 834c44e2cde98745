//! Placeholder while its rooms are built.
use crate::{
    clock::Clock,
    config::SimulatorConfig,
    deliveries::Deliveries,
    entra::Entra,
    ledger::Ledger,
    wire::{Reply, Request},
};
use serde_json::Value;
use std::sync::Arc;
use uuid::Uuid;
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) message: String,
}
pub(crate) struct CrmUsers {
    pub(crate) organization: Uuid,
    pub(crate) business_unit: Uuid,
    pub(crate) app_user: Uuid,
    pub(crate) seller: Uuid,
    pub(crate) app_client_id: String,
    pub(crate) seller_mail: String,
}
pub(crate) struct Dataverse;
impl Dataverse {
    pub(crate) fn new(
        _: Arc<Clock>,
        _: Arc<Entra>,
        _: Arc<Ledger>,
        _: Deliveries,
        _: &SimulatorConfig,
        _: CrmUsers,
        _: String,
        _: String,
    ) -> Result<Self, String> {
        Ok(Self)
    }
    pub(crate) fn handle(&self, _: &Request) -> Reply {
        Reply::empty(501)
    }
    pub(crate) fn create_by_hand(&self, _: &str, _: &Value) -> Result<String, Refusal> {
        Err(Refusal {
            status: 501,
            code: "",
            message: String::new(),
        })
    }
    pub(crate) fn update_by_hand(&self, _: &str, _: &str, _: &Value) -> Result<(), Refusal> {
        Ok(())
    }
    pub(crate) fn delete_by_hand(&self, _: &str, _: &str) -> Result<(), Refusal> {
        Ok(())
    }
    pub(crate) fn close_by_hand(&self, _: &str, _: bool, _: &Value) -> Result<(), Refusal> {
        Ok(())
    }
    pub(crate) fn require(&self, _: &str, _: &str, _: bool) -> bool {
        false
    }
    pub(crate) fn count(&self, _: &str) -> usize {
        0
    }
    pub(crate) fn row(&self, _: &str, _: &str) -> Option<Value> {
        None
    }
    pub(crate) fn rows(&self, _: &str) -> Vec<Value> {
        vec![]
    }
    pub(crate) fn expire_delta_links(&self) {}
}

//! Partner Center: the referrals API, the registration of webhooks, and *referral ⇄ deal*.

mod client;
mod create;
mod elements;
#[cfg(test)]
mod hostile;
mod mapping;
mod pages;
mod patch;
mod webhooks;
mod wire;

pub use client::{ListQuery, Order, PartnerCenter, PartnerCenterSettings, Patched};
pub use create::{CreateOptions, create_body, invite_body};
pub use mapping::{LINK_BASE, MAPPING, PcView, read};
pub use pages::{Page, Pages, Unread};
pub use patch::{PatchOp, patch_ops};
pub use webhooks::{Registration, TestResult};
pub use wire::{MICROSOFT, NotAReferral, Referral};

//! The two sides that are kept in step. They are values: there is no inbound and no outbound module anywhere.

use core::fmt;
use core::ops::{Index, IndexMut};

/// Partner Center or the CRM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// Microsoft Partner Center: the referral, and Microsoft's own referral in the same engagement.
    PartnerCenter,
    /// The Dynamics 365 organisation.
    Crm,
}

impl Side {
    /// Both, in the order in which a run looks at them.
    pub const BOTH: [Self; 2] = [Self::PartnerCenter, Self::Crm];

    /// The one across.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::PartnerCenter => Self::Crm,
            Self::Crm => Self::PartnerCenter,
        }
    }

    /// The spelling in stores and in `--json`: `partner-center`, `crm`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PartnerCenter => "partner-center",
            Self::Crm => "crm",
        }
    }

    /// Reads what [`Side::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::BOTH.into_iter().find(|side| side.as_str() == text)
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PartnerCenter => "Partner Center",
            Self::Crm => "the CRM",
        })
    }
}

/// One `T` for each side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sides<T> {
    /// Of Partner Center.
    pub partner_center: T,
    /// Of the CRM.
    pub crm: T,
}

impl<T> Sides<T> {
    /// Builds both from the side's name.
    pub fn of(mut make: impl FnMut(Side) -> T) -> Self {
        Self {
            partner_center: make(Side::PartnerCenter),
            crm: make(Side::Crm),
        }
    }
}

impl<T> Index<Side> for Sides<T> {
    type Output = T;
    fn index(&self, side: Side) -> &T {
        match side {
            Side::PartnerCenter => &self.partner_center,
            Side::Crm => &self.crm,
        }
    }
}

impl<T> IndexMut<Side> for Sides<T> {
    fn index_mut(&mut self, side: Side) -> &mut T {
        match side {
            Side::PartnerCenter => &mut self.partner_center,
            Side::Crm => &mut self.crm,
        }
    }
}

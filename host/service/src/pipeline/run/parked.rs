//! S26: a parked lane stays parked while what it stands on is the same.

use std::collections::BTreeSet;

use cosell_remote::dataverse::{MODIFIED_BY_COLUMN, MODIFIED_ON_COLUMN};
use cosell_store::Next;
use cosell_sync::mark;
use cosell_sync::row::{Cell, Role};

use super::Run;
use crate::link::fingerprint;
use crate::pipeline::look::Sight;
use crate::pipeline::mapping;
use crate::raw;
use crate::trouble::Trouble;

impl Run<'_> {
    /// S26: a parked lane stays parked while what it stands on is the same. Our own cross and audit line are not what it stands on, and a
    /// person who orders it is heard.
    pub(in crate::pipeline) async fn still_parked(
        &mut self,
        sight: &Sight,
    ) -> Result<Option<Next>, Trouble> {
        let stands_on = self.substance(sight).await?;
        self.stands_on = Some(stands_on.clone());
        if self.parked_on.as_ref() != Some(&stands_on) || self.is_ordered() {
            return Ok(None);
        }
        Ok(self.failure.clone().map(|reasons| Next::Parked {
            reasons,
            state: Some(stands_on),
        }))
    }

    async fn substance(&self, sight: &Sight) -> Result<String, Trouble> {
        let table = sight.kind.table();
        let needs = self.set.needs();
        let mut derived: BTreeSet<&str> = needs
            .brings
            .iter()
            .filter(|own| own.table == table)
            .filter(|own| !matches!(own.role, None | Some(Role::Gate | Role::Consent)))
            .map(|own| own.column.as_str())
            .collect();
        derived.extend([MODIFIED_BY_COLUMN, MODIFIED_ON_COLUMN]);
        let primary = self.name_column(table).await?;
        let name = sight
            .row
            .as_ref()
            .and_then(|row| match row.seen.row.cells.get(&primary) {
                Some(Cell::Text(name)) => Some(mark::strip(name, self.link.mark.as_deref())),
                _ => None,
            });
        let referrals: Vec<&str> = [&sight.own, &sight.microsoft]
            .into_iter()
            .flatten()
            .map(|referral| referral.raw.as_str())
            .collect();
        let substance = raw::substance(
            &referrals,
            sight.row.as_ref().map(|row| &row.seen),
            name.map(|name| (primary.as_str(), name)),
            &derived,
        );
        Ok(fingerprint(&format!(
            "{}|{}|{}|{substance}",
            mapping::name(self),
            // Limits that were raised may be what it needs.
            self.set.terms(),
            self.connection.configuration
        )))
    }
}

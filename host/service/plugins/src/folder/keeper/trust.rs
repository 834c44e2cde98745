//! What the keeper loads from the bytes that are kept, if somebody vouches for it.

use super::*;
use crate::folder::served::{NotLoaded, load_member};
use crate::folder::trust::vouched_for;

impl Keeper {
    /// Loads a version from the bytes that are kept, as the policy for signatures lets it.
    ///
    /// A version that is in the set and may not be run leaves this host behind, as any that cannot be loaded here: deals wait and nothing is lost,
    /// whereas without that version they would be written otherwise than their owner wants.
    pub(super) fn load_kept(&self, member: &Member) -> Result<Kept, NotLoaded> {
        let may = |offer: &Offer| {
            if let Some(why) = vouched_for(self.engine.trust(), &self.dir, member, offer)? {
                let file = member.file.as_str();
                tracing::warn!(file, why = %why, "nobody who is trusted vouches for this plugin, which serves; it goes on, as [plugins] signatures = \"warn\" says");
            }
            Ok(())
        };
        load_member(&self.engine, &*self.ledger, member, may)
    }
}

//! Who vouches for what serves. A set that was made while nobody was asked, or under a key that is not trusted any more, does not go on serving by
//! itself where signatures are required.

use super::*;
use crate::folder::served::{NotLoaded, load_member};
use crate::signature::Policy;

/// Besides a signature.
const OR_ELSE: &str = "or write [plugins] signatures = \"warn\", which lets it serve unsigned, or go back with `cosell plugin rollback`";

impl Keeper {
    /// Loads a version from the bytes that are kept, as the policy for signatures lets it.
    pub(super) fn load_kept(&self, member: &Member) -> Result<Kept, NotLoaded> {
        let may = |offer: &Offer| self.is_vouched_for(member, offer);
        load_member(&self.engine, &*self.ledger, member, may)
    }

    /// By the key that signed it when it came, or by a signature that lies in the folder now.
    ///
    /// A version that is in the set and may not be run leaves this host behind, as any that cannot be loaded here: deals wait and nothing is lost,
    /// whereas without that version they would be written otherwise than their owner wants.
    fn is_vouched_for(&self, member: &Member, offer: &Offer) -> Result<(), Rejection> {
        let trust = self.engine.trust();
        let signer = member.detail.signer.as_deref();
        if trust.policy == Policy::Off || signer.is_some_and(|key| trust.has(key)) {
            return Ok(());
        }
        let file = member.file.as_str();
        match offer.vouched(trust, &self.dir) {
            Ok(vouched) => {
                if let Some(why) = vouched.warning {
                    tracing::warn!(file, why = %why, "nobody who is trusted vouches for this plugin, which serves; it goes on, as [plugins] signatures = \"warn\" says");
                }
                Ok(())
            }
            Err(why) => {
                let came = match signer {
                    Some(key) => format!("it came signed by {key}, which is not trusted any more"),
                    None => "it came while no signature was asked for".to_owned(),
                };
                let hint = match &why.hint {
                    Some(hint) => format!("{hint}; {OR_ELSE}"),
                    None => OR_ELSE.to_owned(),
                };
                Err(Rejection {
                    file: file.to_owned(),
                    hash: Some(member.sha256.clone()),
                    ..why.because([came]).with_hint(hint)
                })
            }
        }
    }
}

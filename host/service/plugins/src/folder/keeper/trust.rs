//! Who vouches for what serves. A set that was made while nobody was asked, or under a key that is not trusted any more, does not go on serving by
//! itself where signatures are required.

use super::*;
use crate::folder::served::{NotLoaded, load_member};
use crate::signature::{Policy, Trust};

/// Besides a signature.
const OR_ELSE: &str = "or write [plugins] signatures = \"warn\", which lets it serve unsigned, or go back with `cosell plugin rollback`";

/// How it came, where the keys that signed it then do not vouch for it now; what an engine runs is as good as both of them.
fn came_untrusted(trust: &Trust, member: &Member) -> Option<String> {
    if trust.policy == Policy::Off {
        return None;
    }
    let detail = &member.detail;
    let engine = member.source.as_ref().map(|_| ("its engine", &detail.engine_signer));
    let all = [("it", &detail.signer)].into_iter().chain(engine);
    all.filter_map(|(what, signer)| match signer {
        Some(key) if trust.has(key) => None,
        Some(key) => Some(format!(
            "{what} came signed by {key}, which is not trusted any more"
        )),
        None => Some(format!("{what} came while no signature was asked for")),
    })
    .next()
}

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
        let Some(came) = came_untrusted(trust, member) else {
            return Ok(());
        };
        let file = member.file.as_str();
        match offer.vouched(trust, &self.dir) {
            Ok(vouched) => {
                if let Some(why) = vouched.warning {
                    tracing::warn!(file, why = %why, "nobody who is trusted vouches for this plugin, which serves; it goes on, as [plugins] signatures = \"warn\" says");
                }
                Ok(())
            }
            Err(why) => {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn member(source: Option<&str>, signers: [Option<&str>; 2]) -> Member {
        let [signer, engine_signer] = signers.map(|one| one.map(str::to_owned));
        Member {
            file: "50-acme.js".to_owned(),
            sha256: String::new(),
            component: String::new(),
            source: source.map(str::to_owned),
            operator: String::new(),
            detail: Detail {
                signer,
                engine_signer,
                ..Detail::default()
            },
        }
    }

    #[test]
    fn what_an_engine_runs_is_as_good_as_both_keys() {
        let key = || {
            let pair = minisign::KeyPair::generate_unencrypted_keypair().unwrap();
            pair.pk.to_base64()
        };
        let (good, gone) = (key(), key());
        let (good, gone) = (good.as_str(), gone.as_str());
        let trust = Trust {
            policy: Policy::Require,
            keys: vec![good.parse().unwrap()],
        };
        let told = |source, signers| {
            let came = came_untrusted(&trust, &member(source, signers));
            came.map(|came| came.replace(gone, "GONE"))
        };
        assert_eq!(told(None, [Some(good), None]), None);
        assert_eq!(told(Some("text"), [Some(good), Some(good)]), None);
        for (signers, says) in [
            (
                [Some(gone), Some(good)],
                "it came signed by GONE, which is not trusted any more",
            ),
            (
                [Some(good), Some(gone)],
                "its engine came signed by GONE, which is not trusted any more",
            ),
            (
                [Some(good), None],
                "its engine came while no signature was asked for",
            ),
        ] {
            assert_eq!(told(Some("text"), signers).as_deref(), Some(says));
        }
    }
}

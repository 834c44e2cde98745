//! Who vouches for what serves. A set that was made while nobody was asked, or under a key that is not trusted any more, does not go on serving by
//! itself where signatures are required.

use std::path::Path;

use crate::generation::Member;
use crate::offer::Offer;
use crate::rejection::Rejection;
use crate::signature::{Policy, Trust};

/// Besides a signature.
const OR_ELSE: &str = "or write [plugins] signatures = \"warn\", which lets it serve unsigned, or go back with `cosell plugin rollback`";

/// Whether a host that trusts so runs this version only with a signature that lies in its folder: the keys with which it came do not do.
#[must_use]
pub fn needs_a_signature(trust: &Trust, member: &Member) -> bool {
    trust.policy == Policy::Require && came_untrusted(trust, member).is_some()
}

/// Why a host that trusts so does not run these bytes of a version. None: it does. `folder` is where signatures would lie.
#[must_use]
pub fn unvouched(
    trust: &Trust,
    folder: &Path,
    member: &Member,
    wasm: Vec<u8>,
    text: Option<Vec<u8>>,
) -> Option<String> {
    let looked = Offer::of(&member.file, wasm, text)
        .and_then(|offer| vouched_for(trust, folder, member, &offer));
    looked.err().map(|why| why.to_string())
}

/// By the keys that signed it when it came, or by a signature that lies in the folder now. Some: why nobody does, where that is only warned of.
pub(super) fn vouched_for(
    trust: &Trust,
    folder: &Path,
    member: &Member,
    offer: &Offer,
) -> Result<Option<String>, Rejection> {
    let Some(came) = came_untrusted(trust, member) else {
        return Ok(None);
    };
    match offer.vouched(trust, folder) {
        Ok(vouched) => Ok(vouched.warning),
        Err(why) => {
            let hint = match &why.hint {
                Some(hint) => format!("{hint}; {OR_ELSE}"),
                None => OR_ELSE.to_owned(),
            };
            Err(Rejection {
                file: member.file.clone(),
                hash: Some(member.sha256.clone()),
                ..why.because([came]).with_hint(hint)
            })
        }
    }
}

/// How it came, where the keys that signed it then do not vouch for it now; what an engine runs is as good as both of them.
fn came_untrusted(trust: &Trust, member: &Member) -> Option<String> {
    if trust.policy == Policy::Off {
        return None;
    }
    let detail = &member.detail;
    let engine = member
        .source
        .as_ref()
        .map(|_| ("its engine", &detail.engine_signer));
    let mut all = [("it", &detail.signer)].into_iter().chain(engine);
    all.find_map(|(what, signer)| match signer {
        Some(key) if trust.has(key) => None,
        Some(key) => Some(format!(
            "{what} came signed by {key}, which is not trusted any more"
        )),
        None => Some(format!("{what} came while no signature was asked for")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generation::Detail;

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

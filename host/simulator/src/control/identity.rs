//! Who may sign in, and with what: tokens, passwords, secrets, certificates, device codes.

use super::{Control, ControlError, unknown_user};
use crate::entra::{App, DeviceCode};
use crate::ledger::Act;

impl Control {
    /// Revokes every refresh token, as a changed password does.
    pub fn revoke_refresh_tokens(&self) {
        self.world.entra.books().revoke_refresh_tokens();
    }

    /// Makes every access token given out so far invalid.
    pub fn revoke_access_tokens(&self) {
        self.world.entra.books().revoke_access_tokens();
    }

    /// The password of the user that consented expires: from now on its refresh tokens answer `invalid_grant`, AADSTS50173.
    /// Access tokens that were given out stay good until they run out.
    pub fn expire_password(&self, mail: &str) -> Result<Act, ControlError> {
        let at = self.world.ledger.now_ms();
        if !self.world.entra.books().expire_password(mail) {
            return Err(unknown_user(mail));
        }
        Ok(self
            .world
            .ledger
            .act(at, "administrator", "expire password", mail))
    }

    /// The user signs in and consents once more; the answer is the new refresh token.
    pub fn consent_again(&self, mail: &str) -> Result<String, ControlError> {
        self.world
            .entra
            .consent_again(mail)
            .ok_or_else(|| unknown_user(mail))
    }

    /// A person signs in for a device that shows this code; the device's app then has that user's tokens.
    pub fn approve_device(&self, user_code: &str, mail: &str) -> Result<Act, ControlError> {
        self.answer_device("sign in", user_code, Some(mail))
    }

    /// A person says no to a device that shows this code.
    pub fn decline_device(&self, user_code: &str) -> Result<Act, ControlError> {
        self.answer_device("decline to sign in", user_code, None)
    }

    /// Device codes that wait for a person.
    pub fn device_codes(&self) -> Vec<DeviceCode> {
        self.world.entra.device_codes()
    }

    fn answer_device(
        &self,
        what: &str,
        user_code: &str,
        mail: Option<&str>,
    ) -> Result<Act, ControlError> {
        let at = self.world.ledger.now_ms();
        if let Some(mail) = mail.filter(|mail| !mail.contains('@')) {
            return Err(unknown_user(mail));
        }
        if !self.world.entra.answer_device(user_code, mail) {
            return Err(ControlError::Unknown {
                what: format!("device that waits for the code '{user_code}'"),
            });
        }
        Ok(self.world.ledger.act(at, "user", what, user_code))
    }

    /// A user signs in at the authorize endpoint and consents to an app; the answer is the code that the app redeems.
    pub fn authorize(&self, client_id: &str, mail: &str) -> Result<String, ControlError> {
        let app = self.known_app(client_id)?;
        Ok(self.world.entra.authorize(app, mail))
    }

    /// Registers a further certificate (PEM, RSA) of an app; the answer is its thumbprint as `x5t#S256` spells it.
    pub fn add_certificate(&self, client_id: &str, pem: &str) -> Result<String, ControlError> {
        self.known_app(client_id)?;
        let added = self.world.entra.add_certificate(client_id, pem);
        added.map_err(|reason| ControlError::Malformed { reason })
    }

    /// An administrator replaces the secret of an app: the one before is wrong from now on (AADSTS7000215).
    pub fn replace_secret(&self, client_id: &str, secret: &str) -> Result<Act, ControlError> {
        let at = self.world.ledger.now_ms();
        self.known_app(client_id)?;
        self.world.entra.books().replace_secret(client_id, secret);
        let ledger = &self.world.ledger;
        Ok(ledger.act(at, "administrator", "replace secret", client_id))
    }

    /// The secret of an app expires (AADSTS7000222), or is good again.
    pub fn expire_secret(&self, client_id: &str, expired: bool) -> Result<Act, ControlError> {
        let at = self.world.ledger.now_ms();
        self.known_app(client_id)?;
        self.world.entra.books().expire_secret(client_id, expired);
        let what = if expired {
            "expire secret"
        } else {
            "renew secret"
        };
        let ledger = &self.world.ledger;
        Ok(ledger.act(at, "administrator", what, client_id))
    }

    /// Partner Center signs with a new key from now on; its certificate is at the same address.
    pub fn rotate_webhook_certificate(&self) -> Result<Act, ControlError> {
        let at = self.world.ledger.now_ms();
        let rotated = self.world.signer.rotate();
        rotated.map_err(|error| ControlError::Malformed {
            reason: format!("a new key could not be made: {error}"),
        })?;
        let ledger = &self.world.ledger;
        Ok(ledger.act(at, "operator", "rotate webhook certificate", ""))
    }

    pub(super) fn known_app(&self, client_id: &str) -> Result<&App, ControlError> {
        let app = self.world.entra.app(client_id);
        app.ok_or_else(|| ControlError::Unknown {
            what: format!("app '{client_id}'"),
        })
    }
}

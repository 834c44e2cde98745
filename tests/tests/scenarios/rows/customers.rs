//! Accounts and contacts.

use super::Sentence;

pub(super) const ROWS: &[Sentence] = &[
    (
        "account.name-and-postcode",
        "an account is searched by company name and postal code",
        "the one that is there is used",
    ),
    (
        "account.escaped",
        "an account is searched by company name and postal code",
        "Partner Center escapes names: `&amp;` finds `&`",
    ),
    (
        "account.new",
        "if there is none, one is created",
        "with name, address and country",
    ),
    (
        "account.same-moment",
        "if there is none, one is created",
        "two deals of one new customer that arrive at the same moment make one account",
    ),
    (
        "account.several",
        "more than one hit was undefined",
        "a person chooses, and no account is made meanwhile",
    ),
    (
        "account.several.answered",
        "more than one hit was undefined",
        "the answer is the deal's account",
    ),
    (
        "account.without-postcode",
        "more than one hit was undefined",
        "a name alone proves nothing: a person chooses",
    ),
    (
        "account.duns",
        "keys that the connector ignored: DUNS number, Microsoft's id, domain",
        "the same DUNS number proves it, whatever the name",
    ),
    (
        "account.external",
        "keys that the connector ignored: DUNS number, Microsoft's id, domain",
        "the number that Partner Center knows the customer by proves it",
    ),
    (
        "account.domain",
        "keys that the connector ignored: DUNS number, Microsoft's id, domain",
        "the domain of the contacts' mail leads to the account",
    ),
    (
        "account.duns.out",
        "keys that the connector ignored: DUNS number, Microsoft's id, domain",
        "the account's DUNS number goes out with the customer",
    ),
    (
        "account.inactive",
        "an account that nobody works with any more",
        "is passed over",
    ),
    (
        "account.merged",
        "an account that was merged into another",
        "the deal belongs to the one that is left, before the deal arrives and after",
    ),
    (
        "contact.mail",
        "contacts of an inbound deal",
        "are found by mail",
    ),
    (
        "contact.name",
        "contacts of an inbound deal",
        "then by name within the account",
    ),
    (
        "contact.new",
        "contacts of an inbound deal",
        "else created, once",
    ),
    (
        "contact.required",
        "a contact is required when help is asked",
        "without one the deal waits, and says what is missing",
    ),
    (
        "contact.complete",
        "first name, last name, phone and mail are all required then",
        "an incomplete one is named",
    ),
    (
        "contact.consent",
        "the customer's consent must be on record first",
        "until then the deal crosses without its people",
    ),
    (
        "contact.consent.given",
        "the customer's consent must be on record first",
        "once it is declared they follow",
    ),
];

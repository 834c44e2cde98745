//! The golden examples.

use cosell_guest_sdk::prelude::*;

use crate::{ACCOUNT_JOIN, AS_NAME, COLUMN, COLUMN_DEFAULT, KEPT_AS};

const ROW: &str = "0c0c0c0c-0000-4000-8000-0000000000a1";
const ACCOUNT: &str = "0a0a0a0a-0000-4000-8000-0000000000a1";

fn reads(title: &str, column: &str, written: &str) -> Example {
    Example::new(title, "country.to-deal")
        .given(Row::new("opportunity", ROW))
        .related(
            ACCOUNT_JOIN,
            vec![Row::new("account", ACCOUNT).with(column, written)],
        )
}

pub(crate) fn cases() -> Vec<Example> {
    let as_name = || SettingValue::Text(AS_NAME.to_owned());
    vec![
        reads("a code is read, whatever its case", COLUMN_DEFAULT, "hu").answers("HU"),
        reads("an English name is read", COLUMN_DEFAULT, "Hungary").answers("HU"),
        reads("a common name is read", COLUMN_DEFAULT, "Czech Republic").answers("CZ"),
        reads("accents do not matter", COLUMN_DEFAULT, "Turkiye").answers("TR"),
        reads("the setting moves the column", "new_countrycode", "KOR")
            .setting(COLUMN, SettingValue::Text("new_countrycode".to_owned()))
            .answers("KR"),
        reads("what is no country is refused", COLUMN_DEFAULT, "Hungry")
            .expects(Expected::Refuses("country-unknown".to_owned())),
        Example::new("the code is written", "country.to-row")
            .given(Given::Text("HU".to_owned()))
            .sets(COLUMN_DEFAULT, "HU"),
        Example::new("or the English name", "country.to-row")
            .setting(KEPT_AS, as_name())
            .given(Given::Text("GB".to_owned()))
            .sets(COLUMN_DEFAULT, "United Kingdom"),
    ]
}

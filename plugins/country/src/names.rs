//! Names of countries: from a text to the alpha-2 code, and from the code to the English name.
//!
//! The data is the `iso3166` crate's (Unicode CLDR names). Here stand only what it leaves out and the other names that people use.

use std::borrow::Cow;

use iso3166::{Country, LIST};

/// Assigned in ISO 3166-1 and missing in the crate.
const MISSING: [(&str, &str); 1] = [("AQ", "Antarctica")];

/// Where the crate's name is an abbreviation, or another than the country asks to be called by.
const NAMES: [(&str, &str); 4] = [
    ("BA", "Bosnia and Herzegovina"),
    ("GB", "United Kingdom"),
    ("TR", "Türkiye"),
    ("US", "United States"),
];

/// Other names, as [`plain`] leaves them.
const ALIASES: &[(&str, &str)] = &[
    ("alandislands", "AX"),
    ("america", "US"),
    ("antiguabarbuda", "AG"),
    ("boliviaplurinationalstateof", "BO"),
    ("bonairesinteustatiusandsaba", "BQ"),
    ("bosniaherzegovina", "BA"),
    ("britain", "GB"),
    ("bruneidarussalam", "BN"),
    ("burma", "MM"),
    ("caboverde", "CV"),
    ("congo", "CG"),
    ("congodemocraticrepublicofthe", "CD"),
    ("czechrepublic", "CZ"),
    ("democraticrepublicofcongo", "CD"),
    ("democraticrepublicofthecongo", "CD"),
    ("drcongo", "CD"),
    ("deutschland", "DE"),
    ("easttimor", "TL"),
    ("eire", "IE"),
    ("el", "GR"),
    ("emirates", "AE"),
    ("england", "GB"),
    ("espana", "ES"),
    ("falklandislandsmalvinas", "FK"),
    ("greatbritain", "GB"),
    ("hellas", "GR"),
    ("heardislandandmcdonaldislands", "HM"),
    ("holland", "NL"),
    ("holysee", "VA"),
    ("iranislamicrepublicof", "IR"),
    ("italia", "IT"),
    ("ivorycoast", "CI"),
    ("koreademocraticpeoplesrepublicof", "KP"),
    ("korearepublicof", "KR"),
    ("laopeoplesdemocraticrepublic", "LA"),
    ("macao", "MO"),
    ("macedonia", "MK"),
    ("magyarorszag", "HU"),
    ("micronesiafederatedstatesof", "FM"),
    ("moldovarepublicof", "MD"),
    ("netherlandskingdomof", "NL"),
    ("northernireland", "GB"),
    ("osterreich", "AT"),
    ("palestinestateof", "PS"),
    ("peoplesrepublicofchina", "CN"),
    ("pitcairn", "PN"),
    ("polska", "PL"),
    ("republicofireland", "IE"),
    ("republicofkorea", "KR"),
    ("republicofthecongo", "CG"),
    ("russianfederation", "RU"),
    ("sainthelenaascensionandtristandacunha", "SH"),
    ("saintmartinfrenchpart", "MF"),
    ("saintvincentandthegrenadines", "VC"),
    ("schweiz", "CH"),
    ("scotland", "GB"),
    ("sintmaartendutchpart", "SX"),
    ("slovakrepublic", "SK"),
    ("southgeorgiaandthesouthsandwichislands", "GS"),
    ("suisse", "CH"),
    ("swaziland", "SZ"),
    ("syrianarabrepublic", "SY"),
    ("taiwanprovinceofchina", "TW"),
    ("tanzaniaunitedrepublicof", "TZ"),
    ("turkey", "TR"),
    ("uae", "AE"),
    ("uk", "GB"),
    ("unitedkingdomofgreatbritainandnorthernireland", "GB"),
    ("unitedrepublicoftanzania", "TZ"),
    ("unitedstatesminoroutlyingislands", "UM"),
    ("unitedstatesofamerica", "US"),
    ("usofa", "US"),
    ("vatican", "VA"),
    ("venezuelabolivarianrepublicof", "VE"),
    ("virginislandsbritish", "VG"),
    ("virginislandsus", "VI"),
    ("wales", "GB"),
];

/// The alpha-2 code of a country that is written as a code (two or three letters) or as an English name.
pub(crate) fn code_of(text: &str) -> Option<&'static str> {
    let plain = plain(text);
    // Codes are compared as they stand: the words that `plain` puts in ("and", "saint") are codes of other countries.
    let letters: String = text
        .chars()
        .filter(|sign| sign.is_alphabetic())
        .collect::<String>()
        .to_ascii_uppercase();
    Country::from_alpha2(&letters)
        .or_else(|| Country::from_alpha3(&letters))
        .map(|country| country.alpha2)
        .or_else(|| missing(&letters, &plain))
        .or_else(|| {
            let mut aliases = ALIASES.iter();
            aliases.find_map(|(alias, code)| (*alias == plain).then_some(*code))
        })
        .or_else(|| {
            let mut names = NAMES.iter();
            names.find_map(|(code, name)| (self::plain(name) == plain).then_some(*code))
        })
        .or_else(|| {
            LIST.iter()
                .filter(|country| starts_alike(country.name, &plain))
                .find(|country| self::plain(country.name) == plain)
                .map(|country| country.alpha2)
        })
}

/// The English name of a country, by its alpha-2 code.
pub(crate) fn name_of(code: &str) -> Option<&'static str> {
    let ours = MISSING.iter().chain(&NAMES);
    ours.into_iter()
        .find_map(|(known, name)| known.eq_ignore_ascii_case(code).then_some(*name))
        .or_else(|| Country::from_alpha2_ignore_case(code).map(|country| country.data().name))
}

fn missing(letters: &str, plain: &str) -> Option<&'static str> {
    MISSING
        .iter()
        .find_map(|(code, name)| (*code == letters || self::plain(name) == plain).then_some(*code))
}

/// Lower-case letters only: without blanks, points, accents and a leading "the"; `&` is "and", `St.` is "saint".
fn plain(text: &str) -> String {
    let words: Vec<String> = text
        .replace('&', " and ")
        .split(|sign: char| sign.is_whitespace() || sign == '-')
        .map(|word| {
            let letters: String = word
                .chars()
                .flat_map(char::to_lowercase)
                .map(letter)
                .collect();
            match letters.as_str() {
                "st" => "saint".to_owned(),
                _ => letters,
            }
        })
        .filter(|word| !word.is_empty())
        .collect();
    let words = match words.as_slice() {
        [the, rest @ ..] if the == "the" && !rest.is_empty() => rest,
        all => all,
    };
    words.concat()
}

/// Whether a name can come out of [`plain`] like this, by its first letter: going through the whole list letter by letter would take longer than
/// the rest of the question.
fn starts_alike(name: &str, plain: &str) -> bool {
    let mut letters = name.chars().flat_map(char::to_lowercase).map(letter);
    let first = letters.find(|letter| !letter.is_empty());
    name.starts_with("The ") || first.is_some_and(|letter| plain.starts_with(letter.as_ref()))
}

/// A letter without its accent; anything that is no letter disappears.
fn letter(letter: char) -> Cow<'static, str> {
    Cow::Borrowed(match letter {
        'á' | 'à' | 'â' | 'ä' | 'ã' | 'å' | 'ā' | 'ă' | 'ą' => "a",
        'ç' | 'ć' | 'č' => "c",
        'ď' | 'đ' | 'ð' => "d",
        'é' | 'è' | 'ê' | 'ë' | 'ē' | 'ė' | 'ę' | 'ě' => "e",
        'ğ' => "g",
        'í' | 'ì' | 'î' | 'ï' | 'ī' | 'į' | 'ı' => "i",
        'ł' | 'ľ' => "l",
        'ñ' | 'ń' | 'ň' => "n",
        'ó' | 'ò' | 'ô' | 'ö' | 'õ' | 'ø' | 'ő' | 'ō' => "o",
        'ŕ' | 'ř' => "r",
        'ś' | 'š' | 'ş' | 'ș' => "s",
        'ß' => "ss",
        'ť' | 'ţ' | 'ț' => "t",
        'ú' | 'ù' | 'û' | 'ü' | 'ů' | 'ű' | 'ū' => "u",
        'ý' | 'ÿ' => "y",
        'ź' | 'ż' | 'ž' => "z",
        'æ' => "ae",
        'œ' => "oe",
        plain if plain.is_alphabetic() => return Cow::Owned(plain.to_string()),
        _ => "",
    })
}

//! Names of companies: how two people write one of them.

/// A name taken apart: what the company is called, and its legal form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name {
    core: String,
    form: String,
}

/// How much two names are one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Likeness {
    Same,
    /// One of them leaves the legal form out.
    SameButForm,
    /// Contoso Kft. and Contoso Zrt.: often two companies of one group.
    OtherForm,
    /// One letter more, less, other, or swapped.
    OneLetter,
    Different,
}

/// Legal forms, as [`plain`] leaves them, and how each is written here.
const FORMS: [(&str, &str); 56] = [
    ("ab", "ab"),
    ("ag", "ag"),
    ("aps", "aps"),
    ("as", "as"),
    ("asa", "asa"),
    ("bt", "bt"),
    ("bv", "bv"),
    ("bvba", "bvba"),
    ("co", "co"),
    ("company", "co"),
    ("corp", "corp"),
    ("corporation", "corp"),
    ("doo", "doo"),
    ("eg", "eg"),
    ("ehf", "ehf"),
    ("ev", "ev"),
    ("gmbh", "gmbh"),
    ("hf", "hf"),
    ("inc", "inc"),
    ("incorporated", "inc"),
    ("kft", "kft"),
    ("kg", "kg"),
    ("kgaa", "kgaa"),
    ("kk", "kk"),
    ("lda", "lda"),
    ("limited", "ltd"),
    ("llc", "llc"),
    ("llp", "llp"),
    ("ltd", "ltd"),
    ("ltda", "ltda"),
    ("mbh", "mbh"),
    ("nv", "nv"),
    ("nyrt", "nyrt"),
    ("ohg", "ohg"),
    ("ood", "ood"),
    ("oy", "oy"),
    ("oyj", "oyj"),
    ("plc", "plc"),
    ("pte", "pte"),
    ("pty", "pty"),
    ("pvt", "pvt"),
    ("private", "pvt"),
    ("rt", "rt"),
    ("sa", "sa"),
    ("sarl", "sarl"),
    ("sas", "sas"),
    ("se", "se"),
    ("sl", "sl"),
    ("spa", "spa"),
    ("spk", "spk"),
    ("spzoo", "spzoo"),
    ("sro", "sro"),
    ("srl", "srl"),
    ("ug", "ug"),
    ("zoo", "zoo"),
    ("zrt", "zrt"),
];

impl Name {
    pub(crate) fn of(text: &str) -> Self {
        let plain = plain(text);
        let mut words: Vec<&str> = plain.split(' ').collect();
        let mut form: Vec<&str> = Vec::new();
        while let [_, .., last] = words.as_slice() {
            // GmbH & Co. KG
            if *last != "and" || form.is_empty() {
                let Some((_, kept)) = FORMS.iter().find(|(known, _)| known == last) else {
                    break;
                };
                form.insert(0, kept);
            }
            words.pop();
        }
        Self {
            core: words.join(" "),
            form: form.join(" "),
        }
    }

    pub(crate) fn like(&self, other: &Self) -> Likeness {
        if self.core.is_empty() || other.core.is_empty() {
            return Likeness::Different;
        }
        let forms_differ =
            self.form != other.form && !self.form.is_empty() && !other.form.is_empty();
        if self.core == other.core {
            return match (forms_differ, self.form == other.form) {
                (true, _) => Likeness::OtherForm,
                (false, true) => Likeness::Same,
                (false, false) => Likeness::SameButForm,
            };
        }
        if !forms_differ && is_one_letter_apart(&self.core, &other.core) {
            return Likeness::OneLetter;
        }
        Likeness::Different
    }
}

/// The beginning of a name, as it is written, without its legal form: what a search for names can begin with.
pub(crate) fn beginning(text: &str) -> String {
    let core = Name::of(text).core;
    let mut words: Vec<&str> = Vec::new();
    for word in text.split_whitespace() {
        words.push(word);
        if plain(&words.join(" ")) == core {
            break;
        }
    }
    let beginning = words.join(" ");
    beginning
        .trim_end_matches([',', ';', '-'])
        .trim()
        .to_owned()
}

/// Lower case, letters and digits without accents, one space between words: two spellings of one name by two sellers.
pub(crate) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for sign in text.chars().flat_map(char::to_lowercase) {
        match sign {
            // S.p.A. is SpA, and O'Brien is OBrien.
            '.' | '\'' | '’' => {}
            '&' | '+' => plain.push_str(" and "),
            _ if sign.is_alphanumeric() => push_folded(sign, &mut plain),
            _ => plain.push(' '),
        }
    }
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn push_folded(sign: char, plain: &mut String) {
    plain.push(match sign {
        'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' | 'ā' | 'ă' | 'ą' => 'a',
        'ç' | 'ć' | 'č' => 'c',
        'ď' | 'đ' => 'd',
        'è' | 'é' | 'ê' | 'ë' | 'ē' | 'ė' | 'ę' | 'ě' => 'e',
        'ğ' => 'g',
        'ì' | 'í' | 'î' | 'ï' | 'ī' | 'į' | 'ı' => 'i',
        'ł' => 'l',
        'ñ' | 'ń' | 'ň' => 'n',
        'ò' | 'ó' | 'ô' | 'õ' | 'ö' | 'ő' | 'ø' => 'o',
        'ř' => 'r',
        'ś' | 'ş' | 'š' | 'ș' => 's',
        'ţ' | 'ť' | 'ț' => 't',
        'ù' | 'ú' | 'û' | 'ü' | 'ű' | 'ū' | 'ů' | 'ų' => 'u',
        'ý' | 'ÿ' => 'y',
        'ź' | 'ż' | 'ž' => 'z',
        'ß' => return plain.push_str("ss"),
        'æ' => return plain.push_str("ae"),
        'œ' => return plain.push_str("oe"),
        other => other,
    });
}

/// Names of less than this say too little for a letter not to matter.
const LETTERS_MIN: usize = 5;

fn is_one_letter_apart(a: &str, b: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    if short.len() < LETTERS_MIN || long.len() - short.len() > 1 {
        return false;
    }
    let same = short.iter().zip(&long).take_while(|(a, b)| a == b).count();
    let (rest, longer) = (&short[same..], &long[same..]);
    match (rest, longer) {
        // One more.
        (rest, [_, after @ ..]) if rest == after => true,
        // Another one.
        ([_, rest @ ..], [_, after @ ..]) if rest == after => true,
        // Two swapped.
        ([a, b, rest @ ..], [c, d, after @ ..]) => a == d && b == c && rest == after,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_like_as_people_find_them() {
        for (a, b, like) in [
            ("Contoso Kft.", "  CONTOSO  Kft ", Likeness::Same),
            ("Fabrikam, Incorporated", "Fabrikam Inc.", Likeness::Same),
            ("Müller & Söhne", "Muller and Sohne", Likeness::Same),
            ("Prodotti S.p.A.", "Prodotti SpA", Likeness::Same),
            ("Contoso", "Contoso Kft.", Likeness::SameButForm),
            ("Contoso GmbH & Co. KG", "Contoso", Likeness::SameButForm),
            ("Contoso Kft.", "Contoso Zrt.", Likeness::OtherForm),
            ("Contoso Kft.", "Contosso Kft.", Likeness::OneLetter),
            ("Contoso", "Contsoo Kft", Likeness::OneLetter),
            ("Contoso Kft.", "Contosa Zrt.", Likeness::Different),
            ("Alfa", "Alba", Likeness::Different),
            ("Contoso", "Fabrikam", Likeness::Different),
            ("", "", Likeness::Different),
        ] {
            assert_eq!(Name::of(a).like(&Name::of(b)), like, "{a} and {b}");
            assert_eq!(Name::of(b).like(&Name::of(a)), like, "{b} and {a}");
        }
    }

    #[test]
    fn a_search_begins_with_the_name_and_not_with_its_form() {
        for (name, begins) in [
            ("Contoso Kft.", "Contoso"),
            ("Fabrikam, Inc.", "Fabrikam"),
            ("The Contoso Company Ltd", "The Contoso"),
            (" AG ", "AG"),
        ] {
            assert_eq!(beginning(name), begins, "{name}");
        }
    }
}

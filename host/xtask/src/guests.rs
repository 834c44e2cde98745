//! The guests, as data: what is built, and where it lands.

/// A folder of components under the target directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shelf {
    /// The stock mapping: what a plugin folder starts with.
    Stock,
    /// Things to copy and to drop in.
    Examples,
    /// Guests that misbehave.
    Hostile,
}

impl Shelf {
    pub(crate) const ALL: [Self; 3] = [Self::Stock, Self::Examples, Self::Hostile];

    pub(crate) const fn folder(self) -> &'static str {
        match self {
            Self::Stock => "plugins",
            Self::Examples => "examples",
            Self::Hostile => "hostile",
        }
    }
}

/// A crate that becomes one component. The number in front of the file name is its place in the chain.
pub(crate) struct Guest {
    pub(crate) package: &'static str,
    pub(crate) shelf: Shelf,
    pub(crate) file: &'static str,
}

const fn stock(package: &'static str, file: &'static str) -> Guest {
    Guest {
        package,
        shelf: Shelf::Stock,
        file,
    }
}

pub(crate) const GUESTS: &[Guest] = &[stock("plugin-opportunity", "10-opportunity.wasm")];

//! How a plugin introduces itself: manifest, settings, needs.

use crate::types::{
    AskedTable, ColumnKind, Join, Link, Need, OwnColumn, PluginManifest, SettingSpec, SettingType,
    SettingValue, TableColumns,
};

impl PluginManifest {
    /// `id` is `[a-z0-9-]{1,64}` and never changes; `version` is semver; `summary` is one sentence for the operator.
    #[must_use]
    pub fn new(
        id: impl Into<String>,
        version: impl Into<String>,
        summary: impl Into<String>,
    ) -> Self {
        Self {
            id: id.into(),
            version: version.into(),
            summary: summary.into(),
            settings: Vec::new(),
        }
    }

    /// With this setting.
    #[must_use]
    pub fn setting(mut self, setting: SettingSpec) -> Self {
        self.settings.push(setting);
        self
    }
}

impl SettingSpec {
    /// A setting of any kind, optional and without a default.
    #[must_use]
    pub fn new(name: impl Into<String>, kind: SettingType, doc: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            doc: doc.into(),
            kind,
            required: false,
            default_value: None,
        }
    }

    /// A text.
    #[must_use]
    pub fn text(name: impl Into<String>, doc: impl Into<String>) -> Self {
        Self::new(name, SettingType::Text, doc)
    }

    /// The name of a column of `table`.
    #[must_use]
    pub fn column(
        name: impl Into<String>,
        table: impl Into<String>,
        doc: impl Into<String>,
    ) -> Self {
        Self::new(name, SettingType::Column(table.into()), doc)
    }

    /// Yes or no.
    #[must_use]
    pub fn yes_no(name: impl Into<String>, default: bool, doc: impl Into<String>) -> Self {
        let mut spec = Self::new(name, SettingType::Boolean, doc);
        spec.default_value = Some(SettingValue::Boolean(default));
        spec
    }

    /// A whole number.
    #[must_use]
    pub fn integer(name: impl Into<String>, default: i32, doc: impl Into<String>) -> Self {
        let mut spec = Self::new(name, SettingType::Integer, doc);
        spec.default_value = Some(SettingValue::Integer(default));
        spec
    }

    /// A list of texts, empty unless the operator writes some.
    #[must_use]
    pub fn texts(name: impl Into<String>, doc: impl Into<String>) -> Self {
        Self::new(name, SettingType::Texts, doc)
    }

    /// One of several words; the first is the default.
    #[must_use]
    pub fn one_of(
        name: impl Into<String>,
        words: impl IntoIterator<Item = &'static str>,
        doc: impl Into<String>,
    ) -> Self {
        let words: Vec<String> = words.into_iter().map(str::to_owned).collect();
        let default = words.first().cloned().map(SettingValue::Text);
        let mut spec = Self::new(name, SettingType::OneOf(words), doc);
        spec.default_value = default;
        spec
    }

    /// A small table.
    #[must_use]
    pub fn pairs<'a>(
        name: impl Into<String>,
        default: impl IntoIterator<Item = (&'a str, &'a str)>,
        doc: impl Into<String>,
    ) -> Self {
        let mut spec = Self::new(name, SettingType::Pairs, doc);
        spec.default_value = Some(SettingValue::Pairs(
            default
                .into_iter()
                .map(|(left, right)| (left.to_owned(), right.to_owned()))
                .collect(),
        ));
        spec
    }

    /// What it is when the operator says nothing.
    #[must_use]
    pub fn default_text(mut self, value: impl Into<String>) -> Self {
        self.default_value = Some(SettingValue::Text(value.into()));
        self
    }

    /// The operator has to say something.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }
}

impl Need {
    /// Columns of `opportunity`, `lead` or a matched row that are read.
    #[must_use]
    pub fn reads<'a>(table: impl Into<String>, columns: impl IntoIterator<Item = &'a str>) -> Self {
        Self::Reads(table_columns(table, columns))
    }

    /// Columns that may be set.
    #[must_use]
    pub fn writes<'a>(
        table: impl Into<String>,
        columns: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        Self::Writes(table_columns(table, columns))
    }

    /// A table that queries and keys may touch.
    #[must_use]
    pub fn asks<'a>(table: impl Into<String>, columns: impl IntoIterator<Item = &'a str>) -> Self {
        let TableColumns { table, columns } = table_columns(table, columns);
        Self::Asks(AskedTable {
            table,
            columns,
            steady: false,
        })
    }

    /// A table that queries and keys may touch and whose rows change rarely: the host may answer from memory.
    #[must_use]
    pub fn asks_steady<'a>(
        table: impl Into<String>,
        columns: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let TableColumns { table, columns } = table_columns(table, columns);
        Self::Asks(AskedTable {
            table,
            columns,
            steady: true,
        })
    }
}

fn table_columns<'a>(
    table: impl Into<String>,
    columns: impl IntoIterator<Item = &'a str>,
) -> TableColumns {
    TableColumns {
        table: table.into(),
        columns: columns.into_iter().map(str::to_owned).collect(),
    }
}

impl Join {
    /// `column` of the row above points to one row of `table`. `above` is `opportunity`, `lead` or the label of another join.
    #[must_use]
    pub fn lookup<'a>(
        label: impl Into<String>,
        above: impl Into<String>,
        column: impl Into<String>,
        table: impl Into<String>,
        columns: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        Self::via(label, above, Link::Lookup(column.into()), table, columns)
    }

    /// `column` of the joined table points up; any number of rows.
    #[must_use]
    pub fn child<'a>(
        label: impl Into<String>,
        above: impl Into<String>,
        column: impl Into<String>,
        table: impl Into<String>,
        columns: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        Self::via(label, above, Link::Child(column.into()), table, columns)
    }

    /// This many-to-many relationship connects them.
    #[must_use]
    pub fn many<'a>(
        label: impl Into<String>,
        above: impl Into<String>,
        relationship: impl Into<String>,
        table: impl Into<String>,
        columns: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        Self::via(
            label,
            above,
            Link::Many(relationship.into()),
            table,
            columns,
        )
    }

    fn via<'a>(
        label: impl Into<String>,
        above: impl Into<String>,
        via: Link,
        table: impl Into<String>,
        columns: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let TableColumns { table, columns } = table_columns(table, columns);
        Self {
            label: label.into(),
            above: above.into(),
            table,
            via,
            columns,
        }
    }
}

impl From<Join> for Need {
    fn from(join: Join) -> Self {
        Self::Joins(join)
    }
}

impl OwnColumn {
    /// A column that belongs to the mapping itself; set-up creates it with this label where it is missing.
    #[must_use]
    pub fn new(
        table: impl Into<String>,
        column: impl Into<String>,
        kind: ColumnKind,
        label: impl Into<String>,
    ) -> Self {
        Self {
            table: table.into(),
            column: column.into(),
            kind,
            label: label.into(),
            role: None,
        }
    }

    /// What the host fills or follows it for: `identifier`, `link`, `program`, `microsoft-id`, `audit`, `consent`, `gate`.
    #[must_use]
    pub fn role(mut self, role: impl Into<String>) -> Self {
        self.role = Some(role.into());
        self
    }
}

impl From<OwnColumn> for Need {
    fn from(own: OwnColumn) -> Self {
        Self::Brings(own)
    }
}

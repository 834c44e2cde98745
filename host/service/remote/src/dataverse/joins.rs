//! Joins of many plugins as one `$expand`: those that lead the same way share one, and each gets back only what it asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cosell_sync::row::{Join, Related, Row};

use crate::dataverse::cells::{World, read_row};
use crate::dataverse::client::select;
use crate::dataverse::metadata::Table;
use crate::json::{self, Object, Raw};

/// The CRM's own limit of expands in one query.
const EXPANDS_MAX: usize = 15;

/// What is expanded.
pub(super) struct Tree<'j> {
    joins: &'j [Join],
    nodes: Vec<Node>,
}

struct Node {
    /// None: hangs from the record itself.
    above: Option<usize>,
    navigation: String,
    is_collection: bool,
    table: Arc<Table>,
    columns: BTreeSet<String>,
    /// Joins that this node serves, by their place.
    serves: Vec<usize>,
}

/// What came, by node.
pub(super) struct Brought {
    pub(super) rows: Vec<Vec<Object>>,
    /// Collections that go on elsewhere.
    pub(super) links: Vec<(usize, String)>,
}

impl<'j> Tree<'j> {
    pub(super) fn of(
        root: &Arc<Table>,
        joins: &'j [Join],
        tables: &BTreeMap<String, Arc<Table>>,
    ) -> Result<Self, String> {
        let mut tree = Self {
            joins,
            nodes: Vec::new(),
        };
        for (at, join) in joins.iter().enumerate() {
            let (above, upper) = if join.above == root.name {
                (None, root)
            } else {
                let node = tree.nodes.iter().position(|node| {
                    node.serves
                        .iter()
                        .any(|served| joins[*served].label == join.above)
                });
                let node = node.ok_or_else(|| {
                    format!(
                        "the join {} hangs from {}, which is no join before it",
                        join.label, join.above
                    )
                })?;
                (Some(node), &tree.nodes[node].table)
            };
            let table = tables
                .get(&join.table)
                .ok_or_else(|| format!("the table {} is not known", join.table))?;
            let (navigation, is_collection) = upper.way(&join.via, table).ok_or_else(|| {
                format!(
                    "the join {} does not exist: the CRM knows no way from {} to {} by {:?}",
                    join.label, upper.name, table.name, join.via
                )
            })?;
            let same = tree.nodes.iter_mut().find(|node| {
                node.above == above
                    && node.navigation == navigation
                    && node.table.name == table.name
            });
            match same {
                Some(node) => {
                    node.columns.extend(join.columns.iter().cloned());
                    node.serves.push(at);
                }
                None => tree.nodes.push(Node {
                    above,
                    navigation,
                    is_collection,
                    table: Arc::clone(table),
                    columns: join.columns.iter().cloned().collect(),
                    serves: vec![at],
                }),
            }
        }
        if tree.nodes.len() > EXPANDS_MAX {
            return Err(format!(
                "{} different joins, and the CRM allows {EXPANDS_MAX} in one query",
                tree.nodes.len()
            ));
        }
        Ok(tree)
    }

    pub(super) fn expand_text(&self) -> Option<String> {
        self.expand_below(None)
    }

    fn expand_below(&self, above: Option<usize>) -> Option<String> {
        let below: Vec<String> = self
            .children(above)
            .map(|(at, node)| {
                let mut options = format!(
                    "$select={}",
                    select(&node.table, node.columns.iter().map(String::as_str))
                );
                if let Some(deeper) = self.expand_below(Some(at)) {
                    options.push_str(";$expand=");
                    options.push_str(&deeper);
                }
                format!("{}({options})", node.navigation)
            })
            .collect();
        (!below.is_empty()).then(|| below.join(","))
    }

    fn children(&self, above: Option<usize>) -> impl Iterator<Item = (usize, &Node)> {
        self.nodes
            .iter()
            .enumerate()
            .filter(move |(_, node)| node.above == above)
    }

    /// Everything below the record.
    pub(super) fn collect(&self, record: &Object) -> Result<Brought, String> {
        let mut brought = Brought {
            rows: vec![Vec::new(); self.nodes.len()],
            links: Vec::new(),
        };
        self.collect_below(None, record, &mut brought)?;
        Ok(brought)
    }

    /// Further rows of a collection, with everything below them.
    pub(super) fn collect_rows(
        &self,
        at: usize,
        rows: Vec<Object>,
        brought: &mut Brought,
    ) -> Result<(), String> {
        for row in rows {
            self.collect_below(Some(at), &row, brought)?;
            brought.rows[at].push(row);
        }
        Ok(())
    }

    fn collect_below(
        &self,
        above: Option<usize>,
        upper: &Object,
        brought: &mut Brought,
    ) -> Result<(), String> {
        for (at, node) in self.children(above) {
            let value = upper.get(&node.navigation).ok_or_else(|| {
                format!("the answer lacks the joined rows of {}", node.navigation)
            })?;
            let rows: Vec<Raw> = if node.is_collection {
                json::parse(value).ok_or_else(|| format!("{} is no list", node.navigation))?
            } else if json::is_null(value) {
                Vec::new()
            } else {
                vec![value.clone()]
            };
            let objects = rows
                .iter()
                .map(|row| json::object(row.get()))
                .collect::<Option<Vec<_>>>();
            self.collect_rows(
                at,
                objects
                    .ok_or_else(|| format!("{} holds something that is no row", node.navigation))?,
                brought,
            )?;
            let link = upper
                .get(&format!("{}@odata.nextLink", node.navigation))
                .and_then(|link| json::filled(link));
            brought.links.extend(link.map(|link| (at, link)));
        }
        Ok(())
    }

    /// One entry for each join, in the order of the joins; rows sorted by id and each once.
    pub(super) fn related(&self, brought: &Brought, world: &World) -> Result<Vec<Related>, String> {
        let mut related = Vec::with_capacity(self.joins.len());
        for (at, join) in self.joins.iter().enumerate() {
            let mut rows: BTreeMap<String, Row> = BTreeMap::new();
            for (node, objects) in self
                .nodes
                .iter()
                .zip(&brought.rows)
                .filter(|(node, _)| node.serves.contains(&at))
            {
                for object in objects {
                    let row = read_row(
                        &node.table,
                        object,
                        join.columns.iter().map(String::as_str),
                        world,
                    )?;
                    rows.insert(row.id.clone(), row);
                }
            }
            related.push(Related {
                label: join.label.clone(),
                rows: rows.into_values().collect(),
            });
        }
        Ok(related)
    }
}

//! Everything in a database, out of it and into it.

use std::pin::pin;

use bytes::BytesMut;
use tokio::sync::mpsc;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{IsolationLevel, Row};

use super::PostgresStore;
use super::fault::Fault;
use crate::StoreError;
use crate::copy::{Cell, Copied, CopyError, LEASED, Parcel, TABLES, broken};

/// A copy takes as long as it takes.
const PATIENT: &str =
    "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0";

impl PostgresStore {
    /// Sends everything from one snapshot.
    pub(crate) async fn send(
        &self,
        at_rest: bool,
        parcels: &mpsc::Sender<Parcel>,
    ) -> Result<(), StoreError> {
        self.send_all(at_rest, parcels)
            .await
            .map_err(|fault| fault.explain("copy a store"))
    }

    async fn send_all(&self, at_rest: bool, parcels: &mpsc::Sender<Parcel>) -> Result<(), Fault> {
        let cut = |_| Fault::broken(CopyError::Cut);
        let mut client = self.connection().await?;
        let sql = client
            .build_transaction()
            .isolation_level(IsolationLevel::RepeatableRead)
            .read_only(true)
            .start()
            .await?;
        sql.batch_execute(PATIENT).await?;
        if at_rest {
            let leased = format!("{LEASED} {}", database_now!());
            let lanes: i64 = sql.query_one(&leased, &[]).await?.get(0);
            if lanes > 0 {
                return Err(Fault::broken(CopyError::Busy { lanes }));
            }
        }
        for table in TABLES {
            let statement = sql.prepare(&table.rows()).await?;
            let columns: Vec<String> = statement
                .columns()
                .iter()
                .map(|column| column.name().to_owned())
                .collect();
            let portal = sql.bind(&statement, &[]).await?;
            loop {
                let page = sql.query_portal(&portal, table.batch as i32).await?;
                if page.is_empty() {
                    break;
                }
                let rows = page
                    .iter()
                    .map(|row| cells(table.name, row))
                    .collect::<Result<_, _>>()?;
                let parcel = Parcel::Rows {
                    table: table.name,
                    columns: columns.clone(),
                    rows,
                };
                parcels.send(parcel).await.map_err(cut)?;
            }
        }
        sql.commit().await?;
        parcels.send(Parcel::End).await.map_err(cut)
    }

    /// Takes everything in, whole or not at all.
    pub(crate) async fn receive(
        &self,
        delivery: &mut mpsc::Receiver<Parcel>,
    ) -> Result<Copied, StoreError> {
        self.receive_all(delivery)
            .await
            .map_err(|fault| match fault {
                Fault::Full(what) => StoreError::Full { what },
                fault => match fault.explain("copy a store") {
                    StoreError::Broken { source, .. } => broken(source),
                    other => other,
                },
            })
    }

    async fn receive_all(&self, delivery: &mut mpsc::Receiver<Parcel>) -> Result<Copied, Fault> {
        let mut client = self.connection().await?;
        let sql = client.transaction().await?;
        sql.batch_execute(PATIENT).await?;
        for table in TABLES {
            // No host may begin to work in the target meanwhile.
            sql.batch_execute(&format!("LOCK TABLE {} IN EXCLUSIVE MODE", table.name))
                .await?;
            let count = format!("SELECT count(*) FROM {}", table.name);
            let rows: i64 = sql.query_one(&count, &[]).await?.get(0);
            if rows > 0 {
                return Err(Fault::broken(CopyError::NotEmpty {
                    table: table.name,
                    rows,
                }));
            }
        }
        let mut copied = Copied::default();
        loop {
            match delivery.recv().await {
                None => return Err(Fault::broken(CopyError::Cut)),
                Some(Parcel::End) => break,
                Some(Parcel::Rows {
                    table,
                    columns,
                    rows,
                }) => {
                    copied.count(table, rows.len());
                    let columns = columns.join(", ");
                    let statement = sql
                        .prepare(&format!("SELECT {columns} FROM {table}"))
                        .await?;
                    let types: Vec<Type> = statement
                        .columns()
                        .iter()
                        .map(|column| column.type_().clone())
                        .collect();
                    let sink = sql
                        .copy_in(&format!(
                            "COPY {table} ({columns}) FROM STDIN (FORMAT binary)"
                        ))
                        .await?;
                    let mut writer = pin!(BinaryCopyInWriter::new(sink, &types));
                    for row in &rows {
                        writer.as_mut().write_raw(row).await?;
                    }
                    writer.finish().await?;
                }
            }
        }
        sql.commit().await.map_err(Fault::of_commit)?;
        Ok(copied)
    }
}

fn cells(table: &str, row: &Row) -> Result<Vec<Cell>, Fault> {
    row.columns()
        .iter()
        .enumerate()
        .map(|(place, column)| match *column.type_() {
            Type::INT8 => Ok(row
                .get::<_, Option<i64>>(place)
                .map_or(Cell::Null, Cell::Integer)),
            Type::TEXT => Ok(row
                .get::<_, Option<String>>(place)
                .map_or(Cell::Null, Cell::Text)),
            Type::BYTEA => Ok(row
                .get::<_, Option<Vec<u8>>>(place)
                .map_or(Cell::Null, Cell::Bytes)),
            _ => Err(Fault::broken(CopyError::Odd {
                table: table.to_owned(),
                column: column.name().to_owned(),
            })),
        })
        .collect()
}

impl ToSql for Cell {
    fn to_sql(
        &self,
        kind: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Integer(number) => number.to_sql(kind, out),
            Self::Text(text) => text.to_sql(kind, out),
            Self::Bytes(bytes) => bytes.to_sql(kind, out),
        }
    }

    fn accepts(kind: &Type) -> bool {
        matches!(*kind, Type::INT8 | Type::TEXT | Type::BYTEA)
    }

    to_sql_checked!();
}

//! The SQLite interface as guests call it: grants, handles, faults. The work itself is in `data::sqlite`.

use std::sync::Arc;

use wasmtime::component::{Accessor, FutureReader, Resource, StreamReader};

use crate::{
    bindings::spin::sqlite::sqlite::{
        Connection, Error, Host, HostConnection, HostConnectionWithStore, QueryResult, RowResult,
        Value,
    },
    data::sqlite::{GuestConnection, Outcome},
    guest::{
        instance::{Glue, Instance},
        streams::Batch,
    },
    testbench::faults::CallKind,
};

/// The only database there is without a runtime configuration, as in Spin.
pub(crate) const DATABASE: &str = "default";

type Guest<T> = wasmtime::Result<Result<T, Error>>;

impl Instance {
    fn open_database(&mut self, database: &str) -> Result<Resource<Connection>, Error> {
        if !self
            .component
            .config
            .sqlite_databases
            .iter()
            .any(|granted| granted == database)
        {
            return Err(Error::AccessDenied);
        }
        if database != DATABASE {
            return Err(Error::NoSuchDatabase);
        }
        let connection = GuestConnection::new(self.component.host.files.clone());
        let number = self.connections.push(Arc::new(connection));
        number
            .map(Resource::new_own)
            .map_err(|_| Error::Io("too many connections opened".to_owned()))
    }

    fn connection(&self, connection: &Resource<Connection>) -> Result<Arc<GuestConnection>, Error> {
        self.connections
            .get(connection.rep())
            .cloned()
            .ok_or(Error::InvalidConnection)
    }
}

/// The two functions without an error of their own trap, as in Spin.
fn trap(error: Error) -> wasmtime::Error {
    wasmtime::Error::from(error)
}

impl Host for Instance {}

impl HostConnection for Instance {
    async fn open(&mut self, database: String) -> Guest<Resource<Connection>> {
        let point = self.component.faults.clone();
        let open = async || self.open_database(&database);
        point
            .around(CallKind::SqlOpen, &database, Error::Io, open)
            .await
    }

    async fn execute(
        &mut self,
        connection: Resource<Connection>,
        statement: String,
        parameters: Vec<Value>,
    ) -> Guest<QueryResult> {
        let connection = match self.connection(&connection) {
            Ok(connection) => connection,
            Err(error) => return Ok(Err(error)),
        };
        let point = self.component.faults.clone();
        let execute = async || {
            connection
                .execute(statement.clone(), parameters)
                .await
                .into_result()
        };
        point
            .around(CallKind::SqlExecute, &statement, Error::Io, execute)
            .await
    }

    async fn last_insert_rowid(
        &mut self,
        connection: Resource<Connection>,
    ) -> wasmtime::Result<i64> {
        self.connection(&connection)
            .and_then(|c| c.last_insert_rowid())
            .map_err(trap)
    }

    async fn changes(&mut self, connection: Resource<Connection>) -> wasmtime::Result<u64> {
        self.connection(&connection)
            .and_then(|c| c.changes())
            .map_err(trap)
    }

    async fn drop(&mut self, connection: Resource<Connection>) -> wasmtime::Result<()> {
        self.connections.remove(connection.rep());
        Ok(())
    }
}

type Rows = (
    Vec<String>,
    StreamReader<RowResult>,
    FutureReader<Result<(), Error>>,
);

impl<T: Send> HostConnectionWithStore<T> for Glue {
    async fn open_async(
        accessor: &Accessor<T, Self>,
        database: String,
    ) -> Guest<Resource<Connection>> {
        let point = accessor.with(|mut access| access.get().component.faults.clone());
        let open = async || accessor.with(|mut access| access.get().open_database(&database));
        point
            .around(CallKind::SqlOpen, &database, Error::Io, open)
            .await
    }

    async fn execute_async(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        statement: String,
        parameters: Vec<Value>,
    ) -> Guest<Rows> {
        let found = accessor.with(|mut access| {
            let instance = access.get();
            let connection = instance.connection(&connection)?;
            Ok((connection, instance.component.faults.clone()))
        });
        let (connection, point) = match found {
            Ok(found) => found,
            Err(error) => return Ok(Err(error)),
        };
        let execute = async || {
            let outcome = connection.execute(statement.clone(), parameters).await;
            Ok::<Outcome, Error>(outcome)
        };
        let outcome = match point
            .around(CallKind::SqlExecute, &statement, Error::Io, execute)
            .await?
        {
            Ok(outcome) => outcome,
            Err(error) => return Ok(Err(error)),
        };
        let (columns, rows, end) = (outcome.columns, outcome.rows, outcome.end);
        accessor.with(|mut access| {
            let rows = StreamReader::new(&mut access, Batch::new(rows))?;
            let end = FutureReader::new(&mut access, async move { wasmtime::error::Ok(end) })?;
            Ok(Ok((columns, rows, end)))
        })
    }

    async fn last_insert_rowid_async(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
    ) -> wasmtime::Result<i64> {
        let connection = accessor
            .with(|mut access| access.get().connection(&connection))
            .map_err(trap)?;
        connection.last_insert_rowid().map_err(trap)
    }

    async fn changes_async(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
    ) -> wasmtime::Result<u64> {
        let connection = accessor
            .with(|mut access| access.get().connection(&connection))
            .map_err(trap)?;
        connection.changes().map_err(trap)
    }
}

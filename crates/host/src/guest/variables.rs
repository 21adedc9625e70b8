//! The variables interfaces as guests call them: Spin's own, and `wasi:config`.

use wasmtime::component::Accessor;

use crate::{
    bindings::{
        spin::variables::variables::{self, Error},
        wasi::config::store as config,
    },
    guest::instance::{Glue, Instance},
    manifest::variables::VariableError,
};

impl variables::Host for Instance {}

impl<T: Send> variables::HostWithStore<T> for Glue {
    async fn get(
        accessor: &Accessor<T, Self>,
        name: String,
    ) -> wasmtime::Result<Result<String, Error>> {
        let component = accessor.with(|mut access| access.get().component.clone());
        Ok(component
            .host
            .variables
            .resolve(&component.name, &name)
            .map_err(|error| match error {
                VariableError::InvalidName(message) => Error::InvalidName(message),
                VariableError::Undefined(message) => Error::Undefined(message),
                VariableError::Provider(message) => Error::Provider(message),
                VariableError::InvalidTemplate(_) => Error::Other(error.to_string()),
            }))
    }
}

impl config::Host for Instance {
    async fn get(
        &mut self,
        key: String,
    ) -> wasmtime::Result<Result<Option<String>, config::Error>> {
        Ok(
            match self
                .component
                .host
                .variables
                .resolve(&self.component.name, &key)
            {
                Ok(value) => Ok(Some(value)),
                Err(VariableError::Undefined(_) | VariableError::InvalidName(_)) => Ok(None),
                Err(error) => Err(config_error(error)),
            },
        )
    }

    async fn get_all(&mut self) -> wasmtime::Result<Result<Vec<(String, String)>, config::Error>> {
        Ok(self
            .component
            .host
            .variables
            .resolve_all(&self.component.name)
            .map_err(config_error))
    }
}

fn config_error(error: VariableError) -> config::Error {
    match error {
        VariableError::Provider(message) => config::Error::Upstream(message),
        other => config::Error::Io(other.to_string()),
    }
}

//! The variables interface as guests call it.

use wasmtime::component::Accessor;

use crate::{
    bindings::spin::variables::variables::{self, Error},
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

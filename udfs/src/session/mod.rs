//! What a session is and where it stands: its user, its schema, the version of the server.

crate::registry::functions! {
    current_database,
    current_schema,
    current_schemas,
    current_user,
    version,
}
